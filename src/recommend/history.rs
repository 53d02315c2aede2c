//! What a user's own timeline says: which items to leave out, and which of them to start from.

use hashbrown::HashMap;

use super::weights::{self, Closeness};
use super::{Budget, Exclude, Neighbourhood, Options, Touch};

/// One of the user's items from which neighbours are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seed {
    pub item: u32,
    pub weight: f64,
    /// How many of the item's newest users to visit.
    pub neighbours: usize,
}

pub(super) struct History {
    pub seeds: Vec<Seed>,
    pub excluded: Vec<u32>,
}

struct Own {
    item: u32,
    newest_ms: i64,
    weight: f64,
    purchased: bool,
}

impl History {
    /// Reads the user's timeline; seeds come strongest first, ties in timeline order.
    pub(super) fn read(graph: &impl Neighbourhood, user: u32, options: &Options<'_>) -> Self {
        let mut touches = Vec::new();
        graph.newest_of_user(user, options.budget.seen_touches, &mut touches);
        let own = by_item(&touches, options);
        let excluded = own
            .iter()
            .filter(|own| match options.exclude {
                Exclude::Seen => true,
                Exclude::Purchased => own.purchased,
                Exclude::None => false,
            })
            .map(|own| own.item)
            .collect();
        Self { seeds: seeds(graph, own, &options.budget), excluded }
    }
}

/// One entry a distinct item, newest first by the item's newest touch.
fn by_item(touches: &[Touch], options: &Options<'_>) -> Vec<Own> {
    let mut places: HashMap<u32, usize> = HashMap::new();
    let mut own: Vec<Own> = Vec::new();
    for touch in touches {
        let place = *places.entry(touch.node).or_insert(own.len());
        if place == own.len() {
            own.push(Own {
                item: touch.node,
                newest_ms: touch.at_ms,
                weight: 0.0,
                purchased: false,
            });
        }
        own[place].weight += options.kinds.weight(touch.kind);
        own[place].purchased |= options.kinds.is_purchase(touch.kind);
    }
    own
}

fn seeds(graph: &impl Neighbourhood, mut own: Vec<Own>, budget: &Budget) -> Vec<Seed> {
    own.retain(|own| own.weight > 0.0);
    own.truncate(budget.history_items);
    let closeness = Closeness::new();
    let latest_ms = own.first().map_or(0, |own| own.newest_ms);
    let newer = newer_items(&own);
    let mut seeds: Vec<Seed> = own
        .iter()
        .zip(newer)
        .map(|(own, newer)| Seed {
            item: own.item,
            weight: weights::position(newer)
                * weights::strength(own.weight)
                * closeness.apart(latest_ms, own.newest_ms),
            neighbours: 0,
        })
        .collect();
    seeds.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let weakest = seeds.first().map_or(0.0, |seed| seed.weight) * weights::WEAKEST_SEED;
    seeds.retain(|seed| seed.weight >= weakest);
    seeds.truncate(budget.seed_items);
    share_neighbours(&mut seeds, budget);
    for seed in &mut seeds {
        seed.weight *= weights::seed_degree(graph.item_degree(seed.item, budget.degree_cap));
    }
    seeds
}

/// How many items are newer than each; items of one moment share the middle of their places, so that
/// a history without times is a set and not an order.
fn newer_items(own: &[Own]) -> Vec<f64> {
    let mut newer = Vec::with_capacity(own.len());
    for moment in own.chunk_by(|a, b| a.newest_ms == b.newest_ms) {
        let middle = newer.len() as f64 + (moment.len() - 1) as f64 / 2.0;
        newer.extend(moment.iter().map(|_| middle));
    }
    newer
}

/// Divides the visits among the seeds by the root of their weights.
fn share_neighbours(seeds: &mut [Seed], budget: &Budget) {
    let total: f64 = seeds.iter().map(|seed| seed.weight.sqrt()).sum();
    for seed in seeds {
        let share = (budget.neighbours as f64 * seed.weight.sqrt() / total) as usize;
        seed.neighbours = share.min(budget.seed_neighbours);
    }
}
