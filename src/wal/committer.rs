//! The one thread that writes: group commits without a timer, each with one true sync.
//!
//! While one commit syncs, the next one gathers in the queue. After a failed write or sync nobody can
//! say what is on the disk: the segment is never written again, and the log goes on in a new one. That
//! begins with the refused sequences, so its name alone tells where the old one ends.

use std::sync::Arc;
use std::time::Instant;

use super::error::{AppendError, IoCause};
use super::files;
use super::handle::AppendOutcome;
use super::ledger::{Active, Sealed};
use super::marks::{self, Seal};
use super::queue::{Pending, Work};
use super::record::{Packer, Record};
use super::segment::Segment;
use super::shared::Shared;
use crate::limits::WAL_RETRY_AFTER;

/// How much sled writes for a byte that it is given, about: leaves are rewritten as they grow.
const AMPLIFICATION: u64 = 2;

/// The committer's own state.
pub(super) struct Committer {
    shared: Arc<Shared>,
    next: u64,
    segment: Option<Arc<Segment>>,
}

/// Closes the queue when the thread ends, however it does, so that nobody waits for it.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.budget.close();
        self.0.queue.close();
        while let Work::Commit(abandoned) = self.0.queue.take(&self.0.pulses.writer) {
            drop(abandoned);
        }
        self.0.inbox.stop();
    }
}

impl Committer {
    /// Begins with the sequence `next`.
    pub fn new(shared: Arc<Shared>, next: u64) -> Committer {
        Committer { shared, next, segment: None }
    }

    /// Works until the queue is closed and empty.
    pub fn run(mut self) {
        let _closing = Closing(Arc::clone(&self.shared));
        self.get_ready();
        loop {
            match self.shared.queue.take(&self.shared.pulses.writer) {
                Work::Commit(batch) => self.commit(batch),
                Work::Roll => {
                    self.finish_segment();
                    self.get_ready();
                }
                Work::Stop => break,
            }
        }
        self.finish_segment();
    }

    /// Makes a segment before the first append wants it: that takes some ten milliseconds.
    fn get_ready(&mut self) {
        if let Err(error) = self.begin_segment() {
            tracing::warn!(%error, "cannot make a segment yet; the next append tries again");
        }
    }

    fn commit(&mut self, batch: Vec<Pending>) {
        let cost: usize = batch.iter().map(|append| append.cost as usize).sum();
        match self.store(&batch, cost) {
            Ok(first) => answer(batch, first),
            Err(error) => batch.into_iter().for_each(|append| reply(append, Err(error.clone()))),
        }
        self.shared.budget.add_permits(cost);
    }

    /// Returns the sequence of the batch's first entry, once all of it is durable.
    ///
    /// On a full disk, published segments are given up one by one before the batch is refused.
    fn store(&mut self, batch: &[Pending], cost: usize) -> Result<u64, AppendError> {
        loop {
            match self.try_store(batch, cost) {
                Err(AppendError::Io(cause)) if cause.is_full() => {
                    if !self.shared.give_up_oldest() {
                        self.shared.state().full_at = Some(Instant::now());
                        return Err(AppendError::Full { retry_after: WAL_RETRY_AFTER });
                    }
                }
                result => return result,
            }
        }
    }

    fn try_store(&mut self, batch: &[Pending], cost: usize) -> Result<u64, AppendError> {
        let segment = self.prepare(cost as u64)?;
        let first = self.next;
        let mut packer = Packer::new(first, cost);
        for entry in batch.iter().flat_map(|append| &append.entries) {
            packer.push(entry);
        }
        let records = packer.finish();
        let last = records.last().map_or(first, |record| record.last);
        if let Err(error) = segment.write(&records, &self.shared.sync) {
            let dir = files::segment_dir(&self.shared.options.dir, segment.first);
            drop(segment);
            self.abandon_segment();
            return Err(self.failed(IoCause::new("commit to", &dir, error)));
        }
        self.next = last + 1;
        self.committed(&segment, records, last);
        Ok(first)
    }

    fn failed(&self, cause: IoCause) -> AppendError {
        let reason = cause.to_string();
        let before = self.shared.state().writing.replace(reason.clone());
        // Told once, not at every append.
        if before.is_none() {
            tracing::error!(reason, "a commit failed; the log goes on in a new segment");
        }
        cause.into()
    }

