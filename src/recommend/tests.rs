//! The answers' promises, held against a small graph in memory that counts what is read of it.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    Budget, Exclude, ItemOptions, KindWeights, Neighbourhood, Options, Touch, for_item, for_user,
    popular,
};
use crate::limits;

const VIEWED: u8 = 0;
const PURCHASED: u8 = 1;
const REMOVED: u8 = 2;
const DAY_MS: i64 = 86_400_000;

/// A user's key, an item's key, a kind and a time; the whole of it is the edge's key.
type Event = (u16, u16, u8, i64);

/// Gives handles in the order of arrival, so that an answer that leans on handles is found out.
#[derive(Default)]
struct Graph {
    edges: Vec<Event>,
    users: Handles,
    items: Handles,
    reads: Cell<usize>,
}

#[derive(Default)]
struct Handles {
    by_key: BTreeMap<u16, u32>,
    keys: Vec<u16>,
    timelines: Vec<Vec<u32>>,
}

impl Handles {
    fn touch(&mut self, key: u16, edge: u32) {
        let next = self.keys.len() as u32;
        let handle = *self.by_key.entry(key).or_insert(next);
        if handle == next {
            self.keys.push(key);
            self.timelines.push(Vec::new());
        }
        self.timelines[handle as usize].push(edge);
    }

    fn timeline(&self, handle: u32) -> &[u32] {
        self.timelines.get(handle as usize).map_or(&[], Vec::as_slice)
    }
}

impl Graph {
    fn of(events: impl IntoIterator<Item = Event>) -> Self {
        let mut graph = Self::default();
        for (edge, event) in (0..).zip(events) {
            graph.edges.push(event);
            graph.users.touch(event.0, edge);
            graph.items.touch(event.1, edge);
        }
        let Self { edges, users, items, .. } = &mut graph;
        for timeline in users.timelines.iter_mut().chain(&mut items.timelines) {
            timeline.sort_by_key(|edge| {
                let event = edges[*edge as usize];
                (event.3, event)
            });
        }
        graph
    }

    fn item(&self, handle: u32) -> u16 {
        self.items.keys[handle as usize]
    }

    fn user_handle(&self, key: u16) -> Option<u32> {
        self.users.by_key.get(&key).copied()
    }

    fn touch(&self, edge: u32, node: u32) -> Touch {
        let (_, _, kind, at_ms) = self.edges[edge as usize];
        self.reads.set(self.reads.get() + 1);
        Touch { node, kind, at_ms, edge }
    }

    fn seen_as_item(&self, edge: u32) -> Touch {
        self.touch(edge, self.items.by_key[&self.edges[edge as usize].1])
    }

    fn seen_as_user(&self, edge: u32) -> Touch {
        self.touch(edge, self.users.by_key[&self.edges[edge as usize].0])
    }

    /// An answer in terms of keys.
    fn recommend(&self, user: u16, options: &Options<'_>) -> Vec<(u16, f64, Vec<u16>, bool)> {
        for_user(self, self.user_handle(user), options)
            .into_iter()
            .map(|scored| {
                let because = scored.because.iter().map(|item| self.item(*item)).collect();
                (self.item(scored.item), scored.score, because, scored.popular)
            })
            .collect()
    }
}

impl Neighbourhood for Graph {
    fn newest_of_user(&self, user: u32, most: usize, out: &mut Vec<Touch>) {
        let newest = self.users.timeline(user).iter().rev().take(most);
        out.extend(newest.map(|edge| self.seen_as_item(*edge)));
    }

    fn newest_of_item(&self, item: u32, most: usize, out: &mut Vec<Touch>) {
        let newest = self.items.timeline(item).iter().rev().take(most);
        out.extend(newest.map(|edge| self.seen_as_user(*edge)));
    }

    fn around(&self, moment: Touch, side: usize, out: &mut Vec<Touch>) {
        let timeline = self.users.timeline(moment.node);
        let centre = timeline.iter().position(|edge| *edge == moment.edge);
        let centre = centre.expect("the moment is one of the user's");
        let window = &timeline[centre.saturating_sub(side)..timeline.len().min(centre + side + 1)];
        out.extend(window.iter().map(|edge| self.seen_as_item(*edge)));
    }

    fn item_degree(&self, item: u32, cap: u32) -> u32 {
        (self.items.timeline(item).len() as u32).min(cap)
    }

    fn popular(&self, most: usize, out: &mut Vec<u32>) {
        assert!(most <= limits::POPULAR_ITEMS);
        let mut items: Vec<u32> = (0..self.items.keys.len() as u32).collect();
        items.sort_by(|a, b| {
            let more = self.items.timeline(*b).len().cmp(&self.items.timeline(*a).len());
            more.then_with(|| self.compare_items(*a, *b))
        });
        out.extend(items.into_iter().take(most));
    }

    fn compare_items(&self, a: u32, b: u32) -> Ordering {
        self.item(a).cmp(&self.item(b))
    }
}

