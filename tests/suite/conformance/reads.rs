//! What reads promise.

use weir::recommend::{Budget, ItemOptions, KindWeights, Options};
use weir::store::{HistoryCursor, HistoryEntry, HistoryQuestion, Store};

use super::{Maker, apply};
use crate::support::events::{ITEMS, USERS, events, interaction, item, retraction, type_of, user};
use crate::support::seed::Seed;

pub fn weights() -> KindWeights {
    KindWeights::new()
        .with(type_of("viewed").0, 1.0)
        .with(type_of("liked").0, 3.0)
        .with(type_of("removed_from_cart").0, -2.0)
        .with(type_of("purchased").0, 5.0)
        .purchase(type_of("purchased").0)
}

async fn items_for(store: &impl Store, user: &str) -> Vec<String> {
    let kinds = weights();
    let options = Options::new(10, &kinds).budget(Budget::REMOTE);
    let found = store.for_user(user, &options).await.unwrap();
    found.into_iter().map(|found| found.item_id).collect()
}

async fn page(store: &impl Store, user: &str, limit: usize) -> Vec<HistoryEntry> {
    let question = HistoryQuestion { of: None, before: None, limit };
    store.history(user, &question).await.unwrap().entries
}

pub async fn what_was_taken_back_is_in_no_read<M: Maker>() {
    let mut maker = M::default();
    let store = maker.made().await;
    let bought = |n: u64| interaction("purchased", &format!("o{n}"), "u", &format!("i{n}"), 9);
    let mut all: Vec<_> = (0..30).map(bought).collect();
    all.push(interaction("viewed", "kept", "u", "old", 1));
    all.extend((0..30).map(|n| retraction("refunded", &format!("o{n}"), "u", &format!("i{n}"))));
    all.extend([
        interaction("viewed", "v1", "w", "i1", 3),
        interaction("viewed", "v2", "w", "old", 4),
    ]);
    apply(&store, &all).await;
    let entries = page(&store, "u", 5).await;
    assert_eq!(entries.len(), 1, "what was taken back fills no page: {entries:?}");
    assert_eq!(entries[0].item, "old");
    let kinds = weights();
    let also = store.for_item("i2", &ItemOptions::new(9, &kinds)).await.unwrap();
    assert_eq!(also, [], "nobody has it");
    assert_eq!(items_for(&store, "u").await, ["i1"]);
}

pub async fn pages_of_a_history_visit_everything_once_in_order<M: Maker>() {
    let mut maker = M::default();
    let store = maker.made().await;
    let all = events(&Seed::new(), 300);
    apply(&store, &all).await;
    let types = ["viewed", "purchased"].map(|name| Some(type_of(name)));
    for user in (0..USERS).map(user) {
        let whole = page(&store, &user, 1000).await;
        assert!(whole.is_sorted_by(|a, b| (a.at_ms, a.key) > (b.at_ms, b.key)));
        for of in [None].into_iter().chain(types) {
            let expected: Vec<HistoryEntry> = whole
                .iter()
                .filter(|entry| of.is_none_or(|of| of == entry.event_type))
                .cloned()
                .collect();
            for limit in [1, 3, 7] {
                assert_eq!(paged(&store, &user, of, limit).await, expected, "{user} by {limit}");
            }
        }
    }
}

pub async fn one_moment_is_paged_through_too<M: Maker>() {
    let mut maker = M::default();
    let store = maker.made().await;
    let kinds = ["viewed", "purchased", "liked"];
    let all: Vec<_> = (0..150)
        .map(|n| interaction(kinds[n % 3], &n.to_string(), "u", &format!("i{}", n % 40), 5))
        .chain([interaction("viewed", "older", "u", "i", 1)])
        .collect();
    apply(&store, &all).await;
    for limit in [1, 7, 50] {
        let entries = paged(&store, "u", None, limit).await;
        assert!(entries.is_sorted_by(|a, b| (a.at_ms, a.key) > (b.at_ms, b.key)));
        assert_eq!((entries.len(), entries[150].event_id.as_str()), (151, "older"));
    }
}

async fn paged(
    store: &impl Store,
    user: &str,
    of: Option<weir::event::TypeIndex>,
    limit: usize,
) -> Vec<HistoryEntry> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let question = HistoryQuestion { of, before, limit };
        let page = store.history(user, &question).await.unwrap();
        assert!(page.entries.len() <= limit);
        assert!(before.is_none() || !page.entries.is_empty(), "a next leads to an empty page");
        all.extend(page.entries);
        before = page.next;
        if before.is_none() {
            return all;
        }
    }
}

