//! Looks, after every reconnect and every so often, for events in RETRY that are due and that no worker would get.
//!
//! They come about when a server dies between what it writes down as done and the removal that follows. Nobody
//! would ever be given them, and they would count as waiting for ever.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::worker::retry_durable;
use crate::stream::{Nats, RetryQueue};

/// How long such an event waits at most, while the link holds.
const PERIOD: Duration = Duration::from_secs(10);

/// Looks until told to stop.
pub(super) async fn revive(
    retry: RetryQueue,
    nats: Nats,
    generation: u64,
    stop: CancellationToken,
) {
    let mut link = nats.link();
    while !stop.is_cancelled() {
        let looked = async {
            if link.borrow_and_update().connected {
                look(&retry, generation).await;
            }
            tokio::select! {
                changed = link.changed() => changed.is_ok(),
                () = tokio::time::sleep(PERIOD) => true,
            }
        };
        if stop.run_until_cancelled(looked).await != Some(true) {
            return;
        }
    }
}

async fn look(retry: &RetryQueue, generation: u64) {
    match retry.revive(generation, &retry_durable(generation)).await {
        Ok(0) => {}
        Ok(events) => tracing::warn!(
            events,
            generation,
            "RETRY held events that counted as done and were still there; they are tried again"
        ),
        Err(error) => tracing::debug!(%error, "RETRY cannot be looked at now"),
    }
}
