//! What reads from ArangoDB cost, remember, and say when it is away.

use std::time::Duration;

use weir::recommend::{Budget, ItemOptions, Options};
use weir::store::{HistoryQuestion, Remedy, Store};

use super::apply;
use super::reads::weights;
use super::server::Kept;
use crate::support::events::{ITEMS, USERS, events, interaction, item, user};
use crate::support::seed::Seed;

/// Edge collections of the built-in types.
const COLLECTIONS: u64 = 9;

#[tokio::test(flavor = "multi_thread")]
async fn a_read_takes_a_handful_of_rounds_whatever_it_finds() {
    let kept = Kept::new();
    let Some(stand_in) = &kept.stand_in else { return };
    let store = kept.store().await;
    apply(&store, &events(&Seed::new(), 400)).await;
    let kinds = weights();
    let history = HistoryQuestion { of: None, before: None, limit: 5 };
    for n in 0..USERS.max(ITEMS) {
        let before = stand_in.request_count();
        let options = Options::new(40, &kinds).budget(Budget::REMOTE);
        store.for_user(&user(n), &options).await.unwrap();
        let after_user = stand_in.request_count();
        // The user, its items with their degrees, the neighbours, the candidates' degrees, what is popular, documents.
        assert!(after_user - before <= 6 * COLLECTIONS + 1, "{}", after_user - before);
        let options = ItemOptions::new(40, &kinds).budget(Budget::REMOTE);
        store.for_item(&item(n), &options).await.unwrap();
        let after_item = stand_in.request_count();
        assert!(after_item - after_user <= 3 * COLLECTIONS + 1, "{}", after_item - after_user);
        store.history(&user(n), &history).await.unwrap();
        assert!(stand_in.request_count() - after_item <= COLLECTIONS + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_popular_is_remembered_for_a_while_and_forgotten_with_the_database() {
    let kept = Kept::new();
    let store = kept.store().await.popular_for(Duration::from_hours(1));
    let kinds = weights();
    let first = async || {
        let found = store.for_user("nobody", &Options::new(5, &kinds)).await.unwrap();
        found.into_iter().map(|found| found.item_id).next()
    };
    apply(&store, &[interaction("viewed", "1", "u", "a", 1)]).await;
    assert_eq!(first().await.as_deref(), Some("a"));
    let more = ["2", "3"].map(|id| interaction("viewed", id, id, "b", 2));
    apply(&store, &more).await;
    assert_eq!(first().await.as_deref(), Some("a"), "it is not counted again");
    store.forget_known();
    assert_eq!(first().await.as_deref(), Some("b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_a_server_that_is_away_fails_and_says_so() {
    let kept = Kept::new();
    let Some(stand_in) = &kept.stand_in else { return };
    let store = kept.store().await;
    stand_in.stop();
    let kinds = weights();
    let history = HistoryQuestion { of: None, before: None, limit: 5 };
    let failures = [
        store.for_user("u", &Options::new(5, &kinds)).await.unwrap_err(),
        store.for_item("i", &ItemOptions::new(5, &kinds)).await.unwrap_err(),
        store.history("u", &history).await.unwrap_err(),
    ];
    assert!(failures.iter().all(|failure| failure.remedy == Remedy::BackOff), "{failures:?}");
    stand_in.start_again();
    assert_eq!(store.for_user("u", &Options::new(5, &kinds)).await.unwrap(), []);
}
