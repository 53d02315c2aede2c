//! Takes messages of a shared consumer, applies them to a store, and acknowledges what the store has.
//!
//! What fails for its own sake is set aside, so that fresh messages never wait behind it. What fails for
//! the store's sake stays in the worker's hands until the breaker lets it be tried again.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::attempt::Shared;
use super::item::Item;
use super::place::Place;
use crate::limits::LOG_RETRY;
use crate::store::Store;
use crate::stream::{
    Delivery, Epoch, EventLog, ReadError, Retried, RetryQueue, WorkOptions, WorkQueue,
};

/// One of any number of workers, in this process and in others.
pub(super) struct Worker<S> {
    pub shared: Arc<Shared<S>>,
    pub source: Source,
    /// Most messages in hand.
    pub most: usize,
}

/// Where a worker's messages come from.
pub(super) enum Source {
    /// Events of the log, as long as it is the one that this place speaks of.
    Log { log: EventLog, consumer: WorkOptions, place: Arc<Place> },
    /// What comes back from RETRY.
    Retry(Box<RetryQueue>),
}

impl<S: Store> Worker<S> {
    /// Works until it is told to stop; what it then has in hand goes back for others to take.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (mut queue, epoch) = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                opened = self.open() => opened,
            };
            self.follow(&mut queue, &epoch, &stop).await;
            queue.release().await;
        }
    }

    /// Waits until the log is known to be the one that the consumer's place is of.
    async fn open(&self) -> (WorkQueue, Arc<Epoch>) {
        match &self.source {
            Source::Log { log, consumer, place } => {
                let epoch = place.found().await;
                (log.work(consumer.clone()).expecting((*epoch).clone()), epoch)
            }
            // An entry names the epoch that it comes from.
            Source::Retry(retry) => {
                let durable = format!("retry-g{}", self.shared.generation);
                let queue = retry.work(self.shared.generation, durable);
                (queue, Arc::new(Epoch(String::new())))
            }
        }
    }

    /// Works until told to stop, or until the log turns out to be another one.
    async fn follow(&self, queue: &mut WorkQueue, epoch: &Arc<Epoch>, stop: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.shared.gate.ready() => {}
            }
            let read = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                read = queue.next(self.most) => read,
            };
            match read {
                Ok(deliveries) => {
                    let items = self.items(deliveries, epoch).await;
                    self.shared.finish(items, queue, stop).await;
                }
                Err(error @ ReadError::Diverged { .. }) => {
                    tracing::info!(%error, "looking for the place to go on from");
                    if let Source::Log { place, .. } = &self.source {
                        place.doubt();
                    }
                    return;
                }
                Err(error) => {
                    tracing::debug!(%error, "the queue cannot be read now");
                    tokio::time::sleep(LOG_RETRY).await;
                }
            }
        }
    }

    async fn items(&self, deliveries: Vec<Delivery>, epoch: &Arc<Epoch>) -> Vec<Item> {
        let fresh = |delivery| Item::fresh(delivery, epoch.clone());
        if let Source::Log { .. } = self.source {
            return deliveries.into_iter().map(fresh).collect();
        }
        let mut items = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match Retried::read(delivery) {
                Ok(retried) => items.push(Item::again(retried)),
                Err(unreadable) => {
                    let (error, delivery) = *unreadable;
                    // Nothing of weir writes such a message, and nobody can do anything with it.
                    tracing::warn!(%error, sequence = delivery.message.sequence, "RETRY holds a message that is no entry");
                    delivery.ack().await;
                }
            }
        }
        items
    }
}
