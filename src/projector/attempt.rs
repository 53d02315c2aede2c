//! One batch in a worker's hands, from the first attempt to the last acknowledgement.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::aside::{Aside, SetAside};
use super::batch::{Batch, Disposition, Share, share};
use super::decode::{Decoder, Undecodable};
use super::gate::Gate;
use super::item::Item;
use super::worker_status::WorkerStatus;
use crate::clock;
use crate::event::Event;
use crate::limits::STORE_TRIES;
use crate::projection::Projection;
use crate::store::{Failure, Remedy, Store, Verdict};
use crate::stream::{Answers, Delivery};
use crate::telemetry::names;

/// What all workers of one generation in a process share.
pub(super) struct Shared<S> {
    pub generation: u64,
    pub store: S,
    pub decoder: Decoder,
    pub projection: Projection,
    pub gate: Arc<Gate>,
    pub aside: Aside,
    pub status: Arc<WorkerStatus>,
    /// After which the server gives an unacknowledged message to somebody else.
    pub ack_wait: Duration,
}

/// What became of one message of an attempt.
enum Outcome {
    Known(Disposition),
    Undecodable(Undecodable),
}

impl<S: Store> Shared<S> {
    /// Brings every message to its end: acknowledged, set aside, or given back because of a stop or a store
    /// that fails.
    pub async fn finish(&self, mut items: Vec<Item>, queue: &Answers, stop: &CancellationToken) {
        let mut tries = 0;
        while !items.is_empty() {
            let (mut waited, first) = (false, tries == 0 && items.iter().all(Item::is_fresh));
            let passed = async {
                waited = self.gate.is_open();
                self.gate.pass().await;
                self.attempt(&items, first).await
            };
            let outcomes = tokio::select! {
                biased;
                () = stop.cancelled() => return give_back(items, queue).await,
                outcomes = self.holding(&items, passed) => outcomes,
            };
            let of = items.len();
            let left = self.settle(items, outcomes, queue).await;
            if waited && let Some(delay) = self.gate.patience() {
                return hand_on(&left, delay).await;
            }
            if !self.stays(&left, of, tries) {
                for (item, failure) in left {
                    self.aside.put(SetAside::retry(item, self.generation, &failure)).await;
                }
                return;
            }
            items = left.into_iter().map(|(item, _)| item).collect();
            let paused = tokio::time::sleep(pause(tries));
            tokio::select! {
                () = stop.cancelled() => return give_back(items, queue).await,
                () = self.holding(&items, paused) => {}
            }
            tries += 1;
        }
    }

    /// Says whether messages stay here to be tried again: while it may be the store itself that fails,
    /// nothing goes to a queue, where it would only wait longer.
    fn stays(&self, left: &[(Item, Failure)], of: usize, tries: u32) -> bool {
        let away = left.iter().any(|(_, failure)| is_away(failure));
        let all = left.len() == of && tries < STORE_TRIES && (away || self.gate.doubts());
        !left.is_empty() && (self.gate.is_open() || all)
    }

    /// Tells the server now and then, while something takes its time, that these are being worked on.
    async fn holding<T>(&self, items: &[Item], doing: impl Future<Output = T>) -> T {
        tokio::pin!(doing);
        loop {
            tokio::select! {
                biased;
                done = &mut doing => return done,
                () = tokio::time::sleep(self.ack_wait / 3) => {
                    for item in items {
                        item.delivery.in_progress().await;
                    }
                }
            }
        }
    }

    /// Decodes, projects and applies; one outcome a message.
    async fn attempt(&self, items: &[Item], first: bool) -> Vec<Outcome> {
        let decoded: Vec<Result<Event<'_>, Undecodable>> =
            items.iter().map(|item| self.decoder.decode(item.epoch(), &item.recorded())).collect();
        let batch = Batch::of(&self.projection, decoded.iter().filter_map(|one| one.as_ref().ok()));
        let verdicts = self.store.apply(batch.puts()).await;
        let dispositions = batch.dispositions(&verdicts);
        self.note(&verdicts, share(&dispositions), first);
        let mut dispositions = dispositions.into_iter();
        decoded
            .into_iter()
            .map(|decoded| match decoded {
                Ok(_) => Outcome::Known(dispositions.next().expect("one an event")),
                Err(error) => Outcome::Undecodable(error),
            })
            .collect()
    }

