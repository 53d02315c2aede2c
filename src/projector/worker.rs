//! Takes messages of a shared consumer, applies them to a store, and acknowledges what the store has.
//!
//! What fails for its own sake is set aside, so that fresh messages never wait behind it. What fails for
//! the store's sake stays in the worker's hands until the breaker lets it be tried again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::Shared;
use super::item::Item;
use super::place::Place;
use crate::limits::{BATCH_PATIENCE, LOG_RETRY, PULSE_PERIOD};
use crate::pulse::Pulse;
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
    pub pulse: Pulse,
}

/// Where a worker's messages come from.
pub(super) enum Source {
    /// Events of the log, as long as it is the one that this place speaks of.
    Log { log: EventLog, consumer: WorkOptions, place: Arc<Place> },
    /// What comes back from RETRY.
    Retry(Box<RetryQueue>),
}

/// The consumer that all workers of a generation share for what comes back.
pub(super) fn retry_durable(generation: u64) -> String {
    format!("retry-g{generation}")
}

impl<S: Store> Worker<S> {
    /// Works until it is told to stop; what it then has in hand goes back for others to take.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (mut queue, epoch) = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                opened = async { self.pulse.while_waiting(pin!(self.open())).await } => opened,
            };
            self.follow(&mut queue, &epoch, &stop).await;
            self.pulse.while_waiting(pin!(queue.release())).await;
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
                let generation = self.shared.generation;
                let queue = retry.work(generation, retry_durable(generation));
                (queue, Arc::new(Epoch(String::new())))
            }
        }
    }

    /// Works until told to stop, or until the log turns out to be another one; ends with nothing in hand.
    ///
    /// A batch that takes long, because some of it has to be tried again, does not hold up the next one.
    async fn follow(&self, queue: &mut WorkQueue, epoch: &Arc<Epoch>, stop: &CancellationToken) {
        let answers = queue.answers();
        let mut going = FuturesUnordered::new();
        let (mut in_hand, mut began) = (0, Instant::now());
        let mut clock = tokio::time::interval(PULSE_PERIOD);
        loop {
            let room = self.most - in_hand;
            let turn = began + if in_hand > 0 { BATCH_PATIENCE } else { Duration::ZERO };
            let deliveries = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = clock.tick() => {
                    self.pulse.beat();
                    continue;
                }
                Some(count) = going.next() => {
                    in_hand -= count;
                    continue;
                }
                taken = self.take(queue, turn, room), if in_hand <= room => taken,
            };
            let Some(deliveries) = deliveries else { break };
            let items = self.items(deliveries, epoch).await;
            (in_hand, began) = (in_hand + items.len(), Instant::now());
            going.push(async {
                let count = items.len();
                self.shared.finish(items, &answers, stop).await;
                count
            });
        }
        while going.next().await.is_some() {}
    }

    /// Waits for the next messages, at most `most`, and takes none before `turn` or while the store is left
    /// alone; `None` if the log is another one. Cancelling it loses nothing.
    async fn take(
        &self,
        queue: &mut WorkQueue,
        turn: Instant,
        most: usize,
    ) -> Option<Vec<Delivery>> {
        tokio::time::sleep_until(turn).await;
        self.shared.gate.ready().await;
        match queue.next(most).await {
            Ok(deliveries) => Some(deliveries),
            Err(error @ ReadError::Diverged { .. }) => {
                tracing::info!(%error, "looking for the place to go on from");
                if let Source::Log { place, .. } = &self.source {
                    place.doubt();
                }
                None
            }
            Err(error) => {
                tracing::debug!(%error, "the queue cannot be read now");
                tokio::time::sleep(LOG_RETRY).await;
                Some(Vec::new())
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
