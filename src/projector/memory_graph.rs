//! A graph in memory as others than its projector may fill it: what they have applied, it need not read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::progress::Progress;
use crate::store::memory::MemoryStore;

/// A graph in memory, and how much of the log it holds. Clones are handles of one graph.
#[derive(Clone)]
pub struct MemoryGraph {
    pub store: MemoryStore,
    progress: Arc<Mutex<Progress>>,
    instance: u64,
}

impl MemoryGraph {
    /// `instance` is another number for every graph that was loaded or made anew.
    pub fn new(store: MemoryStore, progress: Progress, instance: u64) -> Self {
        Self { store, progress: Arc::new(Mutex::new(progress)), instance }
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

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
