//! ArangoDB away, slow, or saying strange things: events wait where they are, and go on by themselves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::arango::FaultBuilder;
use crate::support::client::{Client, PATIENCE, text};
use crate::support::eventually;
use crate::support::load::Load;
use crate::support::seed::Seed;
use crate::support::site::{Site, in_database};
use crate::support::weir::{Builder, Weir};

use super::{events, holds_what_was_accepted, in_hand, publish, published};

const BATCH: usize = 50;

/// A projector that has little in hand and soon gives a request up.
fn projector(site: &Site) -> Builder {
    let settings = [
        ("projector.batch_events", "50"),
        ("arango.request_timeout", "1s"),
        ("arango.query_timeout", "1s"),
    ];
    settings
        .into_iter()
        .fold(site.on(Weir::projector()), |builder, (key, value)| builder.set(key, value))
}

/// Waits until the breaker is open; returns what is told of the generation.
async fn opened(client: &Client) -> Value {
    let open = |status: &Value| in_database(status, "g1")["breakerOpen"] == true;
    let status = client.status_when("the breaker is open", open).await;
    in_database(&status, "g1").clone()
}

/// Holds that all was quiet: nothing parked, the breaker closed, ready.
async fn is_sound(client: &Client) {
    let sound = |status: &Value| in_database(status, "g1")["breakerOpen"] == false;
    let status = client.status_when("the breaker is closed", sound).await;
    assert_eq!(in_database(&status, "g1")["parked"], 0, "{status:#}");
    let ready = client.ready("projector").await;
    assert_eq!((ready.status, &ready.body["roles"][0]["degraded"]), (200, &json!([])));
}

