//! The merge rule: a store holds a function of the set of puts.

use serde_json::json;
use weir::graph::{Collection, Put};
use weir::store::{Store, Verdict};

use super::{Maker, apply, documents, expected, puts_of};
use crate::support::events::{events, interaction, retraction};
use crate::support::seed::Seed;

pub async fn order_repetition_and_batches_make_no_difference<M: Maker>() {
    let seed = Seed::new();
    let mut maker = M::default();
    let all = events(&seed, 120);
    let straight = maker.made().await;
    apply(&straight, &all).await;
    assert_eq!(documents(&straight).await, expected(&all));

    let shuffled = maker.made().await;
    let mut deliveries: Vec<usize> = (0..all.len()).chain(0..all.len() / 2).collect();
    for place in (1..deliveries.len()).rev() {
        deliveries.swap(place, seed.pick(0..place as u64 + 1) as usize);
    }
    let mut rest = deliveries.as_slice();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(rest.len().min(seed.pick(1..30) as usize));
        let batch: Vec<_> = batch.iter().map(|place| all[*place].clone()).collect();
        apply(&shuffled, &batch).await;
        rest = after;
    }
    assert_eq!(documents(&shuffled).await, expected(&all));
}

pub async fn every_put_has_its_verdict_in_its_place<M: Maker>() {
    let mut maker = M::default();
    let store = maker.made().await;
    let first = [interaction("viewed", "1", "u", "i", 1), interaction("liked", "2", "u", "i", 2)];
    let verdicts = apply(&store, &first).await;
    assert_eq!(verdicts, vec![Verdict::Applied; 4], "user, item and two edges");
    let second = interaction("viewed", "3", "u", "j", 3);
    let puts = puts_of([&first[1], &second]);
    let verdicts = store.apply(&puts).await;
    let is_new: Vec<bool> = verdicts.iter().map(|told| *told == Verdict::Applied).collect();
    assert_eq!(is_new, [false, false, false, false, true, true], "{verdicts:?}");
    assert_eq!(store.apply(&[]).await, []);
}

pub async fn a_tombstone_stays_whatever_comes_first<M: Maker>() {
    let mut maker = M::default();
    let bought = interaction("purchased", "order", "u", "i", 1);
    let refunded = retraction("refunded", "order", "u", "i");
    for order in [[&bought, &refunded], [&refunded, &bought]] {
        let store = maker.made().await;
        for event in order {
            apply(&store, std::slice::from_ref(event)).await;
        }
        let held = documents(&store).await;
        let edges: Vec<_> = held.iter().filter(|((name, _), _)| name == "purchased").collect();
        assert_eq!(edges.len(), 1);
        let tombstone =
            json!({"_from": "users/u", "_to": "items/i", "ts": null, "retracted": true});
        assert_eq!(edges[0].1.1, tombstone);
        assert_eq!(held, expected(&[bought.clone(), refunded.clone()]));
    }
}

pub async fn the_latest_profile_stays<M: Maker>() {
    let mut maker = M::default();
    let attrs = |title: &str| json!({ "title": title }).as_object().cloned().unwrap();
    let (early, late) = (attrs("draft"), attrs("Heat"));
    let puts = [
        Put::profile(Collection::Items, "i", &early, 1_700_000_000_000),
        Put::profile(Collection::Items, "i", &late, 1_700_000_000_001),
        Put::bare_item("i"),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let store = maker.made().await;
        for place in order {
            assert!(store.apply(&puts[place..=place]).await[0].holds());
        }
        let held = documents(&store).await;
        let (_, body) = &held[&("items".to_owned(), "i".to_owned())];
        assert_eq!(*body, json!({"id": "i", "attrs": {"title": "Heat"}}), "{order:?}");
    }
}
