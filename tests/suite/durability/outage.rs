//! NATS away under load: the gateway goes on, and everything arrives afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::{PATIENCE, digest, is_settled};
use crate::support::eventually;
use crate::support::load::Load;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;
use crate::support::weir::Weir;

use super::{digest_from_nothing, has_history, post};

/// How long NATS is away: `WEIR_TEST_OUTAGE_S` in seconds, else long enough for every timeout to pass once.
fn outage() -> Duration {
    let given = std::env::var("WEIR_TEST_OUTAGE_S").ok();
    Duration::from_secs(
        given.map_or(3, |text| text.parse().expect("WEIR_TEST_OUTAGE_S is seconds")),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_accepts_while_nats_is_away_and_everything_arrives_afterwards() {
    let seed = Arc::new(Seed::new());
    let mut server = NatsServer::start();
    let weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    client.settled().await;
    let load = Load::start("away", &client, 3, &seed);
    load.grows_by(50).await;
    server.kill();
    let away = Instant::now();
    let degraded = eventually("it is told that NATS is away", PATIENCE, async || {
        Some(client.ready("gateway").await)
            .filter(|answer| answer.body["roles"][0]["degraded"] != json!([]))
    });
    let degraded = degraded.await;
    assert_eq!((degraded.status, &degraded.body["roles"][0]["ready"]), (200, &json!(true)));
    while away.elapsed() < outage() {
        load.grows_by(10).await;
    }
    assert_eq!(client.ready("gateway").await.status, 200);
    assert_eq!(client.ready("projector").await.status, 503);
    let status = client.status().await;
    assert_eq!(status["nats"]["connected"], false);
    assert!(status["wal"]["highWater"].as_u64() > status["wal"]["published"].as_u64());

    server.restart();
    load.grows_by(50).await;
    assert_eq!((load.refused(), load.unanswered()), (0, 0), "every request was accepted at once");
    let produced = load.stop().await;
    // A long outage leaves much to publish.
    let patience = PATIENCE + 2 * outage();
    let status = client.status_within(patience, "everything is applied", is_settled).await;
    for producer in produced {
        assert!(producer.unsure.is_empty());
        producer.is_in_history_once(&client).await;
    }
    assert_eq!(client.get("/health/ready").await.status, 200);
    assert_eq!(digest(&status), digest_from_nothing(&server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_weir_is_ready_again_when_nats_is_back() {
    let mut server = NatsServer::start();
    let weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    client.settled().await;
    server.kill();
    client
        .status_when("NATS is away", |status| status["generations"][0]["phase"] == "waiting")
        .await;
    server.restart();
    client.settled().await;
    assert_eq!(client.get("/health/ready").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn weir_starts_without_nats_and_keeps_what_it_accepts() {
    let mut server = NatsServer::start();
    server.kill();
    let mut weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    post(&client, "early", 0..100).await;
    weir.kill();
    weir.start_again().await;
    post(&client, "early", 100..200).await;
    server.restart();
    client
        .status_when("everything is applied", |status| {
            is_settled(status) && status["nats"]["lastSeq"] == 200
        })
        .await;
    has_history(&client, "early", 0..200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_refuses_with_a_time_to_retry_and_takes_events_again_by_itself() {
    let mut server = NatsServer::start();
    server.kill();
    let builder = Weir::dev()
        .nats(&server)
        .set("wal.max_bytes", "4MiB")
        .set("wal.segment_bytes", "1MiB")
        .set("wal.grace_bytes", "0B");
    let weir = builder.start().await;
    let client = weir.client();
    let note = "x".repeat(20_000);
    let mut accepted = Vec::new();
    let refused = loop {
        let id = format!("full-{}", accepted.len());
        let event = json!({"userId": "full", "itemId": "i", "eventType": "viewed", "eventId": id, "timestamp": 1_750_000_000 + accepted.len(), "properties": {"note": note}});
        let answer = client.post(&event).await;
        if answer.status != 202 {
            break answer;
        }
        accepted.push(id);
        assert!(accepted.len() < 1_000, "the log has no end");
    };
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("log_full")));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(client.ready("gateway").await.status, 503);

    server.restart();
    let again = async || {
        (client
            .post(
                &json!({"userId": "full", "itemId": "i", "eventType": "viewed", "eventId": "last"}),
            )
            .await
            .status
            == 202)
            .then_some(())
    };
    eventually("events are taken again", PATIENCE, again).await;
    client.settled().await;
    accepted.push("last".to_owned());
    accepted.reverse();
    assert_eq!(client.event_ids("full").await, accepted);
    assert_eq!(client.ready("gateway").await.status, 200);
}
