//! The handle that the rest of the program holds.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot, watch};

use super::committer::Committer;
use super::error::{AppendError, Context, OpenError, ReadError};
use super::keeper::{Inbox, Keeper};
use super::marks::HighWater;
use super::options::Options;
use super::queue::{Pending, Queue};
use super::readers::Readers;
use super::record::ENTRY_HEADER;
use super::recover::{Recovered, recover};
use super::scan::LostRange;
use super::segment::SyncData;
use super::shared::{Pulses, Shared, State};
use super::status::Status;
use super::tail::{Tail, take};
use crate::limits::{EVENT_BYTES, WAL_QUEUE_BYTES, WAL_TAIL_BYTES};
use crate::pulse::Pulse;

/// What an append costs in the queue beyond its entries.
const APPEND_OVERHEAD: usize = 64;

/// The sequences that an append got, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendOutcome {
    pub first: u64,
    pub last: u64,
}

/// What a read found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOutcome {
    /// Committed entries in order.
    pub entries: Vec<(u64, Bytes)>,
    /// Where the following read begins; it jumps over sequences that no entry has.
    pub next: u64,
    /// What was lost of the sequences before `next`.
    pub lost: Vec<LostRange>,
}

/// A write-ahead log; clones share it. Dropping the last one closes it in the background.
#[derive(Clone)]
pub struct Wal {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl Wal {
    /// Opens the log, recovering what a crash or damage left; blocks.
    pub fn open(options: Options) -> Result<Wal, OpenError> {
        Wal::open_with(options, Arc::new(std::fs::File::sync_data))
    }

