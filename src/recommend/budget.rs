//! How much of the graph one answer may look at.

use crate::limits;

/// Bounds on what one answer reads. Two stores give equal answers only within equal budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Neighbours visited for one answer, over all seeds.
    pub neighbours: usize,
    /// Neighbours visited for one seed.
    pub seed_neighbours: usize,
    /// Touches read on each side of the moment at which a neighbour met a seed; cut to
    /// `limits::WINDOW_TOUCHES`.
    pub window_touches: usize,
    /// Touches of the user that are read to know what it has seen.
    pub seen_touches: usize,
    /// Distinct newest items of the user that may become seeds.
    pub history_items: usize,
    /// Seeds: the strongest of them.
    pub seed_items: usize,
    /// Distinct users of an item whose other items are counted.
    pub also_users: usize,
    /// Touches of an item that are searched for those of the asked kind.
    pub also_touches: usize,
    /// Touches of such a user read on each side of the moment at which it met the item.
    pub also_window_touches: usize,
    /// Candidates whose degree is looked at: the strongest before it counts.
    pub candidates: usize,
    /// A degree above this counts as this: past it an item is popular, however much.
    pub degree_cap: u32,
}

impl Budget {
    /// For a graph in the same memory, where a touch costs some ten nanoseconds.
    pub const LOCAL: Self = Self {
        neighbours: limits::NEIGHBOURS,
        seed_neighbours: limits::SEED_NEIGHBOURS,
        window_touches: limits::WINDOW_TOUCHES,
        seen_touches: limits::SEEN_TOUCHES,
        history_items: limits::HISTORY_ITEMS,
        seed_items: limits::SEED_ITEMS,
        also_users: limits::ALSO_USERS,
        also_touches: limits::ALSO_TOUCHES,
        also_window_touches: limits::ALSO_WINDOW_TOUCHES,
        candidates: usize::MAX,
        degree_cap: u32::MAX,
    };

    /// For a graph behind a network, where a touch is an index entry and a row of an answer, in each
    /// edge collection: at most 1,000 of the user, 2,000 of seeds, 3,300 around neighbours and 30,000
    /// of degrees, some tens of thousands in all.
    pub const REMOTE: Self = Self {
        neighbours: limits::REMOTE_NEIGHBOURS,
        seed_neighbours: limits::REMOTE_SEED_NEIGHBOURS,
        window_touches: limits::WINDOW_TOUCHES,
        seen_touches: limits::REMOTE_SEEN_TOUCHES,
        history_items: limits::HISTORY_ITEMS,
        seed_items: limits::REMOTE_SEED_ITEMS,
        also_users: limits::REMOTE_ALSO_USERS,
        also_touches: limits::REMOTE_ALSO_TOUCHES,
        also_window_touches: limits::REMOTE_ALSO_WINDOW_TOUCHES,
        candidates: limits::REMOTE_CANDIDATES,
        degree_cap: limits::REMOTE_DEGREE_CAP,
    };
}

impl Default for Budget {
    fn default() -> Self {
        Self::LOCAL
    }
}
