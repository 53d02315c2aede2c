//! "Who bought this also bought": distinct users who met both items around the same time.

use hashbrown::{HashMap, HashSet};

use super::answer::{AlsoBought, best};
use super::{KindWeights, Neighbourhood, Touch};
use crate::limits;

/// Support at which a score reaches half of what its share alone would give: one user proves little.
const HALF_SUPPORT: f64 = 2.0;

/// Ranks what the users of an item met too, best first, ties by item key.
///
/// With `only`, both meetings are of that kind; without, of any kind with a weight above 0.
/// The score is the cosine of the two items over the users looked at, shrunk where the support is small.
pub fn for_item(
    graph: &impl Neighbourhood,
    item: u32,
    only: Option<u8>,
    kinds: &KindWeights,
    limit: usize,
) -> Vec<AlsoBought> {
    let counts = |touch: &Touch| match only {
        Some(kind) => touch.kind == kind,
        None => kinds.weight(touch.kind) > 0.0,
    };
    let moments = moments(graph, item, counts);
    let mut found: Vec<AlsoBought> = support(graph, item, &moments, counts)
        .into_iter()
        .map(|(other, support)| AlsoBought {
            item: other,
            support,
            score: score(support, moments.len(), graph.item_degree(other)),
        })
        .collect();
    let limit = limit.min(limits::RECOMMENDATIONS);
    best(graph, &mut found, limit, |also| (also.score, also.item));
    found
}

/// The newest meeting of each of the item's newest users.
fn moments(graph: &impl Neighbourhood, item: u32, counts: impl Fn(&Touch) -> bool) -> Vec<Touch> {
    let mut touches = Vec::new();
    graph.newest_of_item(item, limits::ALSO_TOUCHES, &mut touches);
    let mut met = HashSet::new();
    touches
        .retain(|touch| counts(touch) && met.len() < limits::ALSO_USERS && met.insert(touch.node));
    touches
}

fn support(
    graph: &impl Neighbourhood,
    item: u32,
    moments: &[Touch],
    counts: impl Fn(&Touch) -> bool,
) -> HashMap<u32, u32> {
    let mut support: HashMap<u32, u32> = HashMap::new();
    let mut window = Vec::new();
    let mut basket = HashSet::new();
    for moment in moments {
        window.clear();
        basket.clear();
        graph.around(*moment, limits::ALSO_WINDOW_TOUCHES, &mut window);
        for touch in &window {
            if touch.node != item && counts(touch) && basket.insert(touch.node) {
                *support.entry(touch.node).or_default() += 1;
            }
        }
    }
    support
}

fn score(support: u32, users: usize, degree: u32) -> f64 {
    let support = f64::from(support);
    let cosine = support / (users as f64 * f64::from(degree.max(1))).sqrt();
    cosine * support / (support + HALF_SUPPORT)
}
