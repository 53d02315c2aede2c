//! What was accepted stays, whatever happens to processes, streams and files; and the graph is true to it.

mod damage;
mod ending;
mod healing;
mod kills;
mod outage;
mod reconcile;

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use crate::support::client::{Client, digest};
use crate::support::load::numbered;
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

/// Posts a user's numbered events, in batches of different sizes and some alone; all must be accepted.
async fn post(client: &Client, user: &str, numbers: Range<u64>) {
    let events: Vec<Value> = numbers.map(|number| numbered(user, number)).collect();
    let mut rest = &events[..];
    for size in [1, 40, 7, 100].into_iter().cycle() {
        let (batch, after) = rest.split_at(size.min(rest.len()));
        match batch {
            [] => return,
            [event] => assert_eq!(client.post(event).await.status, 202),
            batch => assert_eq!(client.post_ndjson(batch).await.status, 202),
        }
        rest = after;
    }
}

/// Holds that a user's history is exactly its numbered events, each once, the newest first.
async fn has_history(client: &Client, user: &str, numbers: Range<u64>) {
    let expected: Vec<String> = numbers.rev().map(|number| format!("{user}-{number}")).collect();
    let found = client.event_ids(user).await;
    let (all, here): (BTreeSet<_>, BTreeSet<_>) =
        (expected.iter().collect(), found.iter().collect());
    let (lost, strange): (Vec<_>, Vec<_>) =
        (all.difference(&here).collect(), here.difference(&all).collect());
    assert!(lost.is_empty() && strange.is_empty(), "{user}: lost {lost:?}, strange {strange:?}");
    assert_eq!(found, expected);
}

/// Returns the digest of a graph that a new weir makes of the stream alone.
async fn digest_from_nothing(server: &NatsServer) -> String {
    let weir = Weir::dev().nats(server).start().await;
    digest(&weir.client().settled().await)
}
