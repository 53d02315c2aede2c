//! What lies beside the log on the same server: generations, events to try again, events set aside.

use super::options;
use super::wire::Wire;
use crate::config::Settings;
use crate::stream::{KvStore, Nats, Parked, RetryQueue};

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
        Ok(Self::over(settings, wire.open("queues").await?.nats().clone()).await)
    }

    /// The same over a connection that there is.
    pub async fn over(settings: &Settings, nats: Nats) -> Self {
        Self {
            kv: KvStore::new(nats.clone(), settings.nats.replicas).await,
            retry: RetryQueue::new(nats.clone(), options::retry(settings)).await,
            parked: Parked::new(nats, options::parked(settings)).await,
        }
    }
}
