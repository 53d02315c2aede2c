//! The memory store against the model, and what readers may rely on.

use proptest::prelude::*;
use serde_json::json;

use super::timeline::Timeline;
use super::*;
use crate::event::Event;
use crate::graph::Put;
use crate::projection::law::{self, Model};
use crate::store::HistoryEntry;

fn graph_of<'e>(events: impl IntoIterator<Item = &'e Event<'static>>) -> Graph {
    let projection = law::projection();
    let mut graph = Graph::new(projection.types().clone());
    for event in events {
        let mut puts = Vec::new();
        projection.project(event, &mut puts);
        for put in &puts {
            graph.apply(put);
        }
    }
    graph
}

fn full_history(graph: &Graph, user: &str) -> Vec<HistoryEntry> {
    graph.history(user, None, None, usize::MAX, usize::MAX).entries
}

proptest! {
    #[test]
    fn holds_what_the_model_holds((events, deliveries) in law::events_and_deliveries()) {
        let projection = law::projection();
        let graph = graph_of(deliveries.iter().map(|index| &events[*index]));
        let model = Model::of(&events, &projection);
        prop_assert_eq!(graph.documents(), model.documents.clone());
        let straight: Vec<&Event<'_>> = events.iter().collect();
        prop_assert_eq!(graph.digest(), law::digest_of(&straight, &projection));
        for (collection, count) in graph.counts() {
            let of_model = model.documents.keys().filter(|(name, _)| *name == collection).count();
            prop_assert_eq!(count, of_model as u64, "{}", collection);
        }
    }

    #[test]
    fn histories_do_not_depend_on_arrival((events, deliveries) in law::events_and_deliveries()) {
        let straight = graph_of(&events);
        let shuffled = graph_of(deliveries.iter().map(|index| &events[*index]));
        for user in ["u:0", "u:1", "u:2", "u:3"] {
            let history = full_history(&straight, user);
            prop_assert!(history.is_sorted_by(|a, b| (a.at_ms, a.key) >= (b.at_ms, b.key)));
            prop_assert_eq!(history, full_history(&shuffled, user));
        }
    }

    #[test]
    fn pages_add_up_to_the_whole(events in prop::collection::vec(law::event(), 1..60), limit in 1..5usize) {
        let graph = graph_of(&events);
        for user in ["u:0", "u:1"] {
            let mut paged = Vec::new();
            let mut before = None;
            loop {
                let page = graph.history(user, None, before, limit, usize::MAX);
                prop_assert!(page.entries.len() <= limit);
                paged.extend(page.entries);
                before = page.next;
                if before.is_none() { break }
            }
            prop_assert_eq!(paged, full_history(&graph, user));
        }
    }

    #[test]
    fn popularity_counts_live_edges(events in prop::collection::vec(law::event(), 1..60)) {
        let graph = graph_of(&events);
        for (item, _) in graph.items.iter() {
            prop_assert_eq!(graph.popularity.count(item), graph.item_timelines[item as usize].len());
        }
        let live: u32 = graph.user_timelines.iter().map(Timeline::len).sum();
        let tombstones = (0..graph.edge_count()).filter(|edge| graph.edges.tombstone_key(*edge).is_some()).count();
        prop_assert_eq!(live as usize + tombstones, graph.edge_count() as usize);
    }
}

#[test]
fn attributes_of_the_latest_profile_stay() {
    let types = law::projection().types().clone();
    let mut graph = Graph::new(types);
    let attrs = |title: &str| json!({ "title": title }).as_object().cloned().expect("an object");
    let (early, late) = (attrs("draft"), attrs("Heat"));
    let items = crate::graph::Collection::Items;
    assert_eq!(graph.apply(&Put::profile(items, "i", &late, 2_000_000_000_000)), Applied::Applied);
    assert_eq!(
        graph.apply(&Put::profile(items, "i", &early, 1_000_000_000_000)),
        Applied::Superseded
    );
    assert_eq!(graph.apply(&Put::bare_item("i")), Applied::Superseded);
    let handle = graph.items.find("i").expect("known");
    assert_eq!(graph.items.profiles[&handle].attrs, late);
}
