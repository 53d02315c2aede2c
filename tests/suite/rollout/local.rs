//! Processes behind nginx, under a load of events.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::client::PATIENCE;
use crate::support::eventually;
use crate::support::faults::{Call, EIO, Faults};
use crate::support::load::Load;
use crate::support::nats::stored;
use crate::support::ports::free_port;
use crate::support::rollout::{Pace, RolloutSite};
use crate::support::seed::Seed;

/// A version that is worse is sent back within this, from the moment that it is worse to the end of its process.
const BACK_WITHIN: Duration = Duration::from_secs(30);

const PROMOTED: Option<i32> = Some(0);
const ROLLED_BACK: Option<i32> = Some(3);
const WEIR: &str = env!("CARGO_BIN_EXE_weir");

fn load(name: &'static str, site: &RolloutSite) -> Load {
    let (client, seed) = (site.client(0), Arc::new(Seed::new()));
    Load::start_gently(name, &client, 6, &seed, Duration::from_millis(15))
}

/// Ends the load, and holds that the stream has every event that was answered with 2xx.
async fn all_is_in_the_stream(load: Load, site: &RolloutSite, live: usize) {
    let produced = load.stop().await;
    let published = |status: &Value| {
        status["relay"]["sound"] == true && status["relay"]["cursor"] == status["wal"]["highWater"]
    };
    site.client(live).status_when("the live version has published everything", published).await;
    let stored: HashSet<String> = stored(&site.nats.jetstream().await)
        .await
        .iter()
        .filter_map(|message| serde_json::from_str::<Value>(&message.payload).ok())
        .map(|event| event["eventId"].as_str().unwrap_or_default().to_owned())
        .collect();
    let accepted: Vec<&String> = produced.iter().flat_map(|one| &one.accepted).collect();
    let lost: Vec<_> = accepted.iter().filter(|id| !stored.contains(**id)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), accepted.len());
    assert!(accepted.len() > 100, "{} events are too few to tell", accepted.len());
}

/// Holds that the old version (blue) has all of the traffic, and nothing else runs.
fn is_back(site: &RolloutSite) {
    let status = site.status();
    assert_eq!(
        (&status["state"], &status["percent"]),
        (&"rolled_back".into(), &0.into()),
        "{status:#}"
    );
    assert_eq!((site.processes(0).len(), site.processes(1).len()), (1, 0));
}

