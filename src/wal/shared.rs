//! What the log's handle and its two threads share.
//!
//! Lock order: `readers` before `state`; `tail` and the queue are taken alone. Files are opened,
//! repaired and deleted under `readers`, so never on an async thread.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::sync::{Semaphore, watch};

use super::damage::Damage;
use super::keeper::Inbox;
use super::ledger::Ledger;
use super::marks;
use super::options::Options;
use super::queue::Queue;
use super::readers::Readers;
use super::segment::{Segment, SyncData};
use super::tail::Tail;
use crate::pulse::Pulse;

/// Everything that changes and is small.
pub(super) struct State {
    pub ledger: Ledger,
    pub damage: Damage,
    pub published: u64,
    /// What of `published` is durable.
    pub cursor: u64,
    /// The open segment that is being written.
    pub active: Option<Arc<Segment>>,
    /// Finished segments that are still open, until the readers take them over.
    pub finished: BTreeMap<u64, Arc<Segment>>,
    pub full_at: Option<Instant>,
    /// Why the last commit failed.
    pub writing: Option<String>,
    /// Why the keeper's last round failed.
    pub keeping: Option<String>,
    /// Whether damage was found since the log was opened.
    pub hurt: bool,
}

/// What the two threads show of being alive.
pub(super) struct Pulses {
    pub writer: Pulse,
    pub keeper: Pulse,
}

impl Default for Pulses {
    fn default() -> Self {
        Self { writer: Pulse::new("the log's writer"), keeper: Pulse::new("the log's keeper") }
    }
}

pub(super) struct Shared {
    pub options: Options,
    pub pulses: Pulses,
    pub sync: SyncData,
    pub queue: Queue,
    pub budget: Semaphore,
    pub committed: watch::Sender<u64>,
    pub stopped: watch::Sender<bool>,
    pub tail: Mutex<Tail>,
    pub readers: Mutex<Readers>,
    pub state: Mutex<State>,
    pub inbox: Inbox,
    /// Held until everything else of the log is closed.
    pub lock: Mutex<Option<File>>,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }

    pub fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().expect("nothing panics while it holds the readers")
    }

    pub fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().expect("nothing panics while it holds the tail")
    }

    /// The highest synced sequence.
    pub fn committed(&self) -> u64 {
        *self.committed.borrow()
    }

    /// Makes the published mark durable, if it moved.
    pub fn persist_cursor(&self) -> std::io::Result<()> {
        // The readers' lock keeps two writers apart.
        let _readers = self.readers();
        let (published, cursor) = {
            let state = self.state();
            (state.published, state.cursor)
        };
        if published != cursor {
            marks::write_cursor(&self.options.dir, published)?;
            self.state().cursor = published;
        }
        Ok(())
    }

    /// Gives up published segments, oldest first, until `extra` bytes fit; returns whether they do.
    pub fn make_room(&self, extra: u64) -> bool {
        loop {
            if self.state().ledger.bytes() + extra <= self.options.max_bytes {
                return true;
            }
            if !self.give_up_oldest() {
                return false;
            }
        }
    }

    /// Deletes the oldest segment if all of it is published; returns whether it did.
    pub fn give_up_oldest(&self) -> bool {
        let oldest = {
            let mut state = self.state();
            let published = state.published;
            state.ledger.note_published(published, Instant::now());
            state.ledger.oldest_published(published)
        };
        let Some(first) = oldest else { return false };
        let deleted = self.persist_cursor().and_then(|()| self.delete(first));
        if let Err(error) = &deleted {
            tracing::warn!(segment = first, %error, "cannot give up a published segment");
        }
        deleted.is_ok()
    }

    /// Deletes a segment, unless the published mark went back below its end meanwhile.
    pub fn delete(&self, first: u64) -> std::io::Result<()> {
        let mut readers = self.readers();
        let finished = {
            let mut state = self.state();
            let through = state.published.min(state.cursor);
            let Some(sealed) = state.ledger.sealed.get(&first) else {
                return Ok(());
            };
            if sealed.seal.last > through {
                return Ok(());
            }
            state.ledger.sealed.remove(&first);
            state.finished.remove(&first)
        };
        drop(finished);
        readers.forget(first);
        super::files::delete_segment(&self.options.dir, first)
    }
}
