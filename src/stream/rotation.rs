//! Follows the files of credentials: a link whose secret was replaced is made anew with the new one.
//!
//! The new one is tried on a connection of its own first, so that one that does not work yet cuts nobody off: the
//! link stays as it is for as long as the server keeps it.

use async_nats::{Client, ConnectError, ConnectErrorKind};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::connection::{Options, connect_options};
use super::credentials::{Proof, Shown};
use crate::limits::SECRET_LOOK;

/// Looks at the files until told to stop.
pub(super) async fn follow(
    client: Client,
    options: Options,
    shown: Shown,
    stop: CancellationToken,
) {
    if !options.credentials.may_change() {
        return;
    }
    let mut look = interval(SECRET_LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut refused: Option<Proof> = None;
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        // One that cannot be read now is told when a connection needs it.
        let Ok(proof) = options.credentials.proof() else { continue };
        if !shown.is_new(&proof) {
            refused = None;
            continue;
        }
        let Some(tried) = stop.run_until_cancelled(try_out(&options)).await else { return };
        let connection = options.name.as_str();
        match tried {
            Ok(()) => {
                tracing::info!(connection, "the NATS secret is new: connecting with it");
                client.force_reconnect().await.ok();
            }
            Err(error) if error.kind() == ConnectErrorKind::AuthorizationViolation => {
                if refused.as_ref() != Some(&proof) {
                    tracing::warn!(
                        connection,
                        "the NATS server does not take the new secret yet: the link stays as it is, and it is \
                         tried again"
                    );
                }
                refused = Some(proof);
            }
            // The server is away, which others tell of.
            Err(_) => {}
        }
    }
}

/// Connects with what the files hold now, and hangs up.
async fn try_out(options: &Options) -> Result<(), ConnectError> {
    let named = Options { name: format!("{} trying", options.name), ..options.clone() };
    let urls: Vec<String> = options.url.split(',').map(|url| url.trim().to_owned()).collect();
    let connecting = connect_options(named, Shown::default());
    let connecting = connecting.map_err(|_| ConnectError::new(ConnectErrorKind::Authentication))?;
    connecting.connect(urls).await.map(drop)
}