/// Waits until a role's readiness is as asked and names something.
async fn readiness(client: &Client, status: u16, names: &str) {
    let told = async || {
        let answer = client.ready("projector").await;
        let named = answer.body["roles"][0]["degraded"].to_string().contains(names);
        (answer.status == status && named).then_some(())
    };
    eventually(&format!("readiness is {status} and names {names:?}"), PATIENCE, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_arangodb_is_down_events_wait_in_the_log_and_everything_else_goes_on() {
    let Some(site) = Site::failing().await else { return };
    let seed = Arc::new(Seed::new());
    let gateway = site.on(Weir::gateway()).start().await;
    let api = site.on(Weir::api()).start().await;
    let projector = projector(&site).start().await;
    let client = projector.client();
    let load = Load::start("outage", &gateway.client(), 2, &seed);
    let works = |status: &Value| in_database(status, "g1")["events"].as_u64() > Some(100);
    client.status_when("the projector applies events", works).await;
    site.stand_in().stop();
    let graph = opened(&client).await;
    assert_eq!(graph["lastFailure"]["code"], "unreachable", "{graph:#}");
    readiness(&client, 503, "ArangoDB does not take events: they wait in the log").await;
    let metrics = reqwest::get(format!("{}/metrics", client.admin_url())).await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    assert!(metrics.contains("weir_projector_failures_total{code=\"unreachable\"}"), "{metrics}");
    assert!(metrics.contains("weir_projector_breaker_open{generation=\"g1\"} 1"), "{metrics}");

    load.grows_by(1_000).await;
    assert_eq!((load.refused(), load.unanswered()), (0, 0), "the gateway noticed nothing");
    let produced = load.stop().await;
    let last = published(&gateway.client()).await["nats"]["lastSeq"].clone();
    // What two workers have in hand and fetched ahead; the rest stays in the log.
    let held = in_hand(&site.nats).await;
    assert!(held <= 2 * 3 * BATCH, "{held} are pulled from the log");
    let status = client.status().await;
    let graph = in_database(&status, "g1");
    assert!(graph["lag"].as_u64() > Some(800), "{graph:#}");
    assert_eq!((&graph["parked"], &graph["breakerOpen"]), (&json!(0), &json!(true)));
    println!("{} events wait in RETRY, {} in the log", graph["retrying"], graph["lag"]);
    assert!(graph["retrying"].as_u64() <= Some(10), "{graph:#}");
    // Reads are of the image, which is up to date.
    let applied = |status: &Value| status["generations"][0]["appliedThrough"] == last;
    api.client().status_when("the image has everything", applied).await;
    for producer in &produced {
        producer.is_in_history_once(&api.client()).await;
        let answer = api.client().recommendations(&producer.user, "").await;
        assert_eq!(answer["source"], "memory");
    }
    assert_eq!(api.client().ready("api").await.status, 200);

    site.stand_in().start_again();
    site.drained(&client, "g1").await;
    is_sound(&client).await;
    holds_what_was_accepted(&site.holds_the_log("g1").await, &produced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_arangodb_is_waited_for_and_one_that_is_too_slow_is_left_alone_for_a_while() {
    let Some(site) = Site::failing().await else { return };
    let projector = projector(&site).start().await;
    let client = projector.client();
    let context = site.nats.jetstream().await;
    site.stand_in().fault("slow").writes().slow(Duration::from_millis(300));
    publish(&context, events("slow", 0..150)).await;
    let status = site.drained(&client, "g1").await;
    assert_eq!(in_database(&status, "g1")["lastFailure"], Value::Null, "nothing failed");
    site.stand_in().clear_faults();

    // What was asked is done all the same, so what is sent again meets itself.
    site.stand_in().fault("too slow").writes().slow(Duration::from_millis(1_500));
    publish(&context, events("slow", 150..300)).await;
    let graph = opened(&client).await;
    assert_eq!(graph["lastFailure"]["code"], "timeout", "{graph:#}");
    readiness(&client, 503, "ArangoDB").await;
    site.stand_in().clear_faults();
    site.drained(&client, "g1").await;
    is_sound(&client).await;
    site.holds_the_log("g1").await;
}

/// What may happen to a write, by name.
fn strange<'a>() -> [(&'static str, fn(FaultBuilder<'a>)); 9] {
    [
        ("503", FaultBuilder::unavailable),
        ("503 without JSON", FaultBuilder::unavailable_without_json),
        ("cut before", FaultBuilder::cut_before),
        ("cut after the write", FaultBuilder::cut_after_write),
        ("no JSON", FaultBuilder::no_json),
        ("too short", FaultBuilder::too_short),
        ("queue full", FaultBuilder::queue_full),
        ("queue too slow", FaultBuilder::queue_too_slow),
        ("token expired", FaultBuilder::unauthorized),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_answers_and_broken_connections_lose_nothing_and_double_nothing() {
    let Some(site) = Site::failing().await else { return };
    let projector = projector(&site).start().await;
    let client = projector.client();
    let context = site.nats.jetstream().await;
    for (number, (name, install)) in (0..).zip(strange()) {
        install(site.stand_in().fault(name).writes().times(2));
        publish(&context, events("strange", number * 40..(number + 1) * 40)).await;
        site.drained(&client, "g1").await;
        assert!(site.stand_in().struck(name) > 0, "{name} was met");
    }
    let given = site.stand_in().tokens_given();
    site.stand_in().expire_tokens();
    publish(&context, events("strange", 1_000..1_100)).await;
    site.drained(&client, "g1").await;
    assert!(site.stand_in().tokens_given() > given, "it logged in again");
    is_sound(&client).await;
    site.holds_the_log("g1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_without_a_database_says_what_to_run_and_goes_on_by_itself() {
    let site = Site::bare();
    let projector = projector(&site).start().await;
    let client = projector.client();
    readiness(&client, 503, "run weir migrate apply").await;
    publish(&site.nats.jetstream().await, events("early", 0..50)).await;
    let waits = |status: &Value| {
        let why = in_database(status, "g1")["waiting"].as_str().unwrap_or_default();
        why.contains("weir migrate apply --generation g1")
    };
    client.status_when("it is told what to run", waits).await;
    assert!(!projector.log().contains("cannot be remembered"), "it reads nothing without NATS");
    site.weir("migrate apply --generation g1").await.ok();
    site.drained(&client, "g1").await;
    is_sound(&client).await;
    site.holds_the_log("g1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_old_is_not_written_to() {
    let Some(site) = Site::failing().await else { return };
    site.stand_in().set_version("3.11.8");
    let projector = projector(&site).start().await;
    let client = projector.client();
    publish(&site.nats.jetstream().await, events("old", 0..20)).await;
    let waits = |status: &Value| text_of(&in_database(status, "g1")["waiting"]).contains("3.11.8");
    let status = client.status_when("it is told that the server is too old", waits).await;
    assert!(text(&in_database(&status, "g1")["waiting"]).contains("3.12"), "{status:#}");
    readiness(&client, 503, "3.11.8").await;
    assert_eq!(site.stand_in().count(&site.database("g1"), "viewed"), 0);
    site.stand_in().set_version("3.12.4");
    site.drained(&client, "g1").await;
    is_sound(&client).await;
    site.holds_the_log("g1").await;
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
