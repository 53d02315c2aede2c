//! The place of a consumer that many workers share, and whether the log is still the one it speaks of.
//!
//! The server keeps the place. But a stream can lose what it had acknowledged and grow again, and then
//! the place is ahead of it. So marks are kept beside it in a KV bucket, and compared after every
//! reconnect; where they do not hold, the consumer goes back. Reading again is always safe.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::worker_status::WorkerStatus;
use crate::limits::LOG_RETRY;
use crate::stream::{Epoch, EventLog, KvStore, Mark, Marks, ReadError, WorkOptions, WorkState};

/// How often the place is marked and looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// What is known of a consumer's way through the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Way {
    epoch: Option<Epoch>,
    marks: Marks,
}

/// What to do with a consumer after the log was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Holds,
    /// Deliver from this sequence on.
    Back(u64),
}

/// The place of one generation's consumer.
pub struct Place {
    log: EventLog,
    kv: KvStore,
    key: String,
    consumer: WorkOptions,
    status: Arc<WorkerStatus>,
    found: watch::Sender<Option<Arc<Epoch>>>,
    doubt: Notify,
}

impl Way {
    /// Judges the way by the log of `epoch`: `matching` is the newest mark that it still holds.
    fn judge(&mut self, epoch: &Epoch, matching: Option<Mark>) -> Verdict {
        if self.epoch.as_ref() != Some(epoch) {
            let known = self.epoch.is_some();
            *self = Self { epoch: Some(epoch.clone()), marks: Marks::default() };
            return if known { Verdict::Back(1) } else { Verdict::Holds };
        }
        if matching == self.marks.newest() {
            return Verdict::Holds;
        }
        let from = matching.map_or(1, |mark| mark.sequence + 1);
        self.marks.forget_after(from - 1);
        Verdict::Back(from)
    }
}

impl Place {
    pub(super) fn new(
        log: EventLog,
        kv: KvStore,
        generation: u64,
        consumer: WorkOptions,
        status: Arc<WorkerStatus>,
    ) -> Self {
        let (found, _) = watch::channel(None);
        let key = format!("progress.g{generation}");
        Self { log, kv, key, consumer, status, found, doubt: Notify::new() }
    }

    /// Waits until the log is known to be the one that the consumer's place is of, and returns its epoch.
    pub(super) async fn found(&self) -> Arc<Epoch> {
        let mut found = self.found.subscribe();
        loop {
            if let Some(epoch) = found.borrow_and_update().clone() {
                return epoch;
            }
            found.changed().await.expect("the sender lives as long as this");
        }
    }

    /// Has the log looked at anew.
    pub(super) fn doubt(&self) {
        self.found.send_replace(None);
        self.doubt.notify_one();
    }

    /// Returns how far the consumer is.
    pub async fn state(&self) -> Option<WorkState> {
        self.log.work(self.consumer.clone()).state().await.ok()
    }

