//! What lies beside the log on the same server: generations, events to try again, events set aside.

use super::options;
use super::wire::Wire;
use crate::config::Settings;
use crate::stream::{KvStore, Parked, RetryQueue};

/// Handles over one connection of their own; clones share it.
#[derive(Clone)]
pub(super) struct Beside {
    pub kv: KvStore,
    pub retry: RetryQueue,
    pub parked: Parked,
}

impl Beside {
    /// Makes the handles; nothing is sent.
    pub async fn open(settings: &Settings, wire: &Wire) -> anyhow::Result<Self> {
        let nats = wire.open("queues").await?.nats().clone();
        Ok(Self {
            kv: KvStore::new(nats.clone(), 1).await,
            retry: RetryQueue::new(nats.clone(), options::retry(settings)).await,
            parked: Parked::new(nats, options::parked(settings)).await,
        })
    }
}