fn kinds() -> KindWeights {
    KindWeights::new()
        .with(VIEWED, 1.0)
        .with(PURCHASED, 5.0)
        .with(REMOVED, -3.0)
        .purchase(PURCHASED)
}

/// Sets of events (no two alike), with few moments so that times are often equal.
fn events() -> impl Strategy<Value = BTreeSet<Event>> {
    let event = (0..12u16, 0..25u16, 0..3u8, (0..40i64).prop_map(|day| day * DAY_MS / 4));
    prop::collection::btree_set(event, 0..150)
}

fn exclude() -> impl Strategy<Value = Exclude> {
    prop_oneof![Just(Exclude::Seen), Just(Exclude::Purchased), Just(Exclude::None)]
}

proptest! {
    #[test]
    fn an_answer_does_not_depend_on_the_order_of_arrival(
        (sorted, shuffled) in events().prop_flat_map(|events| {
            let events: Vec<Event> = events.into_iter().collect();
            (Just(events.clone()), Just(events).prop_shuffle())
        }),
        exclude in exclude(),
        limit in 0..30usize,
    ) {
        let (a, b) = (Graph::of(sorted), Graph::of(shuffled));
        let kinds = kinds();
        for user in 0..12 {
            let options = Options::new(limit, &kinds).exclude(exclude);
            prop_assert_eq!(a.recommend(user, &options), b.recommend(user, &options));
        }
        for item in a.items.by_key.keys() {
            for only in [None, Some(PURCHASED)] {
                let also = |graph: &Graph| -> Vec<(u16, u32, f64)> {
                    for_item(graph, graph.items.by_key[item], &ItemOptions::new(limit, &kinds).only(only))
                        .into_iter()
                        .map(|also| (graph.item(also.item), also.support, also.score))
                        .collect()
                };
                prop_assert_eq!(also(&a), also(&b));
            }
        }
    }

    #[test]
    fn an_answer_keeps_its_limit_its_order_and_what_it_excludes(
        events in events(),
        exclude in exclude(),
        limit in 0..30usize,
    ) {
        let graph = Graph::of(events.iter().copied());
        let kinds = kinds();
        for user in 0..13 {
            let answer = graph.recommend(user, &Options::new(limit, &kinds).exclude(exclude));
            prop_assert!(answer.len() <= limit);
            let items: BTreeSet<u16> = answer.iter().map(|row| row.0).collect();
            prop_assert_eq!(items.len(), answer.len(), "an item is named once");
            let left_out: BTreeSet<u16> = events
                .iter()
                .filter(|event| event.0 == user)
                .filter(|event| match exclude {
                    Exclude::Seen => true,
                    Exclude::Purchased => event.2 == PURCHASED,
                    Exclude::None => false,
                })
                .map(|event| event.1)
                .collect();
            prop_assert!(items.is_disjoint(&left_out));
            let free = graph.items.keys.len() - left_out.len();
            prop_assert_eq!(answer.len(), limit.min(free), "popular items fill the answer");
            let best_first = answer.is_sorted_by(|a, b| (!a.3 && b.3) || (a.3 == b.3 && a.1 >= b.1));
            prop_assert!(best_first, "popular ones come last");
        }
    }

    #[test]
    fn what_led_to_an_item_is_the_users_own(events in events(), exclude in exclude()) {
        let graph = Graph::of(events.iter().copied());
        let kinds = kinds();
        for user in 0..13 {
            let own: BTreeSet<u16> =
                events.iter().filter(|event| event.0 == user).map(|event| event.1).collect();
            for (item, score, because, popular) in
                graph.recommend(user, &Options::new(30, &kinds).exclude(exclude))
            {
                prop_assert!(because.len() <= limits::REASONS);
                prop_assert_eq!(because.is_empty(), popular);
                prop_assert_eq!(score > 0.0, !popular);
                prop_assert!(because.iter().all(|reason| own.contains(reason) && *reason != item));
            }
        }
    }
}

fn view(user: u16, item: u16, at_ms: i64) -> Event {
    (user, item, VIEWED, at_ms)
}

#[test]
fn hot_items_and_heavy_users_cost_no_more_than_the_limits_say() {
    let everyone_views_much = (0..3000u16).flat_map(|user| {
        (0..60u16).map(move |item| view(user, item, i64::from(user) * 60 + i64::from(item)))
    });
    let heavy = (0..20_000u16).map(|item| view(5000, item, i64::from(item)));
    let graph = Graph::of(everyone_views_much.chain(heavy));
    let kinds = kinds();
    for budget in [Budget::LOCAL, Budget::REMOTE] {
        let most = budget.seen_touches + budget.neighbours * (2 + 2 * budget.window_touches);
        for user in [0, 5000] {
            graph.reads.set(0);
            let answer = graph.recommend(user, &Options::new(10_000, &kinds).budget(budget));
            assert!(answer.len() <= limits::RECOMMENDATIONS);
            assert!(graph.reads.get() <= most, "{} touches read", graph.reads.get());
            assert!(graph.reads.get() > 60, "a graph this large is read at all");
        }
        graph.reads.set(0);
        let options = ItemOptions::new(10, &kinds).budget(budget);
        assert!(!for_item(&graph, 0, &options).is_empty());
        let window = 2 * budget.also_window_touches + 1;
        assert!(graph.reads.get() <= budget.also_touches + budget.also_users * window);
    }
}

