//! Jobs whose graph is a database that fails for a while, and refuses some documents for good.

use std::collections::BTreeMap;

use serde_json::Value;
use weir::replay::{Request, State, Verb};
use weir::store::Store;

use super::ground::{DEADLINE, G1, Site};
use crate::support::arango_store::Made;
use crate::support::eventually;

async fn documents(store: &impl Store) -> BTreeMap<(String, String), (u64, Value)> {
    let mut all = BTreeMap::new();
    let mut each = |one: weir::store::Document| {
        all.insert((one.collection, one.key), (one.version.0, one.body));
    };
    store.scan(&mut each).await.expect("it can be scanned");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_into_a_database_waits_while_it_fails_and_parks_what_it_refuses() {
    let site = Site::start().await;
    site.publish(3_000).await;
    let range = site.whole().await;
    let (events, expected) = site.expected(range).await;
    let made = Made::ready().await;
    site.ground.put_database(G1, made.store());
    made.server.fault("away").writes().unavailable();
    let _worker = site.running("one").await;
    let job = site.asked(Request::new(Verb::Replay), G1, range).await;
    let waits = async || {
        let now = site.jobs.get(job.id.as_str()).await.ok()?;
        now.note.filter(|_| now.state == State::Running)
    };
    eventually("it says what it waits for", DEADLINE, waits).await;
    made.server.clear_fault("away");
    let done = site.reaches(&job, State::Done).await;
    assert_eq!(done.tally.applied + done.tally.superseded, events);
    assert_eq!((done.tally.parked, done.tally.missing, done.note), (0, 0, None));
    let held = documents(&made.store()).await;
    assert_eq!(held, documents(&expected).await);
    assert!(done.tally.applied > 0);

    // A store that does not know what it holds counts all of it as superseded the second time.
    let again = site.asked(Request::new(Verb::Replay), G1, range).await;
    let done = site.reaches(&again, State::Done).await;
    assert_eq!(documents(&made.store()).await, held);
    assert_eq!(done.tally.scanned(), range.len());

    site.publish(400).await;
    made.server.fault("refused").collection("liked").elements(1620);
    let range = weir::replay::Range { from: range.to, to: site.whole().await.to };
    let job = site.asked(Request::new(Verb::Replay), G1, range).await;
    let done = site.reaches(&job, State::Done).await;
    assert!(done.tally.parked > 0, "{:?}", done.tally);
    assert_eq!(done.tally.scanned(), range.len());
    assert!(site.parked.count(1).await.unwrap() > 0);
}
