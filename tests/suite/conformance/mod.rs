//! The contract of stores, held by every store: one suite, generic, and a comparison of all of them.

mod differential;
mod law;
mod reads;
mod remote;
mod server;
mod texts;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use weir::event::{Event, EventTypes};
use weir::graph::{Put, Version, coalesce};
use weir::projection::Projection;
use weir::store::memory::MemoryStore;
use weir::store::{Store, Verdict};

fn projection() -> Projection {
    Projection::new(Arc::new(EventTypes::builtin()))
}

fn puts_of<'e>(events: impl IntoIterator<Item = &'e Event<'static>>) -> Vec<Put<'e>> {
    let projection = projection();
    let mut puts = Vec::new();
    events.into_iter().for_each(|event| projection.project(event, &mut puts));
    puts
}

/// Applies events as one batch, as a worker does.
async fn apply(store: &impl Store, events: &[Event<'static>]) -> Vec<Verdict> {
    let puts = coalesce(&puts_of(events)).puts;
    let verdicts = store.apply(&puts).await;
    assert_eq!(verdicts.len(), puts.len());
    let failed: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.holds()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    verdicts
}

type Documents = BTreeMap<(String, String), (Version, Value)>;

/// Everything that a store holds; each document is met once.
async fn documents(store: &impl Store) -> Documents {
    let mut found = Documents::new();
    let mut twice = Vec::new();
    let mut each = |document: weir::store::Document| {
        let key = (document.collection, document.key);
        if found.insert(key.clone(), (document.version, document.body)).is_some() {
            twice.push(key);
        }
    };
    store.scan(&mut each).await.expect("a scan comes to its end");
    assert!(twice.is_empty(), "met twice: {twice:?}");
    found
}

/// What a store must hold after these events: of each document the put of the greatest version.
fn expected(events: &[Event<'static>]) -> Documents {
    let projection = projection();
    let puts = coalesce(&puts_of(events)).puts;
    puts.iter()
        .map(|put| {
            let collection = put.collection.name(projection.types()).to_owned();
            ((collection, put.key.text().into_owned()), (put.version, put.body.to_json()))
        })
        .collect()
}

/// Makes empty stores, and keeps what they need.
trait Maker: Default {
    type Made: Store;

    async fn made(&mut self) -> Self::Made;
}

#[derive(Default)]
struct InMemory;

impl Maker for InMemory {
    type Made = MemoryStore;

    async fn made(&mut self) -> MemoryStore {
        MemoryStore::new(Arc::new(EventTypes::builtin()))
    }
}

#[derive(Default)]
struct InArango(Vec<server::Kept>);

impl Maker for InArango {
    type Made = weir::store::arango::ArangoStore;

    async fn made(&mut self) -> Self::Made {
        let kept = server::Kept::new();
        let store = kept.store().await;
        self.0.push(kept);
        store
    }
}

/// Runs every promise for every store.
macro_rules! suite {
    ($($promise:ident in $file:ident,)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $promise() {
                super::$file::$promise::<super::InMemory>().await;
            })*
        }

        mod arango {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$file::$promise::<super::InArango>().await;
            })*
        }
    };
}

suite! {
    order_repetition_and_batches_make_no_difference in law,
    every_put_has_its_verdict_in_its_place in law,
    a_tombstone_stays_whatever_comes_first in law,
    the_latest_profile_stays in law,
    what_was_taken_back_is_in_no_read in reads,
    pages_of_a_history_visit_everything_once_in_order in reads,
    one_moment_is_paged_through_too in reads,
    a_page_has_a_next_exactly_if_more_follows in reads,
    nobody_knows_unknown_ids in reads,
    ids_of_all_forms_come_back_as_they_were in reads,
    one_event_changes_the_next_answer in reads,
}
