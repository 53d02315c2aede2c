//! Messages that are no events: parked once each, by whoever follows the log, and in nobody's way.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::client::{Client, text};
use crate::support::load::numbered;
use crate::support::nats::NatsServer;
use crate::support::site::{Site, in_database, is_drained};
use crate::support::weir::{Weir, command};

use super::{events, publish};

/// Nonsense by the reason for which it is parked: its subject and its body.
fn nonsense() -> Vec<(&'static str, &'static str, String)> {
    let sound = numbered("nobody", 1);
    let other_type = numbered("nobody", 2).to_string().replace("\"viewed\"", "\"liked\"");
    let mut large = numbered("nobody", 3);
    large["properties"] = json!({"note": "x".repeat(40_000)});
    vec![
        ("malformed_json", "events.viewed", "{\"userId\": \"nobody\", ".to_owned()),
        ("invalid_event", "events.viewed", json!({"userId": "nobody"}).to_string()),
        ("type_mismatch", "events.viewed", other_type),
        ("unknown_type", "events.teleported", sound.to_string()),
        ("too_large", "events.viewed", large.to_string()),
    ]
}

/// Publishes sound events with nonsense between them; returns how many messages there are.
async fn publish_all(server: &NatsServer) -> u64 {
    let context = server.jetstream().await;
    publish(&context, events("sound", 0..50)).await;
    for (_, subject, body) in nonsense() {
        context.publish(subject, body.into()).await.expect("it is sent").await.expect("stored");
    }
    publish(&context, events("sound", 50..100)).await;
    100 + nonsense().len() as u64
}

/// Holds that each piece of nonsense is one entry that tells where it is from.
fn is_all_of_it(entries: &Value) {
    let entries = entries["entries"].as_array().expect("a list");
    let found: BTreeMap<String, &Value> =
        entries.iter().map(|entry| (text(&entry["reason"]), entry)).collect();
    assert_eq!((entries.len(), found.len()), (nonsense().len(), nonsense().len()), "{entries:#?}");
    for (sequence, (reason, subject, _)) in (51..).zip(nonsense()) {
        let entry = found[reason];
        assert_eq!((&entry["sequence"], &entry["subject"]), (&json!(sequence), &json!(subject)));
        assert!(entry["attempts"] == 1 && !text(&entry["error"]).is_empty(), "{entry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_no_events_are_parked_by_projectors_and_stop_nothing() {
    let site = Site::migrated().await;
    let mut projector = site.on(Weir::projector()).start().await;
    let client = projector.client();
    let messages = publish_all(&site.nats).await;
    let done = |status: &Value| {
        status["nats"]["lastSeq"] == messages
            && is_drained(status, "g1")
            && in_database(status, "g1")["parked"] == nonsense().len()
    };
    let status = client.status_when("all is applied or parked", done).await;
    assert_eq!(in_database(&status, "g1")["undecodable"], nonsense().len());
    is_all_of_it(&site.weir("parked list --json").await.json());
    // The same again after a kill, and after the whole log was delivered once more.
    projector.kill();
    let stream = site.nats.jetstream().await.get_stream("EVENTS").await.expect("the stream");
    stream.delete_consumer("projector-g1").await.expect("it is gone");
    projector.start_again().await;
    let again = |status: &Value| {
        done(status) && in_database(status, "g1")["undecodable"] == nonsense().len()
    };
    client.status_when("all is applied or parked again", again).await;
    is_all_of_it(&site.weir("parked list --json").await.json());
    let found = site.holds_the_log("g1").await;
    assert!(!found.keys().any(|(_, key)| key == "nobody"), "nothing of it is applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_no_events_are_parked_by_a_weir_without_a_database_too() {
    let server = NatsServer::start();
    let mut weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    client.settled().await;
    let messages = publish_all(&server).await;
    let done = |status: &Value| {
        let graph = &status["generations"][0];
        graph["appliedThrough"] == messages
            && graph["undecodable"] == nonsense().len()
            && graph["parked"] == nonsense().len()
    };
    client.status_when("all is applied or parked", done).await;
    is_all_of_it(&listed(&server).await);
    // Without a snapshot it reads everything again.
    weir.kill();
    weir.start_again().await;
    client.status_when("all is applied or parked again", done).await;
    is_all_of_it(&listed(&server).await);
    holds_the_sound_ones(&client).await;
}

async fn holds_the_sound_ones(client: &Client) {
    assert_eq!(client.event_ids("sound").await.len(), 100);
    assert!(client.event_ids("nobody").await.is_empty(), "nothing of it is applied");
}

async fn listed(server: &NatsServer) -> Value {
    let mut list = command();
    list.args(["parked", "list", "--json"]).env("WEIR_NATS__URL", server.url());
    list.env("WEIR_PARKED__MAX_BYTES", "64MiB");
    let listing = tokio::task::spawn_blocking(move || list.output().expect("weir runs"));
    let told = listing.await.expect("it does not panic");
    serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"))
}
