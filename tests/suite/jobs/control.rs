//! What operators do to a job while it runs, and what they are told when they may not.

use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE, text};
use crate::support::eventually;
use crate::support::jobs::account_closes;
use crate::support::load::numbered;
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

/// Events in the log of a test.
const EVENTS: u64 = 4_000;

async fn filled() -> Weir {
    let weir = Weir::dev().start().await;
    fill(&weir.client(), "ann", EVENTS).await;
    weir
}

pub async fn fill(client: &Client, user: &str, count: u64) {
    for from in (0..count).step_by(1_000) {
        let events: Vec<Value> =
            (from..count.min(from + 1_000)).map(|number| numbered(user, number)).collect();
        client.post_ndjson(&events).await.ok();
    }
    client.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_planned_slowed_paused_resumed_and_its_account_closes() {
    let weir = filled().await;
    let client = weir.client();
    let plan = client.ask_job(&json!({ "verb": "replay", "plan": true })).await;
    assert_eq!(plan.status, 200, "{:#}", plan.body);
    assert_eq!(plan.body["events"], EVENTS);
    assert_eq!(
        client.send(client.admin_request("GET", "/admin/jobs")).await.expect("an answer").ok()["jobs"],
        json!([])
    );

    let id = client.begin_job(&json!({ "verb": "replay", "rate": 500, "by": "ann@test" })).await;
    client.job_when(&id, "it runs", |job| job["state"] == "running").await;
    assert_eq!(client.tell_job(&id, "pause").await.status, 200);
    let paused = client.job_is(&id, "paused").await;
    let twice = client.tell_job(&id, "pause").await;
    assert_eq!((twice.status, text(&twice.body["code"]).as_str()), (409, "illegal_move"));
    assert_eq!(client.tell_job(&id, "resume").await.status, 200);
    let job = client.limit_job(&id, &json!({ "rate": null, "liveLagMs": 500 })).await;
    assert_eq!(job["control"], json!({ "liveLagMs": 500 }));
    let done = client.job_is(&id, "done").await;
    account_closes(&done);
    assert_eq!(done["tally"]["superseded"], EVENTS, "{done:#}");
    assert!(paused["tally"]["superseded"].as_u64() < Some(EVENTS), "{paused:#}");
    assert_eq!(done["request"]["by"], "ann@test");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_stays_where_it_was_and_a_filter_counts_what_it_leaves_out() {
    let weir = filled().await;
    let client = weir.client();
    let id = client.begin_job(&json!({ "verb": "replay", "rate": 500 })).await;
    client.job_when(&id, "it runs", |job| job["state"] == "running").await;
    assert_eq!(client.tell_job(&id, "cancel").await.status, 200);
    client.job_is(&id, "cancelled").await;
    assert_eq!(client.tell_job(&id, "resume").await.status, 409);

    client.post(&json!({ "userId": "bob", "itemId": "tea", "eventType": "purchased" })).await.ok();
    client.settled().await;
    let request = json!({ "verb": "replay", "filter": { "types": ["purchased"] } });
    let job = client.run_job(&request, "done").await;
    account_closes(&job);
    assert_eq!(
        (&job["tally"]["filtered"], &job["tally"]["superseded"]),
        (&json!(EVENTS), &json!(1))
    );
    let request = json!({ "verb": "replay", "from": 11, "to": "21" });
    let job = client.run_job(&request, "done").await;
    assert_eq!(job["tally"]["superseded"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for_is_told_with_what_to_do() {
    let weir = filled().await;
    let client = weir.client();
    let mut told = Vec::new();
    for request in [
        json!({ "verb": "replay", "from": 20, "to": 10 }),
        json!({ "verb": "replay", "from": "yesterday" }),
        json!({ "verb": "replay", "generation": "g7" }),
        json!({ "verb": "replay", "filter": { "types": ["teleported"] } }),
        json!({ "verb": "rebuild", "generation": "g1" }),
        json!({ "verb": "promote", "generation": "g1" }),
        json!({ "verb": "rollback" }),
        json!({ "verb": "retire", "generation": "g1" }),
        json!({ "verb": "dance" }),
        json!({ "verb": "replay", "speed": 9 }),
    ] {
        let answer = client.ask_job(&request).await;
        let body = &answer.body;
        told.push(format!(
            "{} {} {}: {}",
            request,
            answer.status,
            text(&body["code"]),
            text(&body["detail"])
        ));
    }
    let unknown = client.tell_job("nothing", "pause").await;
    told.push(format!(
        "pause nothing {} {}: {}",
        unknown.status,
        text(&unknown.body["code"]),
        text(&unknown.body["detail"])
    ));
    insta::assert_snapshot!(told.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_and_whoever_lacks_the_token_cannot_operate() {
    let weir = Weir::dev().variable("WEIR_ADMIN__TOKEN", "open sesame").start().await;
    let client = weir.client();
    let request = json!({ "verb": "replay", "plan": true });
    assert_eq!(client.ask_job(&request).await.status, 401);
    client.post(&numbered("ann", 1)).await.ok();
    let with =
        |token: &str| client.admin_request("POST", "/admin/jobs").json(&request).bearer_auth(token);
    assert_eq!(client.send(with("wrong")).await.expect("an answer").status, 401);
    let page = with("open sesame").header("origin", "http://evil.example");
    assert_eq!(client.send(page).await.expect("an answer").status, 403);
    let planned = async || {
        let answer = client.send(with("open sesame")).await.expect("an answer");
        (answer.status == 200).then_some(())
    };
    eventually("a job is planned", PATIENCE, planned).await;
    assert!(!weir.log().contains("sesame"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_was_paused_while_it_caught_up_goes_on_to_its_end() {
    let server = NatsServer::start();
    let weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    fill(&client, "ann", 200).await;
    let id = text(&client.run_job(&json!({ "verb": "rebuild" }), "done").await["id"]);
    // As it is written while it is paused at its end: its generation is built.
    let jobs = server.jetstream().await.get_key_value("WEIR_JOBS").await.expect("the bucket");
    let key = format!("job.{id}");
    let job = jobs.get(&key).await.expect("it answers").expect("it is there");
    let mut job: Value = serde_json::from_slice(&job).expect("JSON");
    job["state"] = json!("paused");
    jobs.put(&key, job.to_string().into()).await.expect("it is written");

    assert_eq!(client.tell_job(&id, "resume").await.status, 200);
    account_closes(&client.job_is(&id, "done").await);
    client.verified("g2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_is_not_built_yet_is_not_compared_with_the_log() {
    let weir = filled().await;
    let client = weir.client();
    let id = client.begin_job(&json!({ "verb": "rebuild", "rate": 500 })).await;
    client.job_when(&id, "it runs", |job| job["state"] == "running").await;
    let request = json!({ "verb": "verify", "generation": "g2" });
    let refused = client.ask_job(&request).await;
    assert_eq!((refused.status, text(&refused.body["code"]).as_str()), (409, "refused"));
    client.limit_job(&id, &json!({ "rate": null })).await;
    client.job_is(&id, "done").await;
    client.verified("g2").await;
}
