//! A disk that is full, broken or slow, and a clock that jumps: what was answered stays, and weir goes on by itself.

mod clock;
mod full;
mod reads;
mod small;
mod syncs;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::support::client::{Answer, Client, PATIENCE};
use crate::support::eventually;
use crate::support::load::Load;

/// Where a weir's log lies, in the paths of its files.
const LOG: &str = "/wal/";
const SEGMENTS: &str = "/wal/segment-";

/// An event like no other, with an id and without a time.
fn probe() -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    json!({"userId": "probe", "itemId": "i", "eventType": "viewed", "eventId": format!("probe-{number}")})
}

/// Holds that an event is refused for a while, and says when to come again.
async fn is_refused_for_now(client: &Client) -> Answer {
    let answer = client.post(&probe()).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(
        answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..60).contains(&seconds))
    );
    answer
}

/// Waits until events are refused.
async fn refuses(client: &Client) {
    let refused = async || (client.post(&probe()).await.status == 503).then_some(());
    eventually("events are refused", PATIENCE, refused).await;
}

/// Waits until events are taken.
async fn takes_again(client: &Client) {
    let taken = async || (client.post(&probe()).await.status == 202).then_some(());
    eventually("events are taken again", PATIENCE, taken).await;
}

/// Ends the producers, and holds that all they were promised is in the graph, once.
async fn all_is_kept(load: Load, client: &Client) {
    let produced = load.stop().await;
    client.settled().await;
    for producer in produced {
        producer.is_in_history_once(client).await;
    }
}