    fn note(&self, verdicts: &[Verdict], share: Share, first: bool) {
        let count = |what: fn(&Verdict) -> bool| verdicts.iter().filter(|one| what(one)).count();
        WorkerStatus::add(&self.status.applied_puts, count(|one| *one == Verdict::Applied));
        WorkerStatus::add(&self.status.superseded_puts, count(|one| *one == Verdict::Superseded));
        let failed = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Failed(failure) if failure.remedy != Remedy::Park => Some(failure),
            _ => None,
        });
        // A store that nobody reaches fails anew each time, whatever it was asked before.
        let turned = self.gate.note(share, first || failed.is_some_and(is_away));
        if let Some(failure) = failed {
            metrics::counter!(names::PROJECTOR_FAILURES, "code" => failure.code.clone())
                .increment(share.failed as u64);
            let other = self.status.note_failure(failure);
            if turned || other {
                let open = self.gate.is_open();
                tracing::warn!(generation = self.generation, code = failure.code, error = %failure, open, "the store does not take everything");
            }
            return;
        }
        if share.of > 0 {
            self.status.note_success();
        }
        if turned {
            tracing::info!(generation = self.generation, "the store takes everything again");
        }
    }

    /// Acknowledges what is applied and parks what can never be; returns what may yet work.
    async fn settle(
        &self,
        items: Vec<Item>,
        outcomes: Vec<Outcome>,
        queue: &Answers,
    ) -> Vec<(Item, Failure)> {
        let mut applied = Vec::with_capacity(items.len());
        for (item, outcome) in items.iter().zip(&outcomes) {
            if let Outcome::Known(Disposition::Applied) = outcome {
                self.close_parked(item).await;
                applied.push(&item.delivery);
            }
        }
        queue.ack_all(&applied).await;
        self.count(&applied);
        let mut left = Vec::new();
        for (item, outcome) in items.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Known(Disposition::Applied) => {}
                Outcome::Known(Disposition::Later(failure)) => left.push((item, failure)),
                Outcome::Known(Disposition::Park(failure)) => {
                    self.park(item, &failure.code, &failure.text).await;
                }
                Outcome::Undecodable(error) => {
                    WorkerStatus::add(&self.status.undecodable, 1);
                    metrics::counter!(names::PROJECTOR_UNDECODABLE, "code" => error.code())
                        .increment(1);
                    self.park(item, error.code(), &error.to_string()).await;
                }
            }
        }
        left
    }

    fn count(&self, applied: &[&Delivery]) {
        let Some(newest_ms) = applied.iter().map(|one| one.message.time_ms).max() else { return };
        WorkerStatus::add(&self.status.events, applied.len());
        metrics::counter!(names::PROJECTOR_EVENTS).increment(applied.len() as u64);
        let late_ms = clock::now_ms().saturating_sub(newest_ms).max(0);
        metrics::histogram!(names::PROJECTOR_LAG).record(late_ms as f64 / 1e3);
        let oldest_ms = applied.iter().map(|one| one.message.time_ms).min().unwrap_or(newest_ms);
        self.status.lag.record(clock::now_ms().saturating_sub(oldest_ms).max(0) as f64);
    }

    async fn close_parked(&self, item: &Item) {
        if self.aside.anything_parked() && self.aside.is_parked(item.id()) {
            self.aside.put(SetAside::Close(self.generation, item.id())).await;
        }
    }

    async fn park(&self, item: Item, reason: &str, error: &str) {
        WorkerStatus::add(&self.status.parked, 1);
        self.aside.put(SetAside::park(item, self.generation, reason, error)).await;
    }
}

/// Whether the store was not reached at all: no event's fault, and no part's.
fn is_away(failure: &Failure) -> bool {
    failure.code == "unreachable"
}

async fn give_back(items: Vec<Item>, queue: &Answers) {
    let deliveries: Vec<Delivery> = items.into_iter().map(|item| item.delivery).collect();
    queue.nak_all(&deliveries).await;
}

/// Gives back what a failed trial was made with, so that the next is made with something else: these may be
/// all that the store does not take.
async fn hand_on(left: &[(Item, Failure)], delay: Duration) {
    for (item, _) in left {
        item.delivery.nak(delay).await;
    }
}

/// The pause after a failed attempt: 10 ms, doubled up to half a second.
fn pause(tries: u32) -> Duration {
    Duration::from_millis((10 << tries.min(6)).min(500))
}
