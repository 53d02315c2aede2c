//! Workers that come and go, and a log that comes back shorter: nothing is lost, and nothing needs anybody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::client::{Client, PATIENCE};
use crate::support::eventually;
use crate::support::load::Load;
use crate::support::seed::Seed;
use crate::support::site::{Site, in_database};
use crate::support::weir::{Builder, Weir};

use super::{events, holds_what_was_accepted, in_hand, publish, published};

/// A projector whose messages are soon given to others if it is killed.
fn projector(site: &Site) -> Builder {
    let builder = site.on(Weir::projector());
    let times = [("projector.ack_wait", "2s"), ("arango.request_timeout", "2s")];
    times.into_iter().fold(builder, |builder, (key, value)| builder.set(key, value))
}

/// Waits until a projector applies.
async fn works(client: &Client) {
    let works = |status: &Value| in_database(status, "g1")["events"].as_u64() > Some(0);
    client.status_when("the projector applies events", works).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projectors_killed_stopped_and_added_under_load_lose_nothing_and_double_nothing() {
    let seed = Arc::new(Seed::new());
    let site = Site::migrated().await;
    let gateway = site.on(Weir::gateway()).start().await;
    let (mut killed, mut stopped) =
        (projector(&site).start().await, projector(&site).start().await);
    let mut load = Load::start("shared", &gateway.client(), 2, &seed);
    load.publish_directly(site.nats.jetstream().await);
    works(&killed.client()).await;
    works(&stopped.client()).await;
    load.grows_by(200).await;
    killed.kill();
    load.grows_by(200).await;
    let added = projector(&site).start().await;
    works(&added.client()).await;
    stopped.stop().await;
    load.grows_by(200).await;
    assert_eq!((load.refused(), load.unanswered()), (0, 0), "the gateway noticed nothing");
    let produced = load.stop().await;
    published(&gateway.client()).await;
    site.drained(&added.client(), "g1").await;
    holds_what_was_accepted(&site.holds_the_log("g1").await, &produced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nats_server_killed_under_load_costs_projectors_nothing() {
    let seed = Arc::new(Seed::new());
    let mut site = Site::migrated().await;
    let gateway = site.on(Weir::gateway()).start().await;
    let (one, other) = (projector(&site).start().await, projector(&site).start().await);
    let mut load = Load::start("broken", &gateway.client(), 2, &seed);
    load.publish_directly(site.nats.jetstream().await);
    works(&one.client()).await;
    works(&other.client()).await;
    for _ in 0..2 {
        load.grows_by(seed.pick(20..200)).await;
        site.nats.kill();
        site.nats.restart();
    }
    load.grows_by(100).await;
    let produced = load.stop().await;
    published(&gateway.client()).await;
    site.drained(&one.client(), "g1").await;
    site.drained(&other.client(), "g1").await;
    holds_what_was_accepted(&site.holds_the_log("g1").await, &produced);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_is_stopped_gives_back_at_once_what_it_has_in_hand() {
    let Some(site) = Site::failing().await else { return };
    // Nobody can wait for the server to give them back.
    let patient = || site.on(Weir::projector()).set("projector.ack_wait", "10min");
    let mut first = patient().start().await;
    let context = site.nats.jetstream().await;
    publish(&context, events("before", 0..10)).await;
    site.drained(&first.client(), "g1").await;
    site.stand_in().fault("late").writes().slow(Duration::from_secs(5));
    publish(&context, events("held", 0..3_000)).await;
    // How many a worker takes at once depends on how they came.
    let held = async || (in_hand(&site.nats).await >= 300).then_some(());
    eventually("workers have messages in hand", PATIENCE, held).await;
    first.stop().await;
    site.stand_in().clear_faults();
    let began = Instant::now();
    let second = patient().start().await;
    site.drained(&second.client(), "g1").await;
    println!("taken over within {:?} of the start of another", began.elapsed());
    site.holds_the_log("g1").await;
}

/// Waits until the place is marked through a sequence.
async fn marked(site: &Site, through: u64) {
    let store = site.nats.jetstream().await.get_key_value("WEIR").await.expect("the bucket");
    let is_marked = async || {
        let way = store.get("progress.g1").await.ok().flatten()?;
        let way: Value = serde_json::from_slice(&way).ok()?;
        way.to_string().contains(&format!("\"sequence\":{through}")).then_some(())
    };
    eventually("the place is marked", PATIENCE, is_marked).await;
}

/// The messages come back as they were before, the consumer and its marks do not; then others follow, past the
/// consumer's place, and what was lost is published again.
async fn cut_back(stays: bool) {
    let mut site = Site::migrated().await;
    let mut projector = projector(&site).start().await;
    let context = site.nats.jetstream().await;
    publish(&context, events("early", 0..120)).await;
    site.drained(&projector.client(), "g1").await;
    site.nats.stop();
    let copy = site.nats.save_files();
    site.nats.restart();
    let context = site.nats.jetstream().await;
    publish(&context, events("late", 0..100)).await;
    site.drained(&projector.client(), "g1").await;
    marked(&site, 220).await;
    if !stays {
        projector.kill();
    }
    site.nats.kill();
    site.nats.restore_messages(copy.path(), "EVENTS");
    site.nats.restart();
    let context = site.nats.jetstream().await;
    publish(&context, events("other", 0..90)).await;
    publish(&context, events("late", 0..100)).await;
    if !stays {
        projector.start_again().await;
    }
    let whole = |status: &Value| {
        status["nats"]["lastSeq"] == 310 && crate::support::site::is_drained(status, "g1")
    };
    projector.client().status_when("the other log is read", whole).await;
    assert!(projector.log().contains("reading it again"), "weir noticed, and not the server alone");
    let found = site.holds_the_log("g1").await;
    let edges = found.values().filter(|(_, body)| body["eventId"].is_string()).count();
    assert_eq!(edges, 310, "early, late and other");
    publish(&context, events("after", 0..10)).await;
    let more = |status: &Value| {
        status["nats"]["lastSeq"] == 320 && crate::support::site::is_drained(status, "g1")
    };
    projector.client().status_when("what comes then is read", more).await;
    site.holds_the_log("g1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_cut_back_and_grown_past_the_consumers_place_is_read_again_while_a_projector_runs() {
    cut_back(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_cut_back_and_grown_past_the_consumers_place_is_read_again_after_a_start() {
    cut_back(false).await;
}
