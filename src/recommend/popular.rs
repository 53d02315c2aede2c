//! What most touch, for those of whom nothing is known and for answers that are not full.

use hashbrown::HashSet;

use super::{Neighbourhood, Scored};
use crate::limits;

/// The items with the most touches, marked as popular; ties by item key.
pub fn popular(graph: &impl Neighbourhood, limit: usize) -> Vec<Scored> {
    let mut answer = Vec::new();
    fill(graph, limit.min(limits::RECOMMENDATIONS), &[], &mut answer);
    answer
}

/// Fills `answer` up to `limit` with popular items that are neither in it nor in `excluded`.
pub(super) fn fill(
    graph: &impl Neighbourhood,
    limit: usize,
    excluded: &[u32],
    answer: &mut Vec<Scored>,
) {
    if answer.len() >= limit {
        return;
    }
    let mut taken: HashSet<u32> = excluded.iter().copied().collect();
    taken.extend(answer.iter().map(|scored| scored.item));
    let mut items = Vec::new();
    graph.popular((limit + taken.len()).min(limits::POPULAR_ITEMS), &mut items);
    let free = items.into_iter().filter(|item| !taken.contains(item));
    let missing = limit - answer.len();
    answer.extend(free.take(missing).map(|item| Scored {
        item,
        score: 0.0,
        because: Vec::new(),
        popular: true,
    }));
}
