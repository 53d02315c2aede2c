//! One graph, one writer, many readers.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::graph::{Applied, Graph};
use crate::event::EventTypes;
use crate::graph::Put;

/// How many puts were kept and how many changed nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApplyOutcome {
    pub applied: u64,
    pub superseded: u64,
}

/// A shared graph. Clones are handles of one graph.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    graph: Arc<RwLock<Graph>>,
}

impl MemoryStore {
    pub fn new(types: Arc<EventTypes>) -> Self {
        Self::of(Graph::new(types))
    }

    pub fn of(graph: Graph) -> Self {
        Self { graph: Arc::new(RwLock::new(graph)) }
    }

    /// Applies puts in one go; readers wait for it, so a batch is some hundred puts at most.
    pub fn apply(&self, puts: &[Put<'_>]) -> ApplyOutcome {
        let mut graph = self.write();
        let mut outcome = ApplyOutcome::default();
        for put in puts {
            match graph.apply(put) {
                Applied::Applied => outcome.applied += 1,
                Applied::Superseded => outcome.superseded += 1,
            }
        }
        outcome
    }

    /// Applies the puts of several events in one go, and tells of each event whether it changed anything.
    /// `ends` says where the puts of each end (exclusive).
    pub fn apply_events(&self, puts: &[Put<'_>], ends: &[usize], mut told: impl FnMut(bool)) {
        let mut graph = self.write();
        let mut begin = 0;
        for end in ends {
            let mut changed = false;
            for put in &puts[begin..*end] {
                changed |= graph.apply(put) == Applied::Applied;
            }
            told(changed);
            begin = *end;
        }
    }

    /// The graph, held still while it is looked at: for bounded reads.
    pub fn read(&self) -> RwLockReadGuard<'_, Graph> {
        self.graph.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic in a put leaves the graph as usable as the merge rule makes it: applying again heals.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Graph> {
        self.graph.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Throws everything away.
    pub fn clear(&self) {
        let mut graph = self.write();
        *graph = Graph::bounded(graph.types().clone(), graph.horizon);
    }
}
