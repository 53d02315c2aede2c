//! The same events into two stores: the same documents key by key, and equal answers to every read.

use weir::event::EventTypes;
use weir::recommend::{Budget, Exclude, ItemOptions, Options};
use weir::store::{HistoryPage, HistoryQuestion, Recommended, Store};

use super::reads::weights;
use super::{InArango, InMemory, Maker, apply, documents};
use crate::support::events::{ITEMS, USERS, events, item, type_of, user};
use crate::support::seed::Seed;

/// So small that everything is cut somewhere, and that ties decide.
const TIGHT: Budget = Budget {
    neighbours: 7,
    seed_neighbours: 3,
    window_touches: 2,
    seen_touches: 9,
    history_items: 5,
    seed_items: 3,
    also_users: 4,
    also_touches: 6,
    also_window_touches: 2,
    candidates: 4,
    degree_cap: 5,
};

/// Sets of events, and events in each.
const SETS: usize = 2;
const EVENTS: u64 = 220;

/// Every answer that there is to be had, with the question.
async fn answers(store: &impl Store, budget: Budget) -> Vec<(String, Vec<Recommended>)> {
    let kinds = weights();
    let mut told = Vec::new();
    for limit in [3, 40] {
        for exclude in [Exclude::Seen, Exclude::Purchased, Exclude::None] {
            for id in (0..USERS).map(user).chain(["nobody".to_owned()]) {
                let options = Options::new(limit, &kinds).exclude(exclude).budget(budget);
                let found = store.for_user(&id, &options).await.unwrap();
                told.push((format!("user {id} {limit} {exclude:?}"), found));
            }
        }
        for only in [None, Some("purchased"), Some("viewed")] {
            for id in (0..ITEMS).map(item).chain(["nothing".to_owned()]) {
                let only = only.map(|name| type_of(name).0);
                let options = ItemOptions::new(limit, &kinds).only(only).budget(budget);
                let found = store.for_item(&id, &options).await.unwrap();
                told.push((format!("item {id} {limit} {only:?}"), found));
            }
        }
    }
    told
}

async fn histories(store: &impl Store) -> Vec<HistoryPage> {
    let mut pages = Vec::new();
    let types = EventTypes::builtin();
    let interactions = types.iter().map(|(of, _)| of).filter(|of| types.collection(*of).is_some());
    for of in [None].into_iter().chain(interactions.map(Some)) {
        for user in (0..USERS).map(user) {
            let mut before = None;
            loop {
                let question = HistoryQuestion { of, before, limit: 4 };
                let page = store.history(&user, &question).await.unwrap();
                before = page.next;
                pages.push(page);
                if before.is_none() {
                    break;
                }
            }
        }
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_arango_hold_the_same_and_answer_alike() {
    let seed = Seed::new();
    let (mut in_memory, mut in_arango) = (InMemory, InArango::default());
    for set in 0..SETS {
        let all = events(&seed, seed.pick(1..EVENTS) as usize);
        let (memory, arango) = (in_memory.made().await, in_arango.made().await);
        for batch in all.chunks(64) {
            apply(&memory, batch).await;
        }
        let mut backwards = all.clone();
        backwards.reverse();
        for batch in backwards.chunks(50) {
            apply(&arango, batch).await;
        }
        assert_eq!(documents(&memory).await, documents(&arango).await, "set {set}");
        // The largest says nothing that the others do not, and takes the longest.
        let budgets = if set == 0 {
            &[TIGHT, Budget::REMOTE, Budget::LOCAL][..]
        } else {
            &[TIGHT, Budget::REMOTE]
        };
        for budget in budgets.iter().copied() {
            let (of_memory, of_arango) =
                (answers(&memory, budget).await, answers(&arango, budget).await);
            for (expected, told) in of_memory.iter().zip(&of_arango) {
                assert_eq!(expected, told, "set {set}, {budget:?}");
            }
        }
        assert_eq!(histories(&memory).await, histories(&arango).await, "set {set}");
        in_arango.0.clear();
    }
}
