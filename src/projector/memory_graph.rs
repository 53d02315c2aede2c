//! A graph in memory as others than its projector may fill it: what they have applied, it need not read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::progress::Progress;
use crate::store::memory::MemoryStore;

/// A graph in memory, and how much of the log it holds. Clones are handles of one graph.
#[derive(Clone)]
pub struct MemoryGraph {
    pub store: MemoryStore,
    progress: Arc<Mutex<Progress>>,
    instance: u64,
    follows: watch::Sender<u64>,
}

impl MemoryGraph {
    /// `instance` is another number for every graph that was loaded or made anew.
    pub fn new(store: MemoryStore, progress: Progress, instance: u64) -> Self {
        let progress = Arc::new(Mutex::new(progress));
        Self { store, progress, instance, follows: watch::channel(1).0 }
    }

    /// Changes whenever what was applied may be gone, as after a start from an older snapshot.
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// Notes that everything from `from` through `through` (inclusive) is applied, or gone from the log.
    pub fn note_applied(&self, from: u64, through: u64) {
        self.progress().note(from, through);
    }

    /// Whether everything from `from` (inclusive) to `to` (exclusive) is applied.
    pub fn holds(&self, from: u64, to: u64) -> bool {
        from >= to || self.progress().first_missing(from) >= to
    }

    /// Through which sequence (inclusive) all of the log is applied, or gone from it; 0 for nothing.
    pub fn applied_through(&self) -> u64 {
        self.progress().applied_through()
    }

    /// The same, but for what is left to others.
    pub fn followed_through(&self) -> u64 {
        let begin = self.follows_from();
        self.progress().first_missing(begin) - 1
    }

    /// From where on (inclusive) its projector reads; what lies before and is missing is left to others.
    pub fn follows_from(&self) -> u64 {
        *self.follows.borrow()
    }

    /// Has its projector go on there, at once.
    pub fn follow_from(&self, sequence: u64) {
        self.follows.send_replace(sequence.max(1));
    }

    pub(super) fn follows(&self) -> watch::Receiver<u64> {
        self.follows.subscribe()
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
