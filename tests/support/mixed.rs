//! Producers of events of all kinds with few ids: copies that differ, retractions before what they take back,
//! profiles, and now and then what is no event.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Client, PATIENCE};
use super::load::Pace;
use super::seed::Seed;

/// Ids there are: each comes often, as several kinds of events.
const IDS: u64 = 400;
/// When all of it happened, give or take some seconds.
const BEGIN_MS: u64 = 1_750_000_000_000;

/// Some producers at work.
pub struct Mixed {
    stop: CancellationToken,
    producers: JoinSet<HashSet<String>>,
}

impl Mixed {
    /// Starts one over HTTP and one past weir.
    pub fn start(client: &Client, context: Context, seed: &Arc<Seed>, pause: Duration) -> Self {
        let (stop, mut producers) = (CancellationToken::new(), JoinSet::new());
        producers.spawn(post(client.clone(), seed.clone(), pause, stop.clone()));
        producers.spawn(publish(context, seed.clone(), pause, stop.clone()));
        Self { stop, producers }
    }

    /// Returns the ids of all events that were accepted.
    pub async fn stop(self) -> HashSet<String> {
        self.stop.cancel();
        let produced = tokio::time::timeout(PATIENCE, self.producers.join_all()).await;
        produced.expect("producers end in time").into_iter().flatten().collect()
    }
}

/// One event. Its user and item are mostly those of its id, so that retractions meet what they take back.
pub fn mixed(seed: &Seed) -> Value {
    let number = seed.pick(0..IDS);
    let of = if seed.once_in(8) { seed.pick(0..IDS) } else { number };
    let (user, item) = (format!("mixed-{}", of % 7), format!("item-{}", of % 31));
    let id = format!("mixed-{number}");
    let mut event = json!({
        "userId": user, "itemId": item, "eventId": id,
        "timestamp": BEGIN_MS + 1_000 * seed.pick(0..5),
    });
    let kinds = ["viewed", "purchased", "purchased", "liked", "refunded", "refunded", "unliked"];
    let rare = ["user_profile", "item_profile", "searched", "rated"];
    let kind = if seed.once_in(5) { *seed.one_of(&rare) } else { *seed.one_of(&kinds) };
    event["eventType"] = json!(kind);
    let whole = event.as_object_mut().expect("an object");
    match kind {
        "refunded" | "unliked" => {
            whole.insert("retracts".to_owned(), json!(id));
            whole.insert("eventId".to_owned(), json!(format!("not-{id}")));
        }
        "user_profile" | "item_profile" => {
            whole.remove(if kind == "user_profile" { "itemId" } else { "userId" });
            whole.insert("properties".to_owned(), json!({ "title": format!("t{number}") }));
        }
        "searched" => _ = whole.remove("itemId"),
        _ => _ = whole.insert("value".to_owned(), json!(seed.pick(1..6))),
    }
    event
}

fn id_of(event: &Value) -> String {
    event["eventId"].as_str().expect("an id").to_owned()
}

async fn post(
    client: Client,
    seed: Arc<Seed>,
    pause: Duration,
    stop: CancellationToken,
) -> HashSet<String> {
    let (mut accepted, mut pace) = (HashSet::new(), Pace::of(pause));
    while !stop.is_cancelled() {
        pace.wait().await;
        let event = mixed(&seed);
        let posted = client.try_post("application/json", event.to_string()).await;
        if posted.is_ok_and(|answer| answer.status == 202) {
            accepted.insert(id_of(&event));
        }
    }
    accepted
}

/// Publishes without ids, so that the server keeps every copy.
async fn publish(
    context: Context,
    seed: Arc<Seed>,
    pause: Duration,
    stop: CancellationToken,
) -> HashSet<String> {
    let (mut accepted, mut pace) = (HashSet::new(), Pace::of(pause));
    while !stop.is_cancelled() {
        pace.wait().await;
        let event = mixed(&seed);
        let no_event = seed.once_in(100);
        let payload = if no_event { "no event".to_owned() } else { event.to_string() };
        let subject = format!("events.{}", event["eventType"].as_str().expect("a type"));
        let headers = HeaderMap::new();
        let Ok(sent) = context.publish_with_headers(subject, headers, payload.into()).await else {
            continue;
        };
        if sent.await.is_ok() && !no_event {
            accepted.insert(id_of(&event));
        }
    }
    accepted
}