/// Why the latest rollout went back.
fn reason(site: &RolloutSite) -> String {
    site.status()["reason"]["code"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_gets_all_of_the_traffic_and_the_old_one_ends() {
    let Some(site) = RolloutSite::start().await else { return };
    let load = load("good", &site);
    let (status, told) = site.run(&["start", "--to", WEIR]).ended().await;
    assert_eq!(status.code(), PROMOTED, "{told}");
    assert!(told.contains("step 1 of 3: 20 %") && told.contains("step 3 of 3: 100 %"), "{told}");
    assert_eq!((site.processes(0).len(), site.processes(1).len()), (0, 1));
    load.grows_by(50).await;
    assert_eq!(load.refused(), 0, "no request fails for a rollout");
    all_is_in_the_stream(load, &site, 1).await;
    // The next one goes the other way.
    let plan = site.run(&["plan"]).ended().await.1;
    assert!(plan.contains("live green, the new version goes to blue"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_canary_stands_at_its_share_until_it_is_resumed() {
    let Some(site) = RolloutSite::start().await else { return };
    let (status, told) = site.run(&["start", "--to", WEIR, "--until", "10"]).ended().await;
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("the first step gives the new version 20 %"), "{told}");
    let load = load("canary", &site);
    let (status, told) = site.run(&["start", "--to", WEIR, "--until", "30"]).ended().await;
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(told.contains("step 1 of 3: 20 %") && !told.contains("step 2 of 3"), "{told}");
    assert_eq!((site.processes(0).len(), site.processes(1).len()), (1, 1));
    let (status, told) = site.run(&["resume"]).ended().await;
    assert_eq!(status.code(), PROMOTED, "{told}");
    assert!(told.contains("step 2 of 3: 50 %") && told.contains("step 3 of 3: 100 %"), "{told}");
    all_is_in_the_stream(load, &site, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_goes_back_by_itself() {
    let Some(faults) = Faults::at("/green/wal/segment-") else { return };
    let Some(site) = RolloutSite::start().await else { return };
    let load = load("failing", &site);
    let version = site.version("failing", &faults.variables());
    let rollout = site.run(&["start", "--to", &version]);
    site.is_at_step(0).await;
    faults.fail(Call::Sync, EIO);
    let begun = Instant::now();
    let (status, told) = rollout.ended().await;
    assert_eq!(status.code(), ROLLED_BACK, "{told}");
    assert!(begun.elapsed() < BACK_WITHIN, "{:?}", begun.elapsed());
    assert_eq!(reason(&site), "errors", "{told}");
    is_back(&site);
    all_is_in_the_stream(load, &site, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_version_that_is_slow_goes_back_by_itself() {
    let Some(faults) = Faults::at("/green/wal/segment-") else { return };
    let Some(site) = RolloutSite::start().await else { return };
    let load = load("slow", &site);
    let version = site.version("slow", &faults.variables());
    let rollout = site.run(&["start", "--to", &version]);
    site.is_at_step(0).await;
    faults.slow_syncs(Duration::from_millis(800));
    let begun = Instant::now();
    let (status, told) = rollout.ended().await;
    assert_eq!(status.code(), ROLLED_BACK, "{told}");
    assert!(begun.elapsed() < BACK_WITHIN, "{:?}", begun.elapsed());
    assert_eq!(reason(&site), "slow", "{told}");
    is_back(&site);
    all_is_in_the_stream(load, &site, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_version_that_cannot_publish_goes_back_and_what_it_took_is_published() {
    let Some(site) = RolloutSite::start().await else { return };
    let load = load("lagging", &site);
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    let version = site.version("lagging", &[("WEIR_NATS__URL", nowhere)]);
    let rollout = site.run(&["start", "--to", &version]);
    site.is_at_step(0).await;
    let begun = Instant::now();
    let (status, told) = rollout.ended().await;
    assert_eq!(status.code(), ROLLED_BACK, "{told}");
    assert!(begun.elapsed() < BACK_WITHIN, "{:?}", begun.elapsed());
    assert!(["apart", "lag"].contains(&&*reason(&site)), "{told}");
    is_back(&site);
    all_is_in_the_stream(load, &site, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_version_that_dies_goes_back_at_once_and_what_it_took_is_published() {
    let Some(site) = RolloutSite::start().await else { return };
    let load = load("dying", &site);
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    // It has published nothing when it dies.
    let version = site.version("dying", &[("WEIR_NATS__URL", nowhere)]);
    let rollout = site.run(&["start", "--to", &version]);
    site.is_at_step(0).await;
    load.grows_by(40).await;
    let [pid] = site.processes(1)[..] else { panic!("one process runs there") };
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid is positive");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there");
    let begun = Instant::now();
    let (status, told) = rollout.ended().await;
    assert_eq!(status.code(), ROLLED_BACK, "{told}");
    assert!(begun.elapsed() < BACK_WITHIN, "{:?}", begun.elapsed());
    assert!(["ended", "apart", "lag"].contains(&&*reason(&site)), "{told}");
    is_back(&site);
    all_is_in_the_stream(load, &site, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_start_gets_no_traffic() {
    let Some(site) = RolloutSite::start().await else { return };
    let version = site.version("wrong", &[("WEIR_WAL__MAX_BYTES", "tea".to_owned())]);
    let (status, told) = site.run(&["start", "--to", &version]).ended().await;
    assert_eq!(status.code(), ROLLED_BACK, "{told}");
    assert!(!told.contains("gets 20 %"), "{told}");
    assert_eq!(reason(&site), "ended", "{told}");
    is_back(&site);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_be_is_a_mistake_in_the_file() {
    let Some(site) = RolloutSite::start().await else { return };
    site.configure(&Pace { steps: "[10, 50]", ..Pace::QUICK });
    let (status, told) = site.run(&["start", "--to", WEIR]).ended().await;
    assert_eq!(status.code(), Some(2), "{told}");
    assert!(told.contains("plan.steps must rise"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_rollout_that_is_killed_is_gone_on_with_or_ended() {
    let Some(site) = RolloutSite::start().await else { return };
    let load = load("killed", &site);
    let rollout = site.run(&["start", "--to", WEIR]);
    site.is_at_step(0).await;
    rollout.kill();
    let (status, told) = site.run(&["start", "--to", WEIR]).ended().await;
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("weir rollout resume"), "{told}");
    let rollout = site.run(&["resume"]);
    site.is_at_step(1).await;
    rollout.kill();
    let (status, told) = site.run(&["resume"]).ended().await;
    assert_eq!(status.code(), PROMOTED, "{told}");
    assert_eq!((site.processes(0).len(), site.processes(1).len()), (0, 1));
    // The next is ended by somebody while another process runs it.
    let rollout = site.run(&["start", "--to", WEIR]);
    site.is_at_step(0).await;
    let (aborted, told) = site.run(&["abort", "--why", "it is late"]).ended().await;
    assert_eq!(aborted.code(), Some(0), "{told}");
    assert_eq!(rollout.ended().await.0.code(), ROLLED_BACK);
    let back = async || (site.processes(0).is_empty()).then_some(());
    eventually("the new version has ended", PATIENCE, back).await;
    assert_eq!(reason(&site), "aborted");
    assert_eq!(load.refused(), 0, "no request fails for a rollout");
    all_is_in_the_stream(load, &site, 1).await;
}
