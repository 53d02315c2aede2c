//! Handles for encoded keys and for edges, given in the order in which they are first met.

use std::hash::Hash;

use hashbrown::HashMap;

use crate::graph::EdgeKey;

/// Each name once, found by its handle and by itself.
#[derive(Debug)]
pub(super) struct Names<N> {
    all: Vec<N>,
    handles: HashMap<N, u32>,
}

/// Encoded keys of users or of items.
pub(super) type Keys = Names<String>;
pub(super) type Edges = Names<EdgeKey>;

impl<N> Default for Names<N> {
    fn default() -> Self {
        Self { all: Vec::new(), handles: HashMap::new() }
    }
}

impl<N: Eq + Hash + Clone> Names<N> {
    pub fn intern(&mut self, name: N) -> u32 {
        let next = self.all.len() as u32;
        let handle = *self.handles.entry(name.clone()).or_insert(next);
        if handle == next {
            self.all.push(name);
        }
        handle
    }

    /// The name of a handle that was given out here.
    pub fn get(&self, handle: u32) -> &N {
        &self.all[handle as usize]
    }
}
