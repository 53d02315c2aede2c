//! The key of hashes counts from a start to an end: with another, equal values would no longer be equal.

use tokio_util::sync::CancellationToken;

use crate::limits::SECRET_LOOK;
use crate::secret::{Secret, SecretSource};

/// Tells, once a value, that a replaced key counts only after a restart.
pub(super) async fn watch(source: Option<SecretSource>, stop: CancellationToken) {
    let Some(source @ SecretSource::File(_)) = source else { return stop.cancelled().await };
    let mut known: Option<Secret> = None;
    let mut look = tokio::time::interval(SECRET_LOOK);
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        let Ok(now) = source.read() else { continue };
        if known.as_ref().is_some_and(|known| *known != now) {
            tracing::warn!(
                "privacy.hash_key was replaced: this process hashes with the old one until it is restarted; \
                 restart all gateways together, since values hashed with both are not equal"
            );
        }
        known = Some(now);
    }
}
