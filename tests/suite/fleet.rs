//! Many gateways, projectors and APIs on one log: none knows of another, and `weir doctor --fleet` sees them all.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::degrade::published;
use crate::support::client::text;
use crate::support::eventually;
use crate::support::load::{Load, Produced};
use crate::support::seed::Seed;
use crate::support::site::Site;
use crate::support::weir::Weir;

/// Longer than the life of an announcement.
const SEEN: Duration = Duration::from_secs(20);
/// Between two events of a producer: some hundred a second in all.
const PAUSE: Duration = Duration::from_millis(15);

/// Asks for everybody; the findings that name a broken promise are whether it ends with 1.
async fn census(site: &Site) -> Option<Value> {
    let asked = site.weir("doctor --fleet --json").await;
    serde_json::from_str(&asked.printed).ok()
}

fn roles(census: &Value) -> Vec<String> {
    let members = census["members"].as_array().expect("a list");
    let mut roles: Vec<_> = members.iter().map(|it| text(&it["roles"][0]["role"])).collect();
    roles.sort();
    roles
}

async fn sees(site: &Site, expected: &[&str]) -> Value {
    let mut last = Value::Null;
    // The inner deadline lies behind the outer one, which tells more.
    let seen = eventually("all are there", 2 * SEEN, async || {
        last = census(site).await?;
        (roles(&last) == expected).then(|| last.clone())
    });
    let seen = tokio::time::timeout(SEEN, seen).await;
    seen.unwrap_or_else(|_| panic!("{expected:?} are not there: {last:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_works_on_a_log_is_seen_and_whoever_is_gone_is_not() {
    let site = Site::migrated().await;
    let nobody = site.weir("doctor --fleet").await;
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.printed.contains("gateways is none that NATS reaches"), "{nobody:?}");

    let mut gateways = [Weir::gateway(), Weir::gateway()].map(|weir| site.on(weir)).into_iter();
    let first = gateways.next().expect("one").start().await;
    let mut second = gateways.next().expect("another").start().await;
    let mut projector = site.on(Weir::projector()).start().await;
    let api = site.on(Weir::api()).start().await;
    let all = sees(&site, &["api", "gateway", "gateway", "projector"]).await;
    let pids: Vec<u64> = all["members"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["pid"].as_u64())
        .collect();
    for weir in [&first, &second, &projector, &api] {
        assert!(pids.contains(&u64::from(weir.pid())), "{all:#}");
    }
    let is_well = async || {
        let told = site.weir("doctor --fleet").await;
        (told.code == Some(0) && told.printed.contains("all is as the promises need it"))
            .then_some(())
    };
    eventually("all is well", SEEN, is_well).await;

    // Who stops says farewell, and who is killed is missed.
    second.stop().await;
    sees(&site, &["api", "gateway", "projector"]).await;
    projector.kill();
    sees(&site, &["api", "gateway"]).await;
    let told = site.weir("doctor --fleet").await;
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.printed.contains("start `weir projector`"), "{told:?}");
}

/// Producers of a gateway of their own.
fn load(name: &'static str, gateway: &Weir, seed: &Arc<Seed>) -> Load {
    Load::start_gently(name, &gateway.client(), 2, seed, PAUSE)
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_and_projectors_come_and_go_under_load_and_nothing_is_lost() {
    let (site, seed) = (Site::migrated().await, Arc::new(Seed::new()));
    let api = site.on(Weir::api()).start().await;
    let mut gateways = vec![site.on(Weir::gateway()).start().await];
    let mut projectors = vec![site.on(Weir::projector()).start().await];
    let mut loads = vec![load("first", &gateways[0], &seed)];
    loads[0].grows_by(50).await;

    // Up: nobody is told of the new ones, and they have their part of the work.
    for name in ["second", "third"] {
        gateways.push(site.on(Weir::gateway()).start().await);
        projectors.push(site.on(Weir::projector()).start().await);
        loads.push(load(name, gateways.last().expect("one"), &seed));
        loads.last().expect("one").grows_by(50).await;
    }
    loads[0].grows_by(100).await;
    for projector in &projectors {
        let works = |status: &Value| status["generations"][0]["events"].as_u64() > Some(0);
        projector.client().status_when("it has a part of the work", works).await;
    }

    // Down: a gateway that stops brings what it has accepted into the log first; one projector is killed.
    let mut produced: Vec<Produced> = Vec::new();
    for _ in 0..2 {
        let mut gateway = gateways.pop().expect("one");
        gateway.stop().await;
        produced.extend(loads.pop().expect("its producers").stop().await);
        loads[0].grows_by(30).await;
    }
    projectors.pop().expect("one").stop().await;
    projectors[1].kill();
    loads[0].grows_by(100).await;
    produced.extend(loads.pop().expect("one").stop().await);

    published(&gateways[0].client()).await;
    site.drained(&projectors[0].client(), "g1").await;
    site.holds_the_log("g1").await;
    let seen = |status: &Value| {
        let graph = &status["generations"][0];
        status["nats"]["lastSeq"].is_u64() && graph["appliedThrough"] == status["nats"]["lastSeq"]
    };
    api.client().status_when("the image has everything", seen).await;
    for producer in &produced {
        producer.is_in_history_once(&api.client()).await;
    }
}