#[test]
fn an_event_changes_the_very_next_answer() {
    let mut events = vec![view(1, 10, 1), view(1, 11, 2), view(2, 20, 1), view(2, 21, 2)];
    events.push(view(3, 10, 5));
    let kinds = kinds();
    let first = |events: &[Event]| {
        let answer = Graph::of(events.iter().copied()).recommend(3, &Options::new(1, &kinds));
        (answer[0].0, answer[0].2.clone())
    };
    assert_eq!(first(&events), (11, vec![10]));
    events.push(view(3, 20, 6));
    assert_eq!(first(&events), (21, vec![20]));
}

#[test]
fn what_came_next_goes_before_what_came_long_after() {
    let neighbour = [10, 11, 12, 13, 14].map(|item| view(1, item, i64::from(item)));
    let graph = Graph::of(neighbour.into_iter().chain([view(2, 11, 100)]));
    let kinds = kinds();
    let items: Vec<u16> =
        graph.recommend(2, &Options::new(10, &kinds)).iter().map(|row| row.0).collect();
    assert_eq!(items, [12, 13, 14, 10]);
}

#[test]
fn an_item_taken_back_leads_nowhere() {
    let graph = Graph::of([view(1, 10, 1), view(1, 11, 2), view(2, 10, 1), (2, 10, REMOVED, 2)]);
    let kinds = kinds();
    let answer = graph.recommend(2, &Options::new(10, &kinds));
    assert!(answer.iter().all(|(_, _, because, popular)| *popular && because.is_empty()));
}

#[test]
fn one_user_who_reloads_a_page_does_not_outvote_two() {
    let reloads = (0..20).map(|at| view(1, 11, 2 + at));
    let others = [2, 3].into_iter().flat_map(|user| [view(user, 10, 1), view(user, 12, 2)]);
    let graph =
        Graph::of([view(1, 10, 1), view(4, 10, 9)].into_iter().chain(reloads).chain(others));
    let kinds = kinds();
    assert_eq!(graph.recommend(4, &Options::new(1, &kinds))[0].0, 12);
}

#[test]
fn a_history_at_one_moment_is_a_set() {
    let neighbours = (0..5u16).map(|k| [view(10 + k, k, 7), view(10 + k, 100 + k, 7)]);
    let own = (0..5u16).map(|item| view(1, item, 7));
    let graph = Graph::of(neighbours.flatten().chain(own));
    let kinds = kinds();
    let scores: Vec<f64> =
        graph.recommend(1, &Options::new(5, &kinds)).iter().map(|row| row.1).collect();
    let (least, most) = (scores[4], scores[0]);
    assert!(least > 0.5 * most, "only a neighbour's order may differ: {scores:?}");
}

#[test]
fn an_unknown_user_gets_what_is_popular_and_an_unknown_handle_nothing_else() {
    let graph = Graph::of([view(1, 10, 1), view(2, 11, 1), view(3, 11, 1)]);
    let kinds = kinds();
    let options = Options::new(10, &kinds);
    let items: Vec<u32> = popular(&graph, 10).iter().map(|scored| scored.item).collect();
    assert_eq!(items, [1, 0]);
    assert_eq!(for_user(&graph, None, &options), popular(&graph, 10));
    assert_eq!(for_user(&graph, Some(99), &options), popular(&graph, 10));
    assert!(for_item(&graph, 99, &ItemOptions::new(10, &kinds)).is_empty());
}

#[test]
fn who_bought_this_also_bought_is_fair_to_small_items() {
    let both =
        (0..10u16).flat_map(|user| [1, 2, 3].map(|item| (user, item, PURCHASED, i64::from(user))));
    let blockbuster = (100..900u16).map(|user| (user, 3, PURCHASED, 0));
    let viewed_only = (0..10u16).map(|user| view(user, 4, 0));
    let graph = Graph::of(both.chain(blockbuster).chain(viewed_only).chain([(0, 5, PURCHASED, 0)]));
    let kinds = kinds();
    let options = ItemOptions::new(10, &kinds).only(Some(PURCHASED));
    let also = for_item(&graph, graph.items.by_key[&1], &options);
    let rows: Vec<(u16, u32)> =
        also.iter().map(|row| (graph.item(row.item), row.support)).collect();
    assert_eq!(rows, [(2, 10), (5, 1), (3, 10)]);
    assert!(also.iter().all(|row| row.score > 0.0 && row.score <= 1.0));
}
