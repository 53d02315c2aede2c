//! Recommendations for a user: what others met close to the moment at which they met the user's items.
//!
//! The user's newest items are seeds. For each, its newest users are visited, and what these touched
//! shortly after or before it is summed by closeness, made fair to items that few have met.

use hashbrown::HashSet;

use super::answer::{Scored, best, shortlist};
use super::candidates::Candidates;
use super::history::{History, Seed};
use super::weights::{self, Closeness};
use super::{Neighbourhood, Options, Touch, popular};
use crate::limits;

/// Recommends items for a user, best first; a user who is unknown (`None`) gets what is popular.
///
/// Items with equal scores are ordered by key. If fewer than the limit are found, popular ones follow,
/// marked as such. What is excluded never appears, as far as it is among the newest
/// `seen_touches` (see [`super::Budget`]) of the user.
pub fn for_user<G: Neighbourhood>(
    graph: &G,
    user: Option<u32>,
    options: &Options<'_>,
) -> Vec<Scored> {
    let Some(user) = user else {
        return popular::popular(graph, options.limit());
    };
    let history = History::read(graph, user, options);
    let mut visit = Visit {
        graph,
        user,
        options,
        closeness: Closeness::new(),
        candidates: Candidates::without(&history.excluded),
        touches: Vec::new(),
        window: Vec::new(),
        met: HashSet::new(),
    };
    for (place, seed) in (0..).zip(&history.seeds) {
        visit.seed(place, seed);
    }
    let mut answer = rank(graph, &visit.candidates, &history.seeds, options);
    popular::fill(graph, options.limit(), &history.excluded, &mut answer);
    answer
}

struct Visit<'a, G> {
    graph: &'a G,
    user: u32,
    options: &'a Options<'a>,
    closeness: Closeness,
    candidates: Candidates,
    touches: Vec<Touch>,
    window: Vec<Touch>,
    met: HashSet<u32>,
}

impl<G: Neighbourhood> Visit<'_, G> {
    fn seed(&mut self, place: u32, seed: &Seed) {
        let mut touches = std::mem::take(&mut self.touches);
        touches.clear();
        self.graph.newest_of_item(seed.item, seed.neighbours, &mut touches);
        self.met.clear();
        self.met.insert(self.user);
        for moment in &touches {
            let strength = self.options.kinds.strength(moment.kind);
            if strength > 0.0 && self.met.insert(moment.node) {
                self.neighbour(place, seed, *moment, seed.weight * strength);
            }
        }
        self.touches = touches;
    }

    /// Walks outwards from the moment, so that of an item met twice the closer touch counts.
    fn neighbour(&mut self, place: u32, seed: &Seed, moment: Touch, weight: f64) {
        let mut window = std::mem::take(&mut self.window);
        window.clear();
        let side = self.options.budget.window_touches.min(limits::WINDOW_TOUCHES);
        self.graph.around(moment, side, &mut window);
        self.candidates.next_neighbour();
        if let Some(centre) = window.iter().position(|touch| touch.edge == moment.edge) {
            for distance in 1..=side {
                if let Some(touch) = window.get(centre + distance) {
                    let closeness = self.closeness.after(distance);
                    self.touch(place, seed, moment, *touch, weight * closeness);
                }
                if let Some(touch) = centre.checked_sub(distance).map(|at| window[at]) {
                    let closeness = self.closeness.before(distance);
                    self.touch(place, seed, moment, touch, weight * closeness);
                }
            }
        }
        self.window = window;
    }

    fn touch(&mut self, place: u32, seed: &Seed, moment: Touch, touch: Touch, weight: f64) {
        let strength = self.options.kinds.strength(touch.kind);
        if strength > 0.0 && touch.node != seed.item {
            let apart = self.closeness.apart(moment.at_ms, touch.at_ms);
            self.candidates.add(touch.node, place, weight * strength * apart);
        }
    }
}

fn rank(
    graph: &impl Neighbourhood,
    candidates: &Candidates,
    seeds: &[Seed],
    options: &Options<'_>,
) -> Vec<Scored> {
    let mut found: Vec<(u32, u32, f64)> = candidates.sums().collect();
    let budget = &options.budget;
    shortlist(graph, &mut found, budget.candidates, |(_, item, sum)| (*sum, *item));
    for (_, item, score) in &mut found {
        *score *= weights::candidate_degree(graph.item_degree(*item, budget.degree_cap));
    }
    best(graph, &mut found, options.limit(), |(_, item, score)| (*score, *item));
    let chosen: Vec<u32> = found.iter().map(|(place, _, _)| *place).collect();
    let reasons = candidates.reasons(&chosen, limits::REASONS);
    found
        .into_iter()
        .zip(reasons)
        .map(|((_, item, score), reasons)| Scored {
            item,
            score,
            because: reasons.into_iter().map(|seed| seeds[seed as usize].item).collect(),
            popular: false,
        })
        .collect()
}