    pub(super) fn open_with(options: Options, sync: SyncData) -> Result<Wal, OpenError> {
        let dir = options.dir.clone();
        let recovered = recover(&dir, &sync)?;
        let high_water = HighWater::open(&dir).during("open the high water in", &dir)?;
        let next = recovered.next;
        let shared = Arc::new(shared(options, sync, recovered));
        let keeper = Keeper::new(Arc::clone(&shared), high_water);
        let committer = Committer::new(Arc::clone(&shared), next);
        // From here on the committer's end ends the keeper, and with it the lock.
        let threads = std::thread::Builder::new()
            .name("wal-keeper".to_owned())
            .spawn(move || keeper.run())
            .and_then(|_| {
                let builder = std::thread::Builder::new().name("wal-committer".to_owned());
                builder.spawn(move || committer.run())
            });
        if threads.is_err() {
            shared.inbox.stop();
        }
        threads.during("start the threads of", &dir)?;
        Ok(Wal { handle: Arc::new(Handle { shared }) })
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Appends entries, all or none, and returns once they are synced to disk.
    ///
    /// Entries of one append have consecutive sequences. Dropping the future does not take them back.
    pub async fn append(&self, entries: Vec<Bytes>) -> Result<AppendOutcome, AppendError> {
        let cost = cost(&entries)?;
        let shared = self.shared();
        let permit = shared.budget.acquire_many(cost).await.map_err(|_| AppendError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let pending = Pending { entries, cost, reply };
        shared.queue.push(pending).map_err(|_| AppendError::Closed)?;
        // The committer gives the share back.
        permit.forget();
        answer.await.unwrap_or(Err(AppendError::Closed))
    }

    /// The highest synced sequence, 0 if there is none, as it changes.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.shared().committed.subscribe()
    }

    /// Reads committed entries from sequence `from` on, at least one if there is one.
    pub async fn read(
        &self,
        from: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<ReadOutcome, ReadError> {
        let (from, max_entries) = (from.max(1), max_entries.max(1));
        let shared = self.shared();
        let committed = shared.committed();
        if from > committed {
            return Ok(ReadOutcome { next: from, ..ReadOutcome::default() });
        }
        let recent = shared.tail().records(from, max_entries, max_bytes);
        if let Some(records) = recent {
            let mut entries = Vec::new();
            take(records, from, max_entries, max_bytes, &mut entries);
            let next = entries.last().map_or(committed, |(last, _)| *last) + 1;
            return Ok(shared.outcome(from, entries, next));
        }
        let shared = Arc::clone(shared);
        let read =
            tokio::task::spawn_blocking(move || shared.read_stored(from, max_entries, max_bytes));
        read.await.unwrap_or(Err(ReadError::Closed))
    }

    /// Notes that everything through this sequence was published; it is made durable shortly after.
    pub fn mark_published(&self, through: u64) {
        let through = through.min(self.shared().committed());
        let mut state = self.shared().state();
        state.published = state.published.max(through);
    }

    /// Takes the published mark back, as far as entries are kept, so that nothing after it is deleted.
    pub fn rewind_published(&self, through: u64) {
        let mut state = self.shared().state();
        let floor = state.ledger.oldest().map_or(state.published, |oldest| oldest - 1);
        state.published = state.published.min(through.max(floor));
        let published = state.published;
        state.ledger.note_published(published, std::time::Instant::now());
        drop(state);
        self.shared().inbox.hurry();
    }

    /// Everything through this sequence was published.
    pub fn published(&self) -> u64 {
        self.shared().state().published
    }

    /// The first sequence that is kept; one past the highest if none is.
    pub fn oldest(&self) -> u64 {
        let committed = self.shared().committed();
        self.shared().state().ledger.oldest().unwrap_or(committed + 1)
    }

    /// What the log tells about itself.
    pub fn status(&self) -> Status {
        self.shared().status()
    }

    /// Returns the signs of life of its threads. A disk that does not answer ends them.
    pub fn pulses(&self) -> [Pulse; 2] {
        let pulses = &self.shared().pulses;
        [pulses.writer.clone(), pulses.keeper.clone()]
    }

    /// Refuses appends, commits what is waiting, and returns once all files are closed.
    pub async fn close(&self) {
        self.shared().queue.close();
        let mut stopped = self.shared().stopped.subscribe();
        // The sender lives in what this handle holds.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

impl Shared {
    /// Adds to what was read what of it is known to be lost.
    pub fn outcome(&self, from: u64, entries: Vec<(u64, Bytes)>, next: u64) -> ReadOutcome {
        let whole = entries.len() as u64 == next - from;
        let lost = if whole { Vec::new() } else { self.state().damage.lost_within(from, next) };
        ReadOutcome { entries, next, lost }
    }
}

fn cost(entries: &[Bytes]) -> Result<u32, AppendError> {
    if entries.is_empty() {
        return Err(AppendError::Empty);
    }
    let mut cost = APPEND_OVERHEAD;
    for (index, entry) in entries.iter().enumerate() {
        if entry.len() > EVENT_BYTES {
            return Err(AppendError::TooLarge { index, actual: entry.len(), limit: EVENT_BYTES });
        }
        cost += ENTRY_HEADER + entry.len();
    }
    // An append larger than the whole queue goes alone.
    Ok(cost.min(WAL_QUEUE_BYTES) as u32)
}

fn shared(options: Options, sync: SyncData, recovered: Recovered) -> Shared {
    let Recovered { lock, ledger, next, cursor, damage, hurt } = recovered;
    Shared {
        options,
        pulses: Pulses::default(),
        sync,
        queue: Queue::default(),
        budget: Semaphore::new(WAL_QUEUE_BYTES),
        committed: watch::Sender::new(next - 1),
        stopped: watch::Sender::new(false),
        tail: Mutex::new(Tail::new(next, WAL_TAIL_BYTES)),
        readers: Mutex::new(Readers::default()),
        state: Mutex::new(State {
            ledger,
            damage,
            published: cursor,
            cursor,
            active: None,
            finished: std::collections::BTreeMap::new(),
            full_at: None,
            writing: None,
            keeping: None,
            hurt,
        }),
        inbox: Inbox::default(),
        lock: Mutex::new(Some(lock)),
    }
}