    /// Looks at the log after every reconnect and every doubt, and marks the way in between.
    pub(super) async fn keep(self: Arc<Self>, stop: CancellationToken) {
        let mut link = self.log.nats().link();
        let mut seen = 0;
        loop {
            let now = *link.borrow_and_update();
            if now.times != seen {
                self.found.send_replace(None);
            }
            let looked = async {
                if !now.connected {
                    return;
                }
                if self.found.borrow().is_some() {
                    self.mark().await;
                } else if self.look().await {
                    seen = now.times;
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = looked => {}
            }
            let pause = if self.found.borrow().is_some() { PERIOD } else { LOG_RETRY };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.doubt.notified() => {}
                changed = link.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Compares the way with the log, and moves the consumer back where they differ.
    async fn look(&self) -> bool {
        match self.compare().await {
            Ok(epoch) => {
                self.found.send_replace(Some(Arc::new(epoch)));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the log does not answer; trying again");
                false
            }
        }
    }

    async fn compare(&self) -> Result<Epoch, Box<dyn std::error::Error + Send + Sync>> {
        let epoch = self.log.ensure().await?.epoch;
        let (mut way, revision) = self.read().await?;
        let before = way.clone();
        let matching = self.log.newest_matching(&way.marks).await?;
        let mut queue = self.log.work(self.consumer.clone());
        let delivered = match queue.state().await {
            Ok(state) => state.delivered,
            // Nobody has begun.
            Err(ReadError::Gone) => 0,
            Err(error) => return Err(error.into()),
        };
        let last = self.log.state().await?.last_sequence;
        let mut verdict = way.judge(&epoch, matching);
        if verdict == Verdict::Holds && delivered > last {
            verdict = Verdict::Back(matching.map_or(1, |mark| mark.sequence + 1));
        }
        if let Verdict::Back(from) = verdict {
            tracing::warn!(from, delivered, last, %epoch, "the log is not the one that was read: reading it again");
            WorkerStatus::add(&self.status.went_back, 1);
            queue.reset(from).await?;
        }
        if way != before {
            self.write(&way, revision).await?;
        }
        Ok(epoch)
    }

    /// Marks the place through which everything is acknowledged. Another worker's mark is as good.
    ///
    /// Only if the link held meanwhile: a log that was cut and grew again has another message at that place.
    async fn mark(&self) {
        let link = self.log.nats().link();
        let begun = *link.borrow();
        let marked: Result<(), Box<dyn std::error::Error + Send + Sync>> = async {
            let floor = self.log.work(self.consumer.clone()).state().await?.ack_floor;
            let (mut way, revision) = self.read().await?;
            if way.marks.newest().is_some_and(|newest| newest.sequence >= floor) {
                return Ok(());
            }
            if let Some(message) = self.log.get(floor).await? {
                way.marks.push(message.mark());
                if *link.borrow() != begun {
                    return Ok(());
                }
                self.write(&way, revision).await?;
            }
            Ok(())
        }
        .await;
        if let Err(error) = marked {
            tracing::debug!(%error, "the place is not marked now");
        }
    }

    async fn read(&self) -> Result<(Way, Option<u64>), Box<dyn std::error::Error + Send + Sync>> {
        let Some((bytes, revision)) = self.kv.get(&self.key).await? else {
            return Ok((Way::default(), None));
        };
        // What cannot be read is as good as nothing: the whole log is read again at worst.
        Ok((serde_json::from_slice(&bytes).unwrap_or_default(), Some(revision)))
    }

    async fn write(
        &self,
        way: &Way,
        revision: Option<u64>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let bytes = serde_json::to_vec(way)?.into();
        match revision {
            Some(revision) => self.kv.update(&self.key, bytes, revision).await?,
            None => self.kv.create(&self.key, bytes).await?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(sequence: u64) -> Mark {
        Mark { sequence, hash: [sequence as u8; 16] }
    }

    fn way(epoch: &str, marks: &[u64]) -> Way {
        let mut way = Way { epoch: Some(Epoch(epoch.into())), marks: Marks::default() };
        marks.iter().for_each(|sequence| way.marks.push(mark(*sequence)));
        way
    }

    #[test]
    fn a_consumer_goes_back_to_the_newest_place_that_still_holds() {
        let epoch = Epoch("one".into());
        let mut fresh = Way::default();
        assert_eq!(fresh.judge(&epoch, None), Verdict::Holds);
        assert_eq!(fresh, way("one", &[]));
        assert_eq!(way("one", &[3, 9]).judge(&epoch, Some(mark(9))), Verdict::Holds);
        let mut cut = way("one", &[3, 9]);
        assert_eq!(cut.judge(&epoch, Some(mark(3))), Verdict::Back(4));
        assert_eq!(cut, way("one", &[3]));
        assert_eq!(way("one", &[3, 9]).judge(&epoch, None), Verdict::Back(1));
        let mut other = way("two", &[3, 9]);
        assert_eq!(other.judge(&epoch, Some(mark(9))), Verdict::Back(1));
        assert_eq!(other, way("one", &[]));
    }
}
