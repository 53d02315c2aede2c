//! Keeps the graph in memory true to the log.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::decode::{Decoder, Recorded, Undecodable};
use super::kept::{BuildError, load, write_snapshot};
use super::memory_graph::MemoryGraph;
use super::parker::Parker;
use super::recent::Recent;
use super::status::{LastUndecodable, Phase, Status};
use crate::clock;
use crate::event::{Event, Upcasters};
use crate::graph::{Digest, Put};
use crate::limits::{APPLY_AT_ONCE, LOG_RETRY};
use crate::projection::{Fingerprint, Projection};
use crate::pulse::Pulse;
use crate::store::memory::snapshot::Head;
use crate::store::memory::{Horizon, MemoryStore};
use crate::stream::{Batch, Epoch, EventLog, Reader, StoredMessage};
use crate::telemetry::names;

/// How a projector keeps its graph.
#[derive(Debug, Clone)]
pub struct Options {
    /// The snapshot's file.
    pub snapshot: PathBuf,
    /// How long after the first change since the last snapshot the next one is written.
    pub snapshot_every: Duration,
    /// Keeps only recent events, for an image in front of a store that has all of them.
    pub recent: Option<Recent>,
    /// Holds the log below this sequence alone (exclusive).
    pub until: Option<u64>,
}

/// Reads the log into a graph in memory, and remembers how far in a snapshot.
pub struct MemoryProjector {
    log: EventLog,
    graph: MemoryGraph,
    decoder: Decoder,
    projection: Projection,
    fingerprint: Fingerprint,
    status: Arc<Status>,
    pulse: Pulse,
    options: Options,
    parker: Option<Parker>,
    horizon: Horizon,
    /// When the graph first changed since the last snapshot.
    changed: Option<Instant>,
    /// The moment of the last snapshot.
    kept: (u64, Digest),
    snapshotting: Option<tokio::task::JoinHandle<()>>,
}

impl MemoryProjector {
    /// Begins from the snapshot, or from nothing when there is none that can be used. Blocks.
    pub fn build(
        log: EventLog,
        decoder: Decoder,
        projection: Projection,
        upcasters: &Upcasters,
        options: Options,
    ) -> Result<Self, BuildError> {
        let fingerprint = projection.fingerprint(upcasters);
        let horizon =
            options.recent.map_or_else(Horizon::default, |recent| recent.horizon(clock::now_ms()));
        let (store, progress) = load(&options.snapshot, &projection, fingerprint, horizon)?;
        let status = Arc::new(Status::default());
        status.applied_through.store(progress.applied_through(), Ordering::Relaxed);
        let kept = (progress.applied_through(), store.read().digest());
        Ok(Self {
            log,
            graph: MemoryGraph::new(store, progress, RandomState::new().hash_one(())),
            decoder,
            projection,
            fingerprint,
            status,
            pulse: Pulse::new("a graph in memory"),
            options,
            parker: None,
            horizon,
            changed: None,
            kept,
            snapshotting: None,
        })
    }

    /// Has messages parked that are no events; without it they are only counted.
    #[must_use]
    pub fn parking(mut self, parker: Parker) -> Self {
        self.parker = Some(parker);
        self
    }

    pub fn store(&self) -> MemoryStore {
        self.graph.store.clone()
    }

    pub fn graph(&self) -> MemoryGraph {
        self.graph.clone()
    }

    pub fn status(&self) -> Arc<Status> {
        self.status.clone()
    }

