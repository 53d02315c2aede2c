//! What an answer consists of, and the order of its elements.

use std::cmp::Ordering;

use super::Neighbourhood;

/// One recommended item.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    pub item: u32,
    /// Comparable within one answer; 0 for an item that is there for its popularity alone.
    pub score: f64,
    /// The user's items that led to this one, the strongest first, at most `limits::REASONS`.
    pub because: Vec<u32>,
    /// True if nothing of the user led here: the item fills the answer because many touch it.
    pub popular: bool,
}

/// One item that users of another item met too.
#[derive(Debug, Clone, PartialEq)]
pub struct AlsoBought {
    pub item: u32,
    /// Distinct users who met both, among those that were looked at.
    pub support: u32,
    /// Between 0 and 1; support made fair to items that few have met.
    pub score: f64,
}

/// Keeps the best `most` of `found`, if there are more; their order then means nothing.
pub(super) fn shortlist<T>(
    graph: &impl Neighbourhood,
    found: &mut Vec<T>,
    most: usize,
    rank: impl Fn(&T) -> (f64, u32),
) {
    if found.len() > most {
        best(graph, found, most, rank);
    }
}

/// Keeps the best `limit` of `found`, best first: greatest score, then item key.
pub(super) fn best<T>(
    graph: &impl Neighbourhood,
    found: &mut Vec<T>,
    limit: usize,
    rank: impl Fn(&T) -> (f64, u32),
) {
    let order = |a: &T, b: &T| -> Ordering {
        let ((a_score, a_item), (b_score, b_item)) = (rank(a), rank(b));
        b_score.total_cmp(&a_score).then_with(|| graph.compare_items(a_item, b_item))
    };
    if limit == 0 {
        found.clear();
    } else if found.len() > limit {
        found.select_nth_unstable_by(limit - 1, order);
        found.truncate(limit);
    }
    found.sort_unstable_by(order);
}
