//! Sets messages aside: into RETRY what may yet work, into PARKED what never can.
//!
//! A task of its own does it, so that workers go on with what is fresh. A message is acknowledged only
//! once the other stream has it; until then it is the log's, and comes again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::item::Item;
use crate::limits::{SET_ASIDE_AT_ONCE, SET_ASIDE_WAITING};
use crate::store::Failure;
use crate::stream::{
    Closed, Delivery, Entry, EntryId, OpenIds, Parked, RetryQueue, backoff, jittered,
};
use crate::telemetry::names;

/// After which a message that could not be set aside is delivered again.
const AGAIN: Duration = Duration::from_secs(5);

/// What is to be done with one message.
pub(super) enum SetAside {
    Retry(Entry, Delivery),
    Park(Entry, Delivery),
    /// The event was applied: its entry in PARKED goes.
    Close(u64, EntryId),
}

impl SetAside {
    pub fn retry(item: Item, generation: u64, failure: &Failure) -> Self {
        let entry = item.entry(generation, &failure.code, &failure.text);
        Self::Retry(entry, item.delivery)
    }

    pub fn park(item: Item, generation: u64, reason: &str, error: &str) -> Self {
        let entry = item.entry(generation, reason, error);
        Self::Park(entry, item.delivery)
    }
}

/// Where workers hand over what they do not finish. Clones share one task.
#[derive(Clone)]
pub(super) struct Aside {
    sender: mpsc::Sender<SetAside>,
    open: OpenIds,
}

/// The task behind it.
pub(super) struct AsideTask {
    waiting: mpsc::Receiver<SetAside>,
    retry: RetryQueue,
    parked: Parked,
}

impl Aside {
    pub fn new(retry: RetryQueue, parked: Parked, open: OpenIds) -> (Self, AsideTask) {
        let (sender, waiting) = mpsc::channel(SET_ASIDE_WAITING);
        (Self { sender, open }, AsideTask { waiting, retry, parked })
    }

    /// Hands over; waits while too much is handed over already.
    pub async fn put(&self, what: SetAside) {
        // Without the task the process is ending, and the log delivers the message again.
        self.sender.send(what).await.ok();
    }

    /// Cheap: most of the time nothing is parked.
    pub fn anything_parked(&self) -> bool {
        !self.open.is_empty()
    }

    pub fn is_parked(&self, id: EntryId) -> bool {
        self.open.contains(id)
    }
}

impl AsideTask {
    /// Works until the last worker is gone and everything handed over is dealt with, or, once told to stop,
    /// until nothing is left at once.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::new();
        while self.waiting.recv_many(&mut batch, SET_ASIDE_AT_ONCE).await > 0 {
            let mut going: FuturesUnordered<_> =
                batch.drain(..).map(|one| self.set_aside(one, &stop)).collect();
            while going.next().await.is_some() {}
        }
    }

    async fn set_aside(&self, what: SetAside, stop: &CancellationToken) {
        match what {
            SetAside::Retry(entry, delivery) => {
                let wait = |entry: &Entry| jittered(backoff(entry.attempts), random());
                let mut done = self.retry.schedule(std::slice::from_ref(&entry), wait).await;
                let done = done.pop().expect("one result an entry");
                finish("retry", done, &entry, &delivery, stop).await;
            }
            SetAside::Park(entry, delivery) => {
                let done = self.parked.park(&entry).await.map(|_| ());
                finish("parked", done, &entry, &delivery, stop).await;
            }
            SetAside::Close(generation, id) => {
                let closed = self.parked.close(generation, id, Closed::Applied).await;
                if let Err(error) = closed {
                    tracing::debug!(%id, %error, "a parked entry whose event is applied stays for now");
                }
            }
        }
    }
}

async fn finish<E: std::fmt::Display>(
    queue: &'static str,
    done: Result<(), E>,
    entry: &Entry,
    delivery: &Delivery,
    stop: &CancellationToken,
) {
    match done {
        Ok(()) => {
            metrics::counter!(names::PROJECTOR_SET_ASIDE, "queue" => queue).increment(1);
            delivery.ack().await;
        }
        Err(error) => {
            if !stop.is_cancelled() {
                tracing::warn!(queue, %error, sequence = entry.sequence, "a message cannot be set aside; the log gives it again");
            }
            delivery.nak(AGAIN).await;
        }
    }
}

/// Any number: what was set aside together is not to come back together.
fn random() -> u64 {
    RandomState::new().hash_one(())
}
