//! Identities of events that are in the log already. Pure.
//!
//! A convenience for producers that send again: what is forgotten here is dropped by the broker or
//! changes nothing in the graph. Only what was synced is remembered.

use std::collections::HashSet;

/// The latest identities: between one and two times its capacity.
#[derive(Debug)]
pub struct Seen {
    capacity: usize,
    newer: HashSet<u128>,
    older: HashSet<u128>,
}

impl Seen {
    pub fn new(capacity: usize) -> Self {
        Self { capacity, newer: HashSet::new(), older: HashSet::new() }
    }

    pub fn contains(&self, identity: u128) -> bool {
        self.newer.contains(&identity) || self.older.contains(&identity)
    }

    pub fn insert(&mut self, identity: u128) {
        if self.newer.len() >= self.capacity {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(identity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn remembers_the_latest_and_never_invents(identities in prop::collection::vec(0..300u128, 0..200), capacity in 1..20usize) {
            let mut seen = Seen::new(capacity);
            for (n, identity) in identities.iter().enumerate() {
                seen.insert(*identity);
                let recent = &identities[(n + 1).saturating_sub(capacity)..=n];
                prop_assert!(recent.iter().all(|identity| seen.contains(*identity)));
                prop_assert!(seen.newer.len() + seen.older.len() <= 2 * capacity);
            }
            prop_assert!((300..320).all(|identity| !seen.contains(identity)));
        }
    }
}
