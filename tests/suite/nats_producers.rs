//! Producers that publish to the stream themselves, and what is no event among their messages.

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use serde_json::{Value, json};

use crate::support::client::{Client, event, text};
use crate::support::nats::{NatsServer, jetstream};
use crate::support::weir::Weir;

/// Publishes and waits for the acknowledgement; returns the sequence.
async fn publish(context: &Context, event_type: &str, body: impl Into<bytes::Bytes>) -> u64 {
    publish_as(context, event_type, "", body).await
}

async fn publish_as(
    context: &Context,
    event_type: &str,
    id: &str,
    body: impl Into<bytes::Bytes>,
) -> u64 {
    let mut headers = HeaderMap::new();
    if !id.is_empty() {
        headers.insert("Nats-Msg-Id", id);
    }
    let sent =
        context.publish_with_headers(format!("events.{event_type}"), headers, body.into()).await;
    sent.unwrap().await.unwrap().sequence
}

/// A weir with a server of its own, once the stream is there, and a producer at that server.
async fn weir_and_producer() -> (NatsServer, Weir, Client, Context) {
    let server = NatsServer::start();
    let weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    client.settled().await;
    let context = server.jetstream().await;
    (server, weir, client, context)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_an_event_and_fills_what_its_body_leaves_open() {
    let (_server, _weir, client, context) = weir_and_producer().await;
    let body = json!({"userId": "nina", "itemId": "i"}).to_string();
    let bare = publish(&context, "viewed", body.clone()).await;
    publish_as(&context, "liked", "by-header", body).await;
    let full = json!({"userId": "nina", "itemId": "i", "eventType": "purchased", "eventId": "by-body", "timestamp": "2024-01-01T00:00:00Z", "source": "till"});
    publish_as(&context, "purchased", "another-name", full.to_string()).await;
    let status = client.settled().await;
    let history = client.history("nina").await;
    let ids: Vec<String> = history.iter().map(|event| text(&event["eventId"])).collect();
    let epoch = text(&status["nats"]["epoch"]);
    assert_eq!(ids, ["by-header".to_owned(), format!("x-{epoch}-{bare}"), "by-body".to_owned()]);
    let types: Vec<String> = history.iter().map(|event| text(&event["eventType"])).collect();
    assert_eq!(types, ["liked", "viewed", "purchased"]);
    assert_eq!(
        (&history[2]["timestamp"], &history[2]["source"]),
        (&json!("2024-01-01T00:00:00.000Z"), &json!("till"))
    );
    // Without a time of its own an event has the stream's, which is now.
    assert!(text(&history[1]["timestamp"]).as_str() > "2025-01-01");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_can_publish_to_the_server_that_weir_started() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let status = client.settled().await;
    let context = jetstream(&text(&status["nats"]["url"])).await;
    for number in 0..50 {
        publish(&context, "viewed", json!({"userId": "nina", "itemId": number}).to_string()).await;
    }
    client.settled().await;
    assert_eq!(client.history("nina").await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_in_lead_to_one_event_when_it_has_one_id() {
    let (_server, _weir, client, context) = weir_and_producer().await;
    let mut twice = event("purchased", "nina", "i");
    twice["eventId"] = json!("order-1");
    twice["timestamp"] = json!("2024-01-01T00:00:00Z");
    client.post(&twice).await.ok();
    publish(&context, "purchased", twice.to_string()).await;
    publish(&context, "purchased", twice.to_string()).await;
    let status = client.settled().await;
    assert_eq!(status["nats"]["messages"], 3);
    assert_eq!(client.history("nina").await.len(), 1);
}

/// Messages that are no events: the subject's type, the body, and what is told of it.
fn nonsense() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = json!({"userId": "nina", "itemId": "i"}).to_string().into_bytes();
    let large = json!({"userId": "nina", "itemId": "i", "note": "x".repeat(40 * 1024)})
        .to_string()
        .into_bytes();
    vec![
        ("viewed", b"not JSON".to_vec(), "malformed JSON"),
        ("viewed", Vec::new(), "malformed JSON"),
        ("viewed", b"\xff\xfe\x00".to_vec(), "malformed JSON"),
        ("viewed", b"[]".to_vec(), "must be an object"),
        ("viewed", b"{}".to_vec(), "userId is required"),
        ("viewed", br#"{"userId": {}, "itemId": "i"}"#.to_vec(), "must be a string or an integer"),
        (
            "viewed",
            br#"{"userId": "nina", "itemId": "i", "timestamp": "never"}"#.to_vec(),
            "neither RFC 3339",
        ),
        (
            "viewed",
            br#"{"userId": "nina", "itemId": "i", "schemaVersion": 999}"#.to_vec(),
            "schema",
        ),
        ("viewed", large, "bytes"),
        ("teleported", good.clone(), "not configured"),
        ("viewed.twice", good.clone(), "must be events.<type>"),
        (
            "viewed",
            br#"{"userId": "nina", "itemId": "i", "eventType": "purchased"}"#.to_vec(),
            "not the type that the subject names",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_on_the_stream_is_counted_and_shown_and_never_stops_the_flow() {
    let (_server, weir, client, context) = weir_and_producer().await;
    let mut number = 0;
    for (event_type, body, reason) in nonsense() {
        let sequence = publish(&context, event_type, body).await;
        number += 1;
        // What stands behind it arrives all the same.
        publish(&context, "viewed", json!({"userId": "after", "itemId": number}).to_string()).await;
        let status = client.settled().await;
        let generation = &status["generations"][0];
        assert_eq!((&generation["undecodable"], &generation["lag"]), (&json!(number), &json!(0)));
        let last = &generation["lastUndecodable"];
        assert_eq!(
            (&last["sequence"], &last["subject"]),
            (&json!(sequence), &json!(format!("events.{event_type}")))
        );
        assert!(text(&last["reason"]).contains(reason), "{reason:?} in {last}");
        assert_eq!(client.history("after").await.len(), number);
    }
    assert_eq!(client.history("nina").await, Vec::<Value>::new());
    assert_eq!(client.get("/health/ready").await.status, 200);
    assert!(weir.log().contains("a message of the log is no event"));
}