    /// Returns the sign of life of the loop that feeds the graph.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Follows the log until it is told to stop, then writes a last snapshot.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.follow() => {}
            }
        }
        if let Some(running) = self.snapshotting.take() {
            running.await.ok();
        }
        if self.changed.is_some() || self.moment() != self.kept {
            self.begin_snapshot();
        }
        if let Some(last) = self.snapshotting.take() {
            last.await.ok();
        }
    }

    /// Finds the place to go on from and reads on until the log turns out to be another one, or somebody has it
    /// go on elsewhere.
    async fn follow(&mut self) {
        self.status.enter(Phase::Waiting);
        let mut follows = self.graph.follows();
        let begin = *follows.borrow_and_update();
        let pulse = self.pulse.clone();
        let reader = match pulse.while_waiting(pin!(self.open(begin))).await {
            Ok(reader) => reader,
            Err(error) => return wait(&error).await,
        };
        if let Some((reader, epoch)) = reader {
            tokio::select! {
                () = self.read_on(reader, epoch) => {}
                _ = follows.changed() => {}
            }
        }
    }

    /// Opens a reader at the first place that is not applied; `None` if the log has lost what was read, which is
    /// then read again.
    async fn open(&mut self, begin: u64) -> Result<Option<(Reader, Epoch)>, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let epoch = self.log.ensure().await.map_err(|error| text(&error))?.epoch;
        let marks = self.graph.progress().marks().clone();
        let matching = self.log.newest_matching(&marks).await.map_err(|error| text(&error))?;
        let before = self.graph.applied_through();
        let resume = self.graph.progress().resume(&epoch, matching, begin);
        if resume.from <= before {
            self.status.went_back.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(from = resume.from, before, %epoch, "the log is not the one that was read: reading it again");
        }
        self.note_applied();
        if resume.from < begin {
            self.graph.follow_from(1);
            return Ok(None);
        }
        let state = self.log.state().await.map_err(|error| text(&error))?;
        self.note_beginning(resume.from, state.first_sequence);
        let mut after = resume.after;
        let newest = self.graph.progress().marks().newest().map_or(0, |mark| mark.sequence);
        if newest + 1 < resume.from
            && let Some(message) =
                self.log.get(resume.from - 1).await.map_err(|error| text(&error))?
        {
            // What others apply is believed only while the log still holds this message.
            self.graph.progress().remember(message.mark());
            after = Some(message.mark());
        }
        let reader = self.log.reader(resume.from).expecting(epoch.clone(), after);
        Ok(Some((reader, epoch)))
    }

    async fn read_on(&mut self, mut reader: Reader, epoch: Epoch) {
        loop {
            let from = reader.position();
            if self.options.until.is_some_and(|until| from >= until) {
                self.rest().await;
            }
            let waiting = self.status.phase() == Phase::Waiting;
            let patience = if waiting { LOG_RETRY } else { self.options.snapshot_every };
            let next = pin!(tokio::time::timeout(patience, reader.next()));
            let Ok(read) = self.pulse.while_waiting(next).await else {
                if waiting {
                    self.look_ahead(from).await;
                }
                self.raise_if_due().await;
                self.snapshot_if_due();
                continue;
            };
            match read {
                Ok(batch) => self.take(from, &self.bounded(batch), &epoch).await,
                Err(error) if error.is_retryable() => {
                    self.status.enter(Phase::Waiting);
                    tracing::debug!(%error, "the log cannot be read now");
                }
                Err(error) => {
                    tracing::info!(%error, "looking for the place to go on from");
                    return;
                }
            }
        }
    }

    /// Everything that it shall hold is there, or others bring it: only snapshots are left to do.
    async fn rest(&mut self) {
        self.status.pending.store(0, Ordering::Relaxed);
        self.status.enter(Phase::Live);
        loop {
            let pause = pin!(tokio::time::sleep(self.options.snapshot_every));
            self.pulse.while_waiting(pause).await;
            self.note_applied();
            self.snapshot_if_due();
        }
    }

    /// Leaves out what it shall not hold.
    fn bounded(&self, mut batch: Batch) -> Batch {
        let Some(until) = self.options.until else { return batch };
        batch.messages.retain(|message| message.sequence < until);
        if batch.messages.last().is_none_or(|last| last.sequence + 1 >= until) {
            batch.pending = 0;
        }
        batch
    }

    /// Others may have applied something too.
    fn note_applied(&self) {
        self.status.applied_through.store(self.graph.applied_through(), Ordering::Release);
    }

    /// A log that begins behind what was read has lost its beginning to this graph.
    fn note_beginning(&self, from: u64, first: u64) {
        let truncated = from < first;
        self.status.truncated.store(truncated, Ordering::Relaxed);
        if truncated {
            tracing::warn!(
                from,
                first,
                "the log does not go back far enough: what came before is not in the graph in memory"
            );
        }
    }

    /// Asks how much there is to read: a log without new events says nothing by itself.
    async fn look_ahead(&self, next: u64) {
        if let Ok(state) = self.log.state().await {
            let pending = (state.last_sequence + 1).saturating_sub(next);
            self.status.pending.store(pending, Ordering::Relaxed);
            self.status.enter(if pending == 0 { Phase::Live } else { Phase::CatchingUp });
        }
    }

    /// Applies a batch. A stop between its parts loses nothing: what is applied is noted part by part.
    async fn take(&mut self, from: u64, batch: &Batch, epoch: &Epoch) {
        let mut from = from;
        for part in batch.messages.chunks(APPLY_AT_ONCE) {
            let undecodable = self.apply(part, epoch);
            let setting_right = pin!(self.set_right(part, &undecodable, epoch));
            let left = self.pulse.while_waiting(setting_right).await;
            let last = part.last().expect("chunks are never empty").mark();
            self.graph.progress().advance(from, last, &left);
            from = last.sequence + 1;
            self.note_applied();
            let late_ms = clock::now_ms().saturating_sub(part[0].time_ms).max(0);
            self.status.lag.record(late_ms as f64);
            tokio::task::yield_now().await;
        }
        self.status.pending.store(batch.pending, Ordering::Relaxed);
        self.status.enter(if batch.pending == 0 { Phase::Live } else { Phase::CatchingUp });
        if let Some(newest) = batch.messages.last() {
            let late_ms = clock::now_ms().saturating_sub(newest.time_ms).max(0);
            metrics::histogram!(names::PROJECTOR_LAG).record(late_ms as f64 / 1e3);
            self.changed.get_or_insert_with(Instant::now);
        }
        // Here too: a log that never rests would keep the image from ever forgetting.
        self.raise_if_due().await;
        self.snapshot_if_due();
    }

    /// Decodes and projects beside the readers, then applies while they wait; returns what is no event.
    fn apply(&self, messages: &[StoredMessage], epoch: &Epoch) -> Vec<(u64, Undecodable)> {
        let mut undecodable = Vec::new();
        let mut events: Vec<Event<'_>> = Vec::with_capacity(messages.len());
        for message in messages {
            match self.decode(message, epoch.as_str()) {
                Ok(event) => events.push(event),
                Err(error) => undecodable.push((message.sequence, error)),
            }
        }
        let mut puts: Vec<Put<'_>> = Vec::with_capacity(events.len() * 3);
        for event in &events {
            self.projection.project(event, &mut puts);
        }
        let outcome = self.graph.store.apply(&puts);
        self.status.events.fetch_add(events.len() as u64, Ordering::Relaxed);
        self.status.applied_puts.fetch_add(outcome.applied, Ordering::Relaxed);
        self.status.superseded_puts.fetch_add(outcome.superseded, Ordering::Relaxed);
        metrics::counter!(names::PROJECTOR_EVENTS).increment(events.len() as u64);
        undecodable
    }

    /// Parks what is no event, and closes the entries of what is one by now. Returns the sequences that
    /// could not be parked: they stay open, so that they are read again.
    async fn set_right(
        &self,
        part: &[StoredMessage],
        undecodable: &[(u64, Undecodable)],
        epoch: &Epoch,
    ) -> Vec<u64> {
        let Some(parker) = &self.parker else { return Vec::new() };
        let mut left = Vec::new();
        for message in part {
            let wrong = undecodable.iter().find(|(sequence, _)| *sequence == message.sequence);
            match wrong {
                // Once PARKED does not answer, the rest of this part does not wait for it too.
                Some((_, error))
                    if !left.is_empty() || !parker.park(message, epoch, error).await =>
                {
                    left.push(message.sequence);
                }
                Some(_) => {}
                None => parker.applied(message, epoch).await,
            }
        }
        left
    }

    fn decode<'m>(
        &self,
        message: &'m StoredMessage,
        epoch: &str,
    ) -> Result<Event<'m>, Undecodable> {
        let recorded = Recorded {
            subject: message.subject(),
            message_id: message.message_id(),
            payload: &message.payload,
            sequence: message.sequence,
            time_ms: message.time_ms,
        };
        let decoded = self.decoder.decode(epoch, &recorded);
        if let Err(error) = &decoded {
            self.note(message, error);
        }
        decoded
    }

    fn note(&self, message: &StoredMessage, error: &Undecodable) {
        metrics::counter!(names::PROJECTOR_UNDECODABLE, "code" => error.code()).increment(1);
        let count = self.status.undecodable.load(Ordering::Relaxed);
        // Powers of two: a flood of nonsense is told of without becoming a flood of lines.
        if (count + 1).is_power_of_two() {
            tracing::warn!(sequence = message.sequence, %error, total = count + 1, "a message of the log is no event");
        }
        self.status.note_undecodable(LastUndecodable {
            sequence: message.sequence,
            subject: message.subject().chars().take(100).collect(),
            reason: error.to_string(),
        });
    }

    /// Moves the horizon of a bounded image once a day, beside its readers.
    async fn raise_if_due(&mut self) {
        let Some(horizon) = self.options.recent.map(|recent| recent.horizon(clock::now_ms()))
        else {
            return;
        };
        if horizon == self.horizon {
            return;
        }
        let (store, began) = (self.graph.store.clone(), Instant::now());
        let raising = tokio::task::spawn_blocking(move || store.raise(horizon));
        if self.pulse.while_waiting(raising).await.is_err() {
            // The process ends.
            return;
        }
        self.horizon = horizon;
        let took_ms = began.elapsed().as_millis() as u64;
        tracing::info!(took_ms, "the image has forgotten a day");
    }

    fn snapshot_if_due(&mut self) {
        if self.changed.is_none() && self.moment() != self.kept {
            self.changed = Some(Instant::now());
        }
        let due =
            self.changed.is_some_and(|changed| changed.elapsed() >= self.options.snapshot_every);
        let idle = self.snapshotting.as_ref().is_none_or(tokio::task::JoinHandle::is_finished);
        if due && idle {
            self.begin_snapshot();
        }
    }

    /// What changes whenever the graph does, whoever applies to it.
    fn moment(&self) -> (u64, Digest) {
        (self.graph.applied_through(), self.graph.store.read().digest())
    }

    /// Takes the progress now; the documents are written a moment later, which is as good.
    fn begin_snapshot(&mut self) {
        self.changed = None;
        self.kept = self.moment();
        let store = self.graph.store.clone();
        let path = self.options.snapshot.clone();
        let head = Head { fingerprint: self.fingerprint, progress: self.graph.progress().encode() };
        self.snapshotting =
            Some(tokio::task::spawn_blocking(move || write_snapshot(&store, &head, &path)));
    }
}