pub async fn a_page_has_a_next_exactly_if_more_follows<M: Maker>() {
    let mut maker = M::default();
    let store = maker.made().await;
    let mut all: Vec<_> =
        (0..4).map(|n| interaction("viewed", &format!("v{n}"), "u", "i", 10 + n)).collect();
    all.extend((0..3).map(|n| interaction("liked", &format!("l{n}"), "u", "i", n)));
    apply(&store, &all).await;
    let next = async |of: Option<&str>, limit| {
        let question = HistoryQuestion { of: of.map(type_of), before: None, limit };
        let page = store.history("u", &question).await.unwrap();
        (page.entries.len(), page.next.is_some())
    };
    assert_eq!(next(None, 6).await, (6, true));
    assert_eq!(next(None, 7).await, (7, false));
    assert_eq!(next(Some("viewed"), 4).await, (4, false), "what follows is of another type");
    assert_eq!(next(Some("viewed"), 3).await, (3, true));
    assert_eq!(next(Some("liked"), 3).await, (3, false));
    let moment = page(&store, "u", 1).await[0].at_ms;
    let before = Some(HistoryCursor { at_ms: moment, key: None });
    let older = HistoryQuestion { of: None, before, limit: 9 };
    assert_eq!(
        store.history("u", &older).await.unwrap().entries.len(),
        6,
        "a moment is not before itself"
    );
}

pub async fn nobody_knows_unknown_ids<M: Maker>() {
    let mut maker = M::default();
    let store = maker.made().await;
    let kinds = weights();
    let nobody = async || store.for_user("nobody", &Options::new(5, &kinds)).await.unwrap();
    assert_eq!(nobody().await, []);
    assert_eq!(store.for_item("nothing", &ItemOptions::new(5, &kinds)).await.unwrap(), []);
    assert_eq!(page(&store, "nobody", 5).await, []);
    let all = [(1, "a"), (2, "b"), (3, "b")]
        .map(|(n, item)| interaction("viewed", &n.to_string(), &format!("u{n}"), item, n));
    apply(&store, &all).await;
    let popular = nobody().await;
    assert!(popular.iter().all(|found| found.popular && found.because.is_empty()));
    let items: Vec<&str> = popular.iter().map(|found| found.item_id.as_str()).collect();
    assert_eq!(items, ["b", "a"]);
    assert_eq!(store.for_item("nothing", &ItemOptions::new(5, &kinds)).await.unwrap(), []);
    assert_eq!(page(&store, "nobody", 5).await, []);
}

pub async fn ids_of_all_forms_come_back_as_they_were<M: Maker>() {
    let mut maker = M::default();
    let store = maker.made().await;
    let mut all = Vec::new();
    for n in 0..4 {
        for m in 0..ITEMS {
            let id = format!("{n}-{m}");
            all.push(interaction("viewed", &id, &user(n), &item(m), (n + m) as i64));
        }
    }
    all.push(interaction("viewed", "seed", "eve", &item(3), 50));
    apply(&store, &all).await;
    let mut expected: Vec<String> = (0..ITEMS).map(item).collect();
    expected.sort();
    for n in 0..4 {
        let entries = page(&store, &user(n), 100).await;
        let mut met: Vec<String> = entries.into_iter().map(|entry| entry.item).collect();
        met.sort();
        assert_eq!(met, expected, "{}", user(n));
    }
    let kinds = weights();
    let found = store.for_user("eve", &Options::new(100, &kinds)).await.unwrap();
    assert!(found.iter().all(|found| found.because == [item(3)]), "{found:?}");
    let mut shown: Vec<String> = found.into_iter().map(|found| found.item_id).collect();
    shown.sort();
    expected.retain(|id| *id != item(3));
    assert_eq!(shown, expected);
}

pub async fn one_event_changes_the_next_answer<M: Maker>() {
    let mut maker = M::default();
    let store = maker.made().await;
    let mut all = Vec::new();
    for (user, items) in [("maker", ["drill", "screws"]), ("reader", ["novel", "lamp"])] {
        for (minute, item) in (0..).zip(items) {
            all.push(interaction("viewed", item, user, item, minute));
        }
    }
    apply(&store, &all).await;
    apply(&store, &[interaction("viewed", "1", "eve", "novel", 60)]).await;
    assert_eq!(items_for(&store, "eve").await[0], "lamp");
    apply(&store, &[interaction("purchased", "2", "eve", "drill", 90)]).await;
    assert_eq!(items_for(&store, "eve").await[0], "screws");
}
