//! Who runs a job: a key that ends by itself unless its holder goes on renewing it.
//!
//! The server's clock counts. A holder that cannot renew gives up before the server gives the job to
//! another; and should both be wrong, the fence in the job's document lets only the newer one write.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::job::JobId;
use crate::limits::{LEASE, LEASE_RENEWAL};
use crate::stream::{KvStore, QueueError};

/// How long before its end a lease counts as lost: an answer may be on its way for so long.
const MARGIN: Duration = Duration::from_secs(1);
/// Wait before a renewal that failed is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// A lease that was got. It is renewed by [`Lease::keep`] and ends with [`Lease::release`], or by itself.
#[derive(Debug)]
pub struct Lease {
    key: String,
    worker: Bytes,
    revision: u64,
    /// Until when it is ours for sure.
    until: Instant,
}

impl Lease {
    /// Gets the lease on a job; `None` while another worker has it.
    pub async fn get(kv: &KvStore, id: &JobId, worker: &str) -> Result<Option<Self>, QueueError> {
        let key = key(id);
        // Asked first, since most of the time the answer is no: a question writes nothing.
        if kv.get(&key).await?.is_some() {
            return Ok(None);
        }
        let (worker, asked) = (Bytes::from(worker.to_owned()), Instant::now());
        match kv.put_for(&key, worker.clone(), LEASE, 0).await {
            Ok(revision) => Ok(Some(Self { key, worker, revision, until: ends(asked) })),
            Err(QueueError::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renews it until it is dropped; returns once the lease is lost, or may be.
    pub async fn keep(&mut self, kv: &KvStore) {
        let mut wait = LEASE_RENEWAL;
        while Instant::now() + wait < self.until {
            tokio::time::sleep(wait).await;
            let asked = Instant::now();
            let renewed = kv.put_for(&self.key, self.worker.clone(), LEASE, self.revision);
            match tokio::time::timeout_at(self.until, renewed).await {
                Ok(Ok(revision)) => {
                    (self.revision, self.until) = (revision, ends(asked));
                    wait = LEASE_RENEWAL;
                }
                Ok(Err(QueueError::Conflict)) if !self.is_mine(kv).await => return,
                Ok(Err(error)) => {
                    tracing::debug!(%error, key = self.key, "a lease is not renewed yet");
                    wait = AGAIN;
                }
                Err(_) => return,
            }
        }
        tokio::time::sleep_until(self.until).await;
    }

    /// A renewal whose answer was lost is ours all the same.
    async fn is_mine(&mut self, kv: &KvStore) -> bool {
        match kv.get(&self.key).await {
            Ok(Some((worker, revision))) if worker == self.worker => {
                self.revision = revision;
                true
            }
            Ok(_) => false,
            Err(_) => true,
        }
    }

    /// Lets another worker take the job at once.
    pub async fn release(mut self, kv: &KvStore) {
        let mut released = kv.remove(&self.key, Some(self.revision)).await;
        // The answer to the last renewal may not have been waited for.
        if released == Err(QueueError::Conflict) && self.is_mine(kv).await {
            released = kv.remove(&self.key, Some(self.revision)).await;
        }
        if let Err(error) = released {
            tracing::debug!(%error, key = self.key, "a lease is not released and ends by itself");
        }
    }
}

/// Keeps a lease beside what is done under it; `lost` is told when it ends. Once `done`, another worker
/// may have it at once.
pub async fn hold(mut lease: Lease, kv: KvStore, lost: CancellationToken, done: CancellationToken) {
    let kept = tokio::select! {
        () = done.cancelled() => true,
        () = lease.keep(&kv) => false,
    };
    if kept {
        lease.release(&kv).await;
    } else {
        lost.cancel();
    }
}

fn ends(asked: Instant) -> Instant {
    asked + LEASE - MARGIN
}

fn key(id: &JobId) -> String {
    format!("lease.{id}")
}