async fn wait(error: &str) {
    tracing::warn!(%error, "the log does not answer; trying again");
    tokio::time::sleep(LOG_RETRY).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventTypes, Parser};
    use crate::stream::{LogOptions, Nats, NatsOptions};

    #[tokio::test]
    async fn a_bounded_image_forgets_a_day_while_events_keep_coming() {
        let dir = tempfile::tempdir().expect("a directory");
        let url = "nats://127.0.0.1:9".to_owned();
        let nats =
            Nats::connect(NatsOptions { url, ..NatsOptions::default() }).await.expect("begun");
        let log = EventLog::new(nats, LogOptions::default()).await;
        let types = Arc::new(EventTypes::builtin());
        let recent = Recent { days: 3, always: None };
        let options = Options {
            snapshot: dir.path().join("graph"),
            snapshot_every: Duration::from_hours(1),
            recent: Some(recent),
            until: None,
        };
        let upcasters = Upcasters::shipped();
        let decoder = Decoder::new(Parser::new(types.clone(), upcasters.clone()));
        let projection = Projection::new(types);
        let mut projector =
            MemoryProjector::build(log, decoder, projection, &upcasters, options).expect("built");
        projector.horizon = recent.horizon(clock::now_ms() - crate::projector::recent::DAY_MS);
        projector.graph.store.raise(projector.horizon);
        let batch = Batch { messages: Vec::new(), pending: 5 };
        projector.take(1, &batch, &Epoch("e".to_owned())).await;
        assert_eq!(projector.horizon, recent.horizon(clock::now_ms()));
    }
}
