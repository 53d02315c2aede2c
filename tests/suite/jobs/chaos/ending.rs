//! What must hold when everything is over: jobs, generations and promises.

use std::collections::HashSet;
use std::time::Duration;

use async_nats::jetstream::Context;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use super::operator::is_over;
use crate::support::client::{Client, text};
use crate::support::eventually;
use crate::support::jobs::account_closes;
use crate::support::nats::stored;

/// How long what is open may take, with a RETRY queue to empty.
pub const ENDING: Duration = Duration::from_mins(3);

/// The generations as they are written down.
pub async fn records(context: &Context) -> Vec<Value> {
    let store = context.get_key_value("WEIR").await.expect("the bucket is there");
    let keys: Vec<String> =
        store.keys().await.expect("it answers").try_collect().await.expect("its keys");
    let mut records = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with("generation.")) {
        let value = store.get(key).await.expect("it answers").expect("it is there");
        records.push(serde_json::from_slice(&value).expect("JSON"));
    }
    records
}

/// The generation that answers.
pub async fn active(context: &Context) -> String {
    let store = context.get_key_value("WEIR").await.expect("the bucket is there");
    let value = store.get("active").await.expect("it answers");
    let active: Option<Value> = value.map(|value| serde_json::from_slice(&value).expect("JSON"));
    active.map_or_else(|| "g1".to_owned(), |active| text(&active["id"]))
}

/// Whether a generation is to be whole.
pub fn is_whole(record: &Value) -> bool {
    record["building"].is_null() && record["retiring"] != true
}

async fn list(client: &Client) -> Option<Vec<Value>> {
    let asked = client.admin_request("GET", "/admin/jobs");
    let answer = client.send(asked).await.ok().filter(|answer| answer.status == 200)?;
    answer.body["jobs"].as_array().cloned()
}

/// Ends what is paused, frees what is held back, and waits until all jobs are over; returns them.
pub async fn jobs_end(client: &Client) -> Vec<Value> {
    for job in eventually("jobs are told", ENDING, async || list(client).await).await {
        let id = text(&job["id"]);
        // A jump cannot be cancelled, since its gap would be missing.
        let what = if job["verb"] == "jump" { "resume" } else { "cancel" };
        if job["state"] == "paused" {
            client.tell_job(&id, what).await.ok();
        } else if !is_over(&job) {
            let free = json!({ "rate": null, "liveLagMs": 60_000 });
            let path = format!("/admin/jobs/{id}/limit");
            client.send(client.admin_request("POST", &path).json(&free)).await.expect("an answer");
        }
    }
    let mut open = Vec::new();
    let over = eventually("all jobs are over", 2 * ENDING, async || {
        let jobs = list(client).await?;
        open = jobs.iter().filter(|job| !is_over(job)).cloned().collect();
        open.is_empty().then_some(jobs)
    });
    let over = tokio::time::timeout(ENDING, over).await;
    over.unwrap_or_else(|_| panic!("jobs are not over in time: {open:#?}"))
}

/// Holds that accounts close, that comparisons found nothing, and that nothing failed but for a reason.
pub fn jobs_are_right(jobs: &[Value]) {
    for job in jobs {
        let (verb, state) = (text(&job["verb"]), text(&job["state"]));
        println!(
            "{} {} {state} {} {}",
            text(&job["id"]),
            text(&job["generation"]),
            job["note"],
            job["tally"]
        );
        let ended = state == "done" || state == "promoted";
        if ended && ["replay", "rebuild", "jump"].contains(&verb.as_str()) {
            account_closes(job);
        }
        for difference in ["missing", "extra", "otherBody"] {
            let found = &job["report"][difference];
            assert!(found.is_null() || found == 0, "{job:#}");
        }
        let switches = ["promote", "rollback", "retire"].contains(&verb.as_str());
        assert!(state != "failed" || switches, "{job:#}");
    }
}

/// Holds that every id that was promised is in the log.
pub async fn log_holds(context: &Context, accepted: impl IntoIterator<Item = String>) {
    let ids: HashSet<String> = stored(context)
        .await
        .iter()
        .filter_map(|message| serde_json::from_str::<Value>(&message.payload).ok())
        .filter_map(|event| event["eventId"].as_str().map(str::to_owned))
        .collect();
    let lost: Vec<String> = accepted.into_iter().filter(|id| !ids.contains(id)).collect();
    assert!(lost.is_empty(), "{} accepted events are not in the log: {lost:?}", lost.len());
}

/// How many acts there are.
pub fn acts(usual: u64) -> u64 {
    let given = std::env::var("WEIR_TEST_CHAOS_ACTS").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(usual)
}
