//! What the algorithm asked for and was not there yet.

use std::collections::BTreeMap;

/// Fetches by handle, with the most that was asked of each.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Users, and how many of their newest touches.
    pub users: BTreeMap<u32, usize>,
    /// Items, and how many of their newest touches.
    pub items: BTreeMap<u32, usize>,
    /// Moments (user and time), and how many touches on each side.
    pub moments: BTreeMap<(u32, i64), usize>,
    /// Items whose degree is wanted, and up to which cap.
    pub degrees: BTreeMap<u32, u32>,
    pub popular: bool,
}

impl Missing {
    pub fn is_empty(&self) -> bool {
        !self.popular && self.is_complete_but_for_popular()
    }

    /// Leaves what is popular for later while anything else is missing: an answer without its
    /// neighbourhood looks as if it had to be filled.
    #[must_use]
    pub fn first_things_first(mut self) -> Self {
        self.popular &= self.is_complete_but_for_popular();
        self
    }

    fn is_complete_but_for_popular(&self) -> bool {
        self.users.is_empty()
            && self.items.is_empty()
            && self.moments.is_empty()
            && self.degrees.is_empty()
    }
}

/// Notes a wish, the greatest where there are several.
pub(super) fn wish<K: Ord, N: Ord + Copy>(wishes: &mut BTreeMap<K, N>, of: K, most: N) {
    let wish = wishes.entry(of).or_insert(most);
    *wish = most.max(*wish);
}
