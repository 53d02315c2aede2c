//! What a store must be able to tell of the graph for answers to be computed: a few bounded fetches.
//!
//! A *timeline* is the list of the live touches (no tombstones) of one node, ordered by time and, among
//! equal times, by the edge's key. Its order is thereby a function of the set of edges.

use std::cmp::Ordering;

/// One edge seen from one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// Handle of the node at the other end: an item in a user's timeline, a user in an item's.
    pub node: u32,
    /// Index of the event type.
    pub kind: u8,
    /// Event time in milliseconds since the epoch.
    pub at_ms: i64,
    /// The store's own handle of the edge; only handed back to it, never compared or shown.
    pub edge: u32,
}

/// The graph around a user or an item, in fetches of bounded size.
///
/// Handles of users and of items are two separate spaces. They may depend on the order of arrival,
/// so answers never do: ties are broken by `compare_items`. An unknown handle has degree 0 and an
/// empty timeline. Each fetch appends to `out` and leaves what `out` held.
pub trait Neighbourhood {
    /// Appends the newest `most` touches of a user, newest first (descending timeline order).
    fn newest_of_user(&self, user: u32, most: usize, out: &mut Vec<Touch>);

    /// Appends the newest `most` touches of an item, newest first (descending timeline order).
    fn newest_of_item(&self, item: u32, most: usize, out: &mut Vec<Touch>);

    /// Appends the user's touches around one of its own edges, in ascending timeline order: up to `side`
    /// just before it, the edge itself, up to `side` just after it.
    ///
    /// `moment` is an element of an item's timeline, so `moment.node` is the user. What is appended
    /// are touches of the user, so their `node` is an item.
    fn around(&self, moment: Touch, side: usize, out: &mut Vec<Touch>);

    /// Number of live touches of an item; `cap` if there are more.
    fn item_degree(&self, item: u32, cap: u32) -> u32;

    /// Appends up to `most` items with the greatest degree above 0, greatest first, ties by `compare_items`.
    /// `most` is at most `limits::POPULAR_ITEMS`.
    fn popular(&self, most: usize, out: &mut Vec<u32>);

    /// Orders two items by their encoded keys.
    fn compare_items(&self, a: u32, b: u32) -> Ordering;
}
