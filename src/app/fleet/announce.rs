//! Tells of this process, again and again, by a key that ends by itself if it is not written again.

use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::census::MEMBER;
use super::member::{Identity, Member};
use crate::app::ready::Facts;
use crate::app::status::Parts;
use crate::stream::{KvStore, QueueError};

const TELL: Duration = Duration::from_secs(2);
/// A process that was killed, or whose host is cut off, is seen for so long.
const LIFETIME: Duration = Duration::from_secs(8);

/// Tells until told to stop, then says farewell. A server that does not let it is no reason to stop.
pub(in crate::app) async fn announce(
    kv: KvStore,
    name: String,
    identity: Identity,
    parts: Parts,
    draining: CancellationToken,
    stop: CancellationToken,
) {
    let key = format!("{MEMBER}{name}");
    let (mut revision, mut link) = (0, parts.log.nats().link());
    loop {
        if link.borrow_and_update().connected {
            let member = Member::of(&identity, &parts, &Facts::of(&parts, &draining));
            let value = Bytes::from(serde_json::to_vec(&member).expect("it has a JSON form"));
            revision = told(&kv, &key, value, revision).await;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            _ = link.changed() => {}
            () = tokio::time::sleep(TELL) => {}
        }
    }
    if link.borrow().connected {
        kv.remove(&key, None).await.ok();
    }
}

/// Writes the key once; returns the revision to write it next time with.
async fn told(kv: &KvStore, key: &str, value: Bytes, revision: u64) -> u64 {
    match kv.put_for(key, value, LIFETIME, revision).await {
        Ok(now) => now,
        // It has ended, or a write was stored that was not known to be.
        Err(QueueError::Conflict) => match kv.get(key).await {
            Ok(found) => found.map_or(0, |(_, now)| now),
            Err(_) => revision,
        },
        Err(error) => {
            tracing::debug!(%error, "this process cannot be announced to the others now");
            revision
        }
    }
}
