//! A new version that makes another graph: its generation is rebuilt, verified and promoted before it has traffic.

use serde_json::{Value, json};

use crate::support::arango::StandIn;
use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::rollout::{Pace, RolloutSite};

/// Everything that weir does in one process, with the graph in a database.
async fn site() -> Option<(RolloutSite, StandIn)> {
    let arango = StandIn::start();
    let variables = [
        ("WEIR_ARANGO__URL", arango.url()),
        ("WEIR_ARANGO__USER", StandIn::USER.to_owned()),
        ("WEIR_ARANGO__PASSWORD", arango.password()),
        ("WEIR_RETRY__MAX_BYTES", "64MiB".to_owned()),
        ("WEIR_PARKED__MAX_BYTES", "64MiB".to_owned()),
    ];
    let site = RolloutSite::of("dev", &variables).await?;
    site.configure(&Pace::UNUSED);
    let client = site.client(0);
    for number in 0..50 {
        client.post(&event("viewed", &format!("u{number}"), "tea")).await.ok();
    }
    client.settled().await;
    Some((site, arango))
}

fn huggers(site: &RolloutSite) -> String {
    let kind = ("WEIR_EVENT_TYPES__HUGGED__KIND", "interaction".to_owned());
    site.version("huggers", &[kind])
}

/// The generation that answers, with its fingerprint; null while it is switched.
fn active(status: &Value) -> (Value, Value) {
    let all = status["generations"].as_array().expect("generations").iter();
    let found = all.into_iter().find(|generation| generation["state"] == "active");
    let none = Value::Null;
    let found = found.unwrap_or(&none);
    (found["id"].clone(), found["fingerprint"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_makes_another_graph_answers_from_its_own_generation() {
    let Some((site, _arango)) = site().await else { return };
    let (status, told) = site.run(&["start", "--to", &huggers(&site)]).ended().await;
    assert_eq!(status.code(), Some(0), "{told}");
    let [made, split] = ["rebuilding", "gets 50 %"].map(|text| told.find(text).expect(text));
    assert!(made < split, "{told}");
    let client = site.client(1);
    client.post(&event("hugged", "u1", "cup")).await.ok();
    let status = client.settled().await;
    assert_eq!(active(&status), (json!("g2"), status["projection"].clone()));
    assert_eq!(client.history("u1").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn with_the_version_its_generation_goes_back() {
    let Some((site, _arango)) = site().await else { return };
    let rollout = site.run(&["start", "--to", &huggers(&site)]);
    site.is_at_step(0).await;
    let (aborted, told) = site.run(&["abort"]).ended().await;
    assert_eq!(aborted.code(), Some(0), "{told}");
    assert_eq!(rollout.ended().await.0.code(), Some(3));
    let client = site.client(0);
    let back = |status: &Value| active(status) == (json!("g1"), status["projection"].clone());
    client.status_when("the generation before answers", back).await;
    let whole = async || (client.history("u1").await.len() == 1).then_some(());
    eventually("what it has seen is answered", PATIENCE, whole).await;
}