    fn committed(&mut self, segment: &Segment, records: Vec<Record>, last: u64) {
        let bytes = segment.bytes();
        {
            let mut state = self.shared.state();
            state.writing = None;
            state.full_at = None;
            if let Some(active) = &mut state.ledger.active {
                active.entries += records.iter().map(Record::count).sum::<u64>();
                active.last = last;
                active.bytes = bytes;
            }
        }
        self.shared.tail().push(records);
        self.shared.committed.send_replace(last);
    }

    /// Returns a segment that may be written, when the log has room for `cost` bytes.
    fn prepare(&mut self, cost: u64) -> Result<Arc<Segment>, AppendError> {
        let options = &self.shared.options;
        let (old, drained) = {
            let state = self.shared.state();
            let active = state.ledger.active.as_ref().filter(|active| active.entries > 0);
            let old = active.is_some_and(|active| {
                active.bytes >= options.segment_bytes
                    || active.opened.elapsed() >= options.segment_age
            });
            (old, active.is_some_and(|active| active.last <= state.published))
        };
        if old {
            self.finish_segment();
        }
        let extra = cost * AMPLIFICATION;
        if !self.shared.make_room(extra) {
            // The segment being written may hold nothing but published entries.
            if drained {
                self.finish_segment();
            }
            if !drained || !self.shared.make_room(extra) {
                self.shared.state().full_at = Some(Instant::now());
                return Err(AppendError::Full { retry_after: WAL_RETRY_AFTER });
            }
        }
        match &self.segment {
            Some(segment) => Ok(Arc::clone(segment)),
            None => self.begin_segment(),
        }
    }

    fn begin_segment(&mut self) -> Result<Arc<Segment>, AppendError> {
        let first = self.next;
        let dir = files::segment_dir(&self.shared.options.dir, first);
        let segment = match Segment::create(&dir, first) {
            Ok(segment) => Arc::new(segment),
            Err(error) => {
                // Whatever is left of it is removed by the next try, or the next start.
                let _ = std::fs::remove_dir_all(&dir);
                return Err(self.failed(IoCause::new("create", &dir, error)));
            }
        };
        let mut state = self.shared.state();
        state.ledger.active = Some(Active {
            first,
            last: first - 1,
            entries: 0,
            bytes: segment.bytes(),
            opened: Instant::now(),
        });
        state.active = Some(Arc::clone(&segment));
        self.segment = Some(Arc::clone(&segment));
        Ok(segment)
    }

    /// Ends the segment being written; the keeper seals it.
    fn finish_segment(&mut self) {
        if let Some(seal) = self.take_segment() {
            self.shared.inbox.seal(seal);
        }
    }

    /// Ends a segment after a failure, and seals it at once: what it holds beyond its seal was refused.
    fn abandon_segment(&mut self) {
        let Some(seal) = self.take_segment() else {
            return;
        };
        let dir = files::segment_dir(&self.shared.options.dir, seal.first);
        if let Err(error) = marks::write_seal(&dir, &seal) {
            tracing::warn!(segment = seal.first, %error, "cannot seal a segment; the keeper tries again");
        }
        self.shared.inbox.seal(seal);
    }

    /// Moves the segment being written to the finished ones; an empty one is deleted.
    fn take_segment(&mut self) -> Option<Seal> {
        let segment = self.segment.take()?;
        let mut state = self.shared.state();
        state.active = None;
        let active = state.ledger.active.take()?;
        if active.entries == 0 {
            drop(state);
            drop(segment);
            if let Err(error) = files::delete_segment(&self.shared.options.dir, active.first) {
                tracing::warn!(segment = active.first, %error, "cannot delete an empty segment");
            }
            return None;
        }
        let Active { first, last, entries, bytes, .. } = active;
        let seal = Seal { first, last, entries, next: self.next };
        let sealed = Sealed { seal, bytes, published_at: None, checked: true };
        state.ledger.sealed.insert(first, sealed);
        let published = state.published;
        state.ledger.note_published(published, Instant::now());
        state.finished.insert(first, segment);
        Some(seal)
    }
}

fn answer(batch: Vec<Pending>, mut first: u64) {
    for append in batch {
        let last = first + append.entries.len() as u64 - 1;
        reply(append, Ok(AppendOutcome { first, last }));
        first = last + 1;
    }
}

fn reply(append: Pending, result: Result<AppendOutcome, AppendError>) {
    // Whoever gave up waiting needs no answer.
    let _ = append.reply.send(result);
}
