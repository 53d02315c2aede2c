//! Generations as of a moment, asked by name; and retired ones, of which nothing is left.

use serde_json::{Value, json};

use super::control::fill;
use crate::support::client::PATIENCE;
use crate::support::client::text;
use crate::support::eventually;
use crate::support::jobs::{account_closes, digest_of};
use crate::support::load::numbered;
use crate::support::site::{Site, documents, in_database};
use crate::support::weir::Weir;

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_as_of_a_moment_in_memory_stays_as_it_is_is_asked_by_name_and_goes() {
    let mut weir = Weir::dev().start().await;
    let client = weir.client();
    fill(&client, "ann", 100).await;
    let then = digest_of(&client.status().await, "g1");
    fill(&client, "bob", 50).await;

    let request = json!({ "verb": "rebuild", "asOf": 101 });
    let job = client.run_job(&request, "done").await;
    account_closes(&job);
    assert_eq!(job["generation"], "g2");
    client.post(&numbered("cid", 0)).await.ok();
    client.settled().await;
    assert_eq!(digest_of(&client.status().await, "g2"), then);
    let of = async |user: &str, generation: &str| {
        let path = format!("/history/user/{user}?limit=1000&generation={generation}");
        client.get(&path).await.ok()["events"].as_array().map(Vec::len)
    };
    assert_eq!((of("ann", "g2").await, of("bob", "g2").await), (Some(100), Some(0)));
    assert_eq!((of("bob", "g1").await, of("cid", "g1").await), (Some(50), Some(1)));
    let unknown = client.get("/history/user/ann?generation=g9").await;
    assert_eq!((unknown.status, text(&unknown.body["code"]).as_str()), (404, "unknown_generation"));

    // It is there after a start too, and after one that finds no snapshot.
    for snapshot in [true, false] {
        weir.stop().await;
        if !snapshot {
            std::fs::remove_dir_all(weir.data_dir().join("graph")).expect("it is removed");
        }
        weir.start_again().await;
        let same = |status: &Value| {
            let graphs = status["generations"].as_array().expect("a list");
            graphs.iter().any(|graph| graph["id"] == "g2" && graph["digest"] == then)
        };
        client.status_when("g2 is as it was", same).await;
    }

    let active = client.ask_job(&json!({ "verb": "retire", "generation": "g1" })).await;
    assert_eq!(active.status, 409, "{:#}", active.body);
    client.run_job(&json!({ "verb": "retire", "generation": "g2" }), "done").await;
    let gone =
        async || (client.get("/history/user/ann?generation=g2").await.status == 404).then_some(());
    eventually("g2 is gone", PATIENCE, gone).await;
    let left = |status: &Value| status["generations"].as_array().is_some_and(|all| all.len() == 1);
    client.status_when("one generation is left", left).await;
    assert!(!weir.data_dir().join("graph/g2.snapshot").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_generation_leaves_no_database_no_consumer_and_no_queue() {
    let site = Site::migrated().await;
    let projector = site.on(Weir::projector()).start().await;
    let gateway = site.on(Weir::gateway()).start().await;
    let client = projector.client();
    let events: Vec<Value> = (0..300).map(|number| numbered("ann", number)).collect();
    gateway.client().post_ndjson(&events).await.ok();
    site.drained(&client, "g1").await;
    let job = client.run_job(&json!({ "verb": "rebuild" }), "done").await;
    account_closes(&job);
    site.holds_the_log("g2").await;
    gateway.client().post_ndjson(&[numbered("bob", 1)]).await.ok();
    site.drained(&client, "g2").await;
    site.holds_the_log("g2").await;

    client.run_job(&json!({ "verb": "promote", "generation": "g2" }), "done").await;
    let back = client.ask_job(&json!({ "verb": "retire", "generation": "g1" })).await;
    assert_eq!(back.status, 409, "it is the way back: {:#}", back.body);
    client.run_job(&json!({ "verb": "retire", "generation": "g1", "force": true }), "done").await;
    let gone = |status: &Value| in_database(status, "g1").is_null();
    client.status_when("g1 is gone", gone).await;
    assert!(weir::store::Store::scan(&site.store("g1"), &mut |_| ()).await.is_err());
    let jetstream = site.nats.jetstream().await;
    let stream = jetstream.get_stream("EVENTS").await.expect("the stream is there");
    assert!(stream.consumer_info("projector-g1").await.is_err());
    assert!(!documents(&site.store("g2")).await.is_empty());
    site.drained(&client, "g2").await;
}
