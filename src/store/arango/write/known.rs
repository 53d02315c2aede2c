//! Which vertices are known to exist, so that they are not written with every event again.
//!
//! Two generations of hashes: new ones go to the hot one; when that is full it becomes the cold one and the
//! cold one is forgotten whole. Forgetting costs a write that changes nothing.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::graph::{Body, Class, Collection, Put};

/// The vertices known to exist, of one generation's graph.
#[derive(Debug)]
pub struct Known {
    state: Mutex<State>,
    /// Of each generation.
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    hot: HashSet<u128, BuildHasherDefault<Taken>>,
    cold: HashSet<u128, BuildHasherDefault<Taken>>,
    /// Counts how often all was forgotten.
    era: u64,
}

/// When something was asked: what is learned is not entered where all was forgotten since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era(u64);

/// The hashes are BLAKE3's: a part of one serves as it is.
#[derive(Debug, Default)]
struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

/// Names a vertex; nothing for an edge.
pub fn vertex_hash(put: &Put<'_>) -> Option<u128> {
    let Body::Vertex { id, .. } = put.body else { return None };
    // In one go: a hasher that is fed in parts costs twice as much for so little.
    let mut name = Vec::with_capacity(1 + id.len());
    name.push(if put.collection == Collection::Users { b'u' } else { b'i' });
    name.extend_from_slice(id.as_bytes());
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(&name).as_bytes()[..16]);
    Some(u128::from_le_bytes(hash))
}

impl Known {
    /// Remembers from half of `most` to `most` vertices.
    pub fn new(most: usize) -> Self {
        Self { state: Mutex::default(), most: (most / 2).max(1) }
    }

    /// Tells for each put whether it may be left out: a bare vertex that exists.
    pub fn skip(&self, puts: &[Put<'_>]) -> (Era, Vec<bool>) {
        let hashes: Vec<Option<u128>> = puts
            .iter()
            .map(|put| if put.version.class() == Class::Bare { vertex_hash(put) } else { None })
            .collect();
        let mut state = self.state();
        let skip = hashes.iter().map(|hash| hash.is_some_and(|hash| state.touch(hash, self.most)));
        let skip = skip.collect();
        (Era(state.era), skip)
    }

    /// Takes in vertices that the store holds, unless all was forgotten since the era.
    pub fn learn(&self, era: Era, hashes: impl Iterator<Item = u128>) {
        let mut state = self.state();
        if state.era == era.0 {
            hashes.for_each(|hash| state.enter(hash, self.most));
        }
    }

    /// Forgets all, and whatever writes that are under way would teach.
    pub fn forget(&self) {
        let mut state = self.state();
        *state = State { era: state.era + 1, ..State::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells whether a vertex is known; one that is asked for stays.
    fn touch(&mut self, hash: u128, most: usize) -> bool {
        let known = self.hot.contains(&hash);
        if !known && self.cold.contains(&hash) {
            self.enter(hash, most);
            return true;
        }
        known
    }

    fn enter(&mut self, hash: u128, most: usize) {
        if self.hot.len() == most && !self.hot.contains(&hash) {
            self.cold = std::mem::take(&mut self.hot);
        }
        self.hot.insert(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Map;

    fn learn(known: &Known, ids: &[&str]) {
        let (era, _) = known.skip(&[]);
        known.learn(era, ids.iter().filter_map(|id| vertex_hash(&Put::bare_user(id))));
    }

    #[test]
    fn only_bare_vertices_of_the_same_collection_are_left_out() {
        let known = Known::new(10);
        learn(&known, &["a"]);
        let attrs = Map::new();
        let profile = Put::profile(Collection::Users, "a", &attrs, 1);
        let puts = [Put::bare_user("a"), Put::bare_item("a"), Put::bare_user("b"), profile];
        assert_eq!(known.skip(&puts).1, [true, false, false, false]);
    }

    #[test]
    fn what_is_learned_from_before_all_was_forgotten_does_not_count() {
        let known = Known::new(10);
        let (era, _) = known.skip(&[]);
        known.forget();
        known.learn(era, vertex_hash(&Put::bare_user("a")).into_iter());
        assert_eq!(known.skip(&[Put::bare_user("a")]).1, [false]);
        learn(&known, &["a"]);
        known.forget();
        assert_eq!(known.skip(&[Put::bare_user("a")]).1, [false]);
    }

    proptest! {
        #[test]
        fn nothing_is_known_that_was_not_learned_and_the_bound_holds(ops in prop::collection::vec((any::<bool>(), 0u32..40), 0..300), most in 2usize..20) {
            let known = Known::new(most);
            let mut learned = std::collections::HashSet::new();
            let mut last = None;
            for (learns, id) in ops {
                let id = format!("u{id}");
                if learns {
                    learn(&known, &[&id]);
                    learned.insert(id.clone());
                    last = Some(id);
                } else if known.skip(&[Put::bare_user(&id)]).1[0] {
                    prop_assert!(learned.contains(&id));
                    last = Some(id);
                }
                let state = known.state();
                prop_assert!(state.hot.len() + state.cold.len() <= most.max(2));
                drop(state);
                if let Some(last) = &last {
                    prop_assert!(known.skip(&[Put::bare_user(last)]).1[0], "the newest is known");
                }
            }
        }
    }
}
