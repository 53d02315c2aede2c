//! "Who bought this also bought": distinct users who met both items around the same time.

use hashbrown::{HashMap, HashSet};

use super::answer::{AlsoBought, best, shortlist};
use super::{ItemOptions, Neighbourhood, Touch};
use crate::limits;

/// Support at which a score reaches half of what its share alone would give: one user proves little.
const HALF_SUPPORT: f64 = 2.0;

/// Ranks what the users of an item met too, best first, ties by item key.
///
/// The score is the cosine of the two items over the users looked at, shrunk where the support is small.
pub fn for_item(
    graph: &impl Neighbourhood,
    item: u32,
    options: &ItemOptions<'_>,
) -> Vec<AlsoBought> {
    let budget = &options.budget;
    let moments = moments(graph, item, options);
    let mut met: Vec<(u32, u32)> = support(graph, item, &moments, options).into_iter().collect();
    shortlist(graph, &mut met, budget.candidates, |(other, support)| (f64::from(*support), *other));
    let mut found: Vec<AlsoBought> = met
        .into_iter()
        .map(|(other, support)| AlsoBought {
            item: other,
            support,
            score: score(support, moments.len(), graph.item_degree(other, budget.degree_cap)),
        })
        .collect();
    let limit = options.limit.min(limits::RECOMMENDATIONS);
    best(graph, &mut found, limit, |also| (also.score, also.item));
    found
}

/// The newest meeting of each of the item's newest users.
fn moments(graph: &impl Neighbourhood, item: u32, options: &ItemOptions<'_>) -> Vec<Touch> {
    let mut touches = Vec::new();
    graph.newest_of_item(item, options.budget.also_touches, &mut touches);
    let mut met = HashSet::new();
    touches.retain(|touch| {
        options.counts(touch) && met.len() < options.budget.also_users && met.insert(touch.node)
    });
    touches
}

fn support(
    graph: &impl Neighbourhood,
    item: u32,
    moments: &[Touch],
    options: &ItemOptions<'_>,
) -> HashMap<u32, u32> {
    let mut support: HashMap<u32, u32> = HashMap::new();
    let mut window = Vec::new();
    let mut basket = HashSet::new();
    for moment in moments {
        window.clear();
        basket.clear();
        graph.around(*moment, options.budget.also_window_touches, &mut window);
        for touch in &window {
            if touch.node != item && options.counts(touch) && basket.insert(touch.node) {
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
