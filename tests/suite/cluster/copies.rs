//! How many copies there are, what they are worth, and who may do what.

use std::time::Duration;

use async_nats::jetstream::Context;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::command;

const DEADLINE: Duration = Duration::from_secs(30);

/// What doctor says as JSON, whatever it thinks of it.
async fn doctor(cluster: &Cluster) -> Value {
    let ended = cluster.weir("control", "doctor --json").await;
    serde_json::from_str(&ended.printed).unwrap_or_else(|_| panic!("no report: {ended:?}"))
}

fn settings(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("a list");
    findings.iter().map(|one| one["setting"].as_str().expect("a text").to_owned()).collect()
}

/// Publishes once and says whether it was acknowledged.
async fn publishes(context: &Context) -> bool {
    let event = json!({ "userId": "ann", "itemId": "tea" }).to_string();
    match context.publish("events.viewed", event.into()).await {
        Ok(sent) => sent.await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_grow_from_one_to_three_and_doctor_says_what_they_are_worth() {
    let Some(mut cluster) = Cluster::without_streams().await else { return };
    cluster.weir("control", "streams apply").await.ok();
    let alone = [("WEIR_NATS__REPLICAS", "1")];
    let lonely = cluster.weir_with("control", "streams apply", &alone).await.ok();
    assert!(lonely.contains("3 copies"), "no stream gets fewer: {lonely}");
    cluster.shrink_to_one_copy().await;
    let told = cluster.weir_with("control", "doctor", &alone).await.printed;
    assert!(told.contains("EVENTS: num_replicas is 1, it should be 3"), "{told}");
    assert_eq!(cluster.weir("control", "doctor").await.code, Some(1), "three are set");

    let applied = cluster.weir("control", "streams apply").await.ok();
    assert!(applied.contains("EVENTS") && applied.contains("3 copies"), "{applied}");
    cluster.whole().await;
    let report = doctor(&cluster).await;
    let promise = json!({ "holds": true, "disks": 2, "replicas": 3, "spare": 1 });
    assert_eq!((&report["promise"], settings(&report)), (&promise, Vec::new()), "{report:#}");
    let text = cluster.weir("control", "doctor").await.ok();
    assert!(text.contains("holds: what is acknowledged is synced on 2 of 3 disks"), "{text}");

    let leader = cluster.leader(None).await;
    let other = leader % 3 + 1;
    cluster.kill(other);
    let offline = format!("EVENTS: the copy on n{other}");
    let report = eventually("doctor tells of the node that is away", DEADLINE, async || {
        Some(doctor(&cluster).await).filter(|report| settings(report).contains(&offline))
    });
    let report = report.await;
    assert_eq!(report["promise"]["holds"], Value::Null, "it does not say whether it syncs");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_may_do_its_part_and_nothing_else() {
    let Some(cluster) = Cluster::start().await else { return };
    let producer = cluster.context("producer").await;
    assert!(publishes(&producer).await);
    assert!(producer.get_stream("EVENTS").await.is_err(), "a producer looks at nothing");
    let weir = cluster.context("weir").await;
    assert!(publishes(&weir).await);
    assert!(weir.get_stream("EVENTS").await.is_ok());
    for stream in ["EVENTS", "KV_WEIR"] {
        assert!(weir.delete_stream(stream).await.is_err(), "{stream}");
    }
    let log = weir.get_stream("EVENTS").await.expect("it is there");
    assert!(log.purge().await.is_err());
    assert!(log.delete_message(1).await.is_err());
    assert!(!forges_a_key(&weir).await, "weir's processes make no keys");
    let control = cluster.context("control").await;
    let mut log = control.get_stream("EVENTS").await.expect("it is there");
    assert_eq!(log.info().await.expect("it answers").state.messages, 2);
    assert!(log.delete_message(1).await.is_ok());
}

async fn forges_a_key(context: &Context) -> bool {
    match context.publish("$KV.WEIR_KEYS.forged", "{}".into()).await {
        Ok(sent) => sent.await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_copies_on_one_server_are_refused_with_what_to_do() {
    let server = NatsServer::start();
    server.jetstream().await;
    let mut command = command();
    command.args(["streams", "apply", "--nats-url", &server.url()]);
    command.env("WEIR_NATS__REPLICAS", "3").env("WEIR_NATS__MAX_BYTES", "512MiB");
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
    let output = output.expect("weir runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("3 copies of the stream EVENTS have no place now"), "{said}");
    assert!(said.contains("set nats.replicas = 1"), "{said}");
}
