//! Workers that are killed in the middle of a rebuild: another one, or the same again, goes on.

use serde_json::{Value, json};

use super::control::fill;
use crate::support::jobs::{account_closes, digest_of};
use crate::support::load::numbered;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;
use crate::support::site::Site;
use crate::support::weir::Weir;

const KILLS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_killed_ten_times_in_a_rebuild_resumes_and_the_result_is_right() {
    let seed = Seed::new();
    let site = Site::migrated().await;
    let gateway = site.on(Weir::gateway()).start().await;
    let mut projectors =
        [site.on(Weir::projector()).start().await, site.on(Weir::projector()).start().await];
    let events: Vec<Value> = (0..12_000).map(|number| numbered("ann", number)).collect();
    for part in events.chunks(2_000) {
        gateway.client().post_ndjson(part).await.ok();
    }
    site.drained(&projectors[1].client(), "g1").await;
    let id = projectors[1].client().begin_job(&json!({ "verb": "rebuild", "rate": 1_500 })).await;
    for _ in 0..KILLS {
        let killed = usize::from(seed.pick(0..2) == 0);
        let client = projectors[1 - killed].client();
        let before = client.job(&id).await;
        let more = seed.pick(1..400);
        let read = |job: &Value| job["tally"]["applied"].as_u64().unwrap_or(0);
        let further = |job: &Value| {
            let over = job["state"] != "running" && job["state"] != "planned";
            read(job) >= read(&before) + more || over
        };
        client.job_when(&id, "it goes on", further).await;
        projectors[killed].kill();
        projectors[killed].start_again().await;
    }
    let client = projectors[0].client();
    client.limit_job(&id, &json!({ "rate": null })).await;
    let job = client.job_is(&id, "done").await;
    account_closes(&job);
    assert!(job["run"]["fence"].as_u64() > Some(1), "somebody else took it: {job:#}");
    site.holds_the_log("g2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_in_memory_whose_process_is_killed_in_a_rebuild_is_built_to_its_end() {
    let seed = Seed::new();
    let server = NatsServer::start();
    let mut weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    fill(&client, "ann", 6_000).await;
    let id = client.begin_job(&json!({ "verb": "rebuild", "rate": 1_500 })).await;
    for _ in 0..KILLS {
        let more = seed.pick(1..600);
        let read = |job: &Value| job["tally"]["applied"].as_u64().unwrap_or(0);
        let further = |job: &Value| read(job) >= more || job["state"] == "catching_up";
        client.job_when(&id, "it goes on", further).await;
        weir.kill();
        weir.start_again().await;
    }
    client.limit_job(&id, &json!({ "rate": null })).await;
    let job = client.job_is(&id, "done").await;
    account_closes(&job);
    let status = client.settled().await;
    assert_eq!(digest_of(&status, "g1"), digest_of(&status, "g2"));
}
