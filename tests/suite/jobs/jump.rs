//! Live goes on at the newest event at once; what it left behind is a job that ends by itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::control::fill;
use crate::support::jobs::{account_closes, digest_of};
use crate::support::load::numbered;
use crate::support::site::Site;
use crate::support::weir::Weir;

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_in_memory_fills_the_gap_and_ends_by_itself() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    fill(&client, "ann", 2_000).await;
    // Nothing is behind, so the gap is empty, which is told.
    let nothing = client.ask_job(&json!({ "verb": "jump" })).await;
    assert_eq!(nothing.status, 409, "{:#}", nothing.body);
    let before = digest_of(&client.status().await, "g1");
    let again = client.run_job(&json!({ "verb": "replay", "from": 1_001 }), "done").await;
    account_closes(&again);
    let status = client.settled().await;
    assert_eq!(digest_of(&status, "g1"), before);
    let lag = |status: &Value| status["generations"][0]["lag"] == 0;
    assert!(lag(&status));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_over_a_backlog_has_the_newest_at_once_and_loses_nothing() {
    let Some(site) = Site::failing().await else { return };
    let projector = site.on(Weir::projector()).start().await;
    let gateway = site.on(Weir::gateway()).start().await;
    let client = projector.client();
    let post = async |user: &str, count: u64| {
        let events: Vec<Value> = (0..count).map(|number| numbered(user, number)).collect();
        gateway.client().post_ndjson(&events).await.ok();
    };
    post("early", 100).await;
    site.drained(&client, "g1").await;
    site.stand_in().fault("slow").writes().slow(Duration::from_secs(2));
    post("backlog", 5_000).await;
    let behind = |status: &Value| {
        let lag = crate::support::site::in_database(status, "g1")["lag"].as_u64();
        lag >= Some(3_000)
    };
    client.status_when("live is behind", behind).await;
    let id = client.begin_job(&json!({ "verb": "jump" })).await;
    client.job_when(&id, "it runs", |job| job["state"] != "planned").await;
    let caught_up = |status: &Value| {
        crate::support::site::in_database(status, "g1")["lag"].as_u64() < Some(100)
    };
    client.status_when("live is at the newest", caught_up).await;
    let open = client.ask_job(&json!({ "verb": "jump" })).await;
    assert_eq!(open.status, 409, "one gap at a time: {:#}", open.body);
    let cancelled = client.tell_job(&id, "cancel").await;
    assert_eq!(cancelled.status, 409, "the gap would be missing: {:#}", cancelled.body);
    post("late", 10).await;
    site.stand_in().clear_faults();
    let job = client.job_is(&id, "done").await;
    account_closes(&job);
    site.drained(&client, "g1").await;
    site.holds_the_log("g1").await;
}
