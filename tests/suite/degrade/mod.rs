//! What is away, slow or wrong costs only its own part: real processes, a real nats-server, and an ArangoDB.
//!
//! Where nothing but the content counts, the tests run on a real server too; what has to be made to fail
//! needs the stand-in, and is skipped there.

mod generations;
mod latency;
mod outage;
mod queues;
mod reads;
mod takeover;
mod undecodable;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;
use serde_json::Value;

use crate::support::Waiting;
use crate::support::client::{Client, PATIENCE};
use crate::support::load::{Produced, numbered};
use crate::support::nats::NatsServer;
use crate::support::site::Documents;

/// Waits until everything that a gateway has is in the stream.
pub async fn published(gateway: &Client) -> Value {
    let all = |status: &Value| {
        status["relay"]["sound"] == true
            && status["nats"]["lastSeq"].is_u64()
            && status["wal"]["published"] == status["wal"]["highWater"]
            && status["relay"]["cursor"] == status["wal"]["highWater"]
    };
    gateway.status_when("everything is published", all).await
}

/// Publishes events past weir, as another producer does, each with the id of its own as `Nats-Msg-Id`, until
/// all are stored.
async fn publish(context: &Context, events: impl IntoIterator<Item = Value>) {
    let mut left: Vec<Value> = events.into_iter().collect();
    let waiting = Waiting::until("everything is stored", PATIENCE);
    loop {
        let storing = left.iter().map(|event| async { publish_once(context, event).await.is_ok() });
        let stored = futures_util::future::join_all(storing).await;
        let mut stored = stored.into_iter();
        left.retain(|_| !stored.next().expect("one an event"));
        if left.is_empty() {
            return;
        }
        waiting.look_again().await;
    }
}

async fn publish_once(context: &Context, event: &Value) -> Result<(), PublishError> {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", event["eventId"].as_str().expect("an id"));
    let subject = format!("events.{}", event["eventType"].as_str().expect("a type"));
    context.publish_with_headers(subject, headers, event.to_string().into()).await?.await?;
    Ok(())
}

/// Numbered events of a user.
fn events(user: &str, numbers: std::ops::Range<u64>) -> impl Iterator<Item = Value> {
    numbers.map(move |number| numbered(user, number))
}

/// Holds that the documents have an edge for everything that was promised to producers.
fn holds_what_was_accepted(documents: &Documents, produced: &[Produced]) {
    let here: std::collections::HashSet<&str> =
        documents.values().filter_map(|(_, body)| body["eventId"].as_str()).collect();
    for producer in produced {
        let lost: Vec<_> =
            producer.accepted.iter().filter(|id| !here.contains(id.as_str())).collect();
        assert!(lost.is_empty(), "{} events of {} are lost: {lost:?}", lost.len(), producer.user);
    }
}

/// Messages in the hands of all workers of the first generation.
async fn in_hand(nats: &NatsServer) -> usize {
    let stream = nats.jetstream().await.get_stream("EVENTS").await.expect("the stream is there");
    let consumer = stream.consumer_info("projector-g1").await;
    consumer.map_or(0, |info| info.num_ack_pending)
}
