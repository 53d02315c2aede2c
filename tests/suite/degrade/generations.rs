//! Generations: made and filled while events flow, promoted under readers who notice nothing but the name.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::support::client::{Client, PATIENCE};
use crate::support::eventually;
use crate::support::load::numbered;
use crate::support::site::{Site, documents, in_database};
use crate::support::weir::Weir;

use super::{events, publish, published};

/// How soon readers follow a promotion.
const SOON: Duration = Duration::from_secs(1);

/// Readers who never rest; each answer must be a success of one of two generations.
struct Readers {
    stop: CancellationToken,
    answered: Arc<AtomicU64>,
    readers: JoinSet<BTreeSet<String>>,
}

impl Readers {
    fn start(apis: &[Client]) -> Self {
        let mut readers = Self {
            stop: CancellationToken::new(),
            answered: Arc::default(),
            readers: JoinSet::new(),
        };
        let questions = [
            "/history/user/flow-0?limit=3",
            "/recommendations/user/flow-0",
            "/recommendations/item/item-1",
        ];
        for client in apis {
            for question in questions {
                let (client, stop) = (client.clone(), readers.stop.clone());
                let answered = readers.answered.clone();
                readers.readers.spawn(async move {
                    let mut met = BTreeSet::new();
                    while !stop.is_cancelled() {
                        let answer = client.get(question).await;
                        assert_eq!(answer.status, 200, "{question}: {:#}", answer.body);
                        let (from, source) = (&answer.body["generation"], &answer.body["source"]);
                        met.insert(format!("{from} {source}"));
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    met
                });
            }
        }
        readers
    }

    /// Returns how many answers there were, of which generations and sources.
    async fn stop(self) -> (u64, BTreeSet<String>) {
        self.stop.cancel();
        let met = self.readers.join_all().await.into_iter().flatten().collect();
        (self.answered.load(Ordering::Relaxed), met)
    }
}

/// Events of one user that come evenly, every one of them accepted.
struct Flow {
    stop: CancellationToken,
    sent: Arc<AtomicU64>,
    posting: JoinHandle<()>,
}

impl Flow {
    fn start(gateway: Client) -> Self {
        let (stop, sent) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let (until, count) = (stop.clone(), sent.clone());
        let posting = tokio::spawn(async move {
            let mut clock = tokio::time::interval(Duration::from_millis(5));
            while !until.is_cancelled() {
                clock.tick().await;
                let event = numbered("flow-0", count.load(Ordering::Relaxed));
                assert_eq!(gateway.post(&event).await.status, 202);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, sent, posting }
    }

    async fn grows_by(&self, events: u64) {
        let wanted = self.sent.load(Ordering::Relaxed) + events;
        let grown = async || (self.sent.load(Ordering::Relaxed) >= wanted).then_some(());
        eventually("events are accepted", PATIENCE, grown).await;
    }

    /// Returns how many there were.
    async fn stop(self) -> u64 {
        self.stop.cancel();
        self.posting.await.expect("every one is accepted");
        self.sent.load(Ordering::Relaxed)
    }
}

/// Promotes, and holds that whoever asks a moment after the command has ended is answered from there.
async fn promoted(site: &Site, apis: &[Client], generation: &str) {
    site.weir(&format!("generation promote {generation}")).await.ok();
    let began = Instant::now();
    for client in apis {
        let follows = async || {
            let asked = began.elapsed();
            let answer = client.get("/history/user/flow-0?limit=3").await.ok();
            let follows = answer["generation"] == generation;
            assert!(follows || asked < SOON, "asked after {asked:?}: {}", answer["generation"]);
            follows.then_some(asked)
        };
        let asked = eventually(&format!("answers are of {generation}"), PATIENCE, follows).await;
        println!("readers follow to {generation} within {asked:?}");
    }
}

async fn refused(site: &Site, line: &str, why: &str) {
    let ended = site.weir(line).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains(why), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_made_in_the_flow_becomes_equal_and_is_promoted_and_left_again_unnoticed() {
    let site = Site::migrated().await;
    let gateway = site.on(Weir::gateway()).start().await;
    let projectors =
        [site.on(Weir::projector()).start().await, site.on(Weir::projector()).start().await];
    // The second one's image holds nothing of what is so old, so that the database answers there.
    let bounded = site.on(Weir::api()).set("image.days", "1");
    let times = [("arango.request_timeout", "10s"), ("arango.query_timeout", "10s")];
    let bounded = times.into_iter().fold(bounded, |api, (key, value)| api.set(key, value));
    let apis = [site.on(Weir::api()).start().await, bounded.start().await];
    let clients = apis.each_ref().map(Weir::client);
    let flow = Flow::start(gateway.client());
    flow.grows_by(100).await;
    site.weir("generation create g2").await.ok();
    let both = async || {
        for projector in &projectors {
            let status = projector.client().status().await;
            let follows = in_database(&status, "g2")["phase"] != "waiting";
            if !follows || in_database(&status, "g2").is_null() {
                return None;
            }
        }
        Some(())
    };
    eventually("both projectors follow the log into g2", PATIENCE, both).await;
    flow.grows_by(50).await;
    let readers = Readers::start(&clients);
    let is_near = async || {
        let listed = site.weir("generation list --json").await.json();
        (listed[1]["id"] == "g2" && listed[1]["lag"].as_u64() < Some(500)).then_some(())
    };
    eventually("g2 has nearly caught up", PATIENCE, is_near).await;
    for generation in ["g2", "g1", "g2"] {
        promoted(&site, &clients, generation).await;
    }
    let (answered, met) = readers.stop().await;
    println!("{answered} answers, of {met:?}");
    for from in
        ["\"g1\" \"memory\"", "\"g1\" \"arangodb\"", "\"g2\" \"memory\"", "\"g2\" \"arangodb\""]
    {
        assert!(met.contains(from), "{from}: {met:?}");
    }
    assert!(!met.iter().any(|from| from.contains("partial")), "{met:?}");
    let sent = flow.stop().await;
    published(&gateway.client()).await;
    for generation in ["g1", "g2"] {
        site.drained(&projectors[0].client(), generation).await;
    }
    let (first, second) = (site.holds_the_log("g1").await, documents(&site.store("g2")).await);
    assert_eq!(first, second, "the same documents");
    let edges = second.values().filter(|(_, body)| body["eventId"].is_string()).count();
    assert_eq!(edges as u64, sent, "all that was accepted, once");
    let status = projectors[1].client().status().await;
    assert_eq!(in_database(&status, "g2")["state"], "active");
    assert_eq!(in_database(&status, "g1")["state"], "following");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_is_refused_to_whom_it_would_send_into_the_past() {
    let Some(site) = Site::failing().await else { return };
    let projector = site.on(Weir::projector()).start().await;
    let client = projector.client();
    publish(&site.nats.jetstream().await, events("far", 0..50)).await;
    site.drained(&client, "g1").await;
    refused(&site, "generation promote g2", "there is no generation g2").await;
    refused(&site, "generation promote g1", "g1 is active already").await;
    refused(&site, "generation create g1", "g1 exists already").await;
    site.weir("generation create g2").await.ok();
    site.drained(&client, "g2").await;
    site.stand_in().stop();
    publish(&site.nats.jetstream().await, events("far", 50..1_600)).await;
    refused(&site, "generation promote g2", "behind the log").await;
    site.stand_in().start_again();
    site.drained(&client, "g2").await;
    site.weir("generation promote g2").await.ok();
    refused(&site, "generation promote g2", "g2 is active already").await;
    site.drained(&client, "g1").await;
    site.holds_the_log("g1").await;
    site.holds_the_log("g2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_of_another_projection_is_not_touched_and_it_is_said_why() {
    let site = Site::migrated().await;
    let projector = site.on(Weir::projector()).start().await;
    let client = projector.client();
    publish(&site.nats.jetstream().await, events("other", 0..50)).await;
    site.drained(&client, "g1").await;
    // Made as by a weir with other event types: its database is there, and its record says so.
    site.weir("migrate apply --generation g2").await.ok();
    let store = site.nats.jetstream().await.get_key_value("WEIR").await.expect("the bucket");
    let record = store.get("generation.g1").await.expect("it answers").expect("it is there");
    let mut record: Value = serde_json::from_slice(&record).expect("JSON");
    (record["id"], record["fingerprint"]) = (json!("g2"), json!("00ff"));
    store.put("generation.g2", record.to_string().into()).await.expect("it is written");

    let says_why = |status: &Value| {
        let why = in_database(status, "g2")["waiting"].as_str().unwrap_or_default();
        why.contains("made by another projection (00ff") && why.contains("weir rebuild")
    };
    client.status_when("it is told why g2 is not written to", says_why).await;
    assert_eq!(client.ready("projector").await.status, 200, "g1 is what answers");
    refused(&site, "generation promote g2", "nothing follows the log into g2").await;
    publish(&site.nats.jetstream().await, events("other", 50..100)).await;
    site.drained(&client, "g1").await;
    assert!(documents(&site.store("g2")).await.is_empty(), "nobody touches it");

    site.weir("generation promote g2 --force").await.ok();
    let unready = async || {
        let ready = client.ready("projector").await;
        let told = ready.body["roles"][0]["degraded"].to_string();
        (ready.status == 503 && told.contains("made by another projection")).then_some(())
    };
    eventually("readiness says why", PATIENCE, unready).await;
    site.weir("generation promote g1").await.ok();
    let ready = async || (client.ready("projector").await.status == 200).then_some(());
    eventually("it is ready again", PATIENCE, ready).await;
    site.holds_the_log("g1").await;
}
