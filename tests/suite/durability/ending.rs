//! How a weir ends: drained, killed, or refused before it began.

use std::sync::Arc;
use std::time::Duration;

use crate::support::client::{PATIENCE, digest};
use crate::support::eventually;
use crate::support::load::Load;
use crate::support::seed::Seed;
use crate::support::weir::Weir;

use super::{has_history, post};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_keeps_all_that_was_answered_and_takes_the_server_with_it() {
    let seed = Arc::new(Seed::new());
    let mut weir = Weir::dev().set("drain_deadline", "5s").start().await;
    let client = weir.client();
    let load = Load::start("answered", &client, 4, &seed);
    for _ in 0..3 {
        load.grows_by(seed.pick(20..200)).await;
        let nats = weir.nats_child().expect("the server runs");
        weir.terminate();
        // The deadlines of the gateway, the relay and the server, one after the other, and no more.
        let status = weir.ended(Duration::from_secs(15)).await;
        assert!(status.success(), "{status}");
        assert!(!nats.runs(), "the server outlives weir");
        assert!(!weir.nats_pid_file().exists());
        weir.start_again().await;
    }
    let produced = load.stop().await;
    client.settled().await;
    for producer in produced {
        producer.is_in_history_once(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_weir_goes_on_where_it_was_without_reading_the_log_again() {
    let mut weir = Weir::dev().start().await;
    let client = weir.client();
    post(&client, "kept", 0..200).await;
    let before = client.settled().await;
    weir.stop().await;
    weir.start_again().await;
    let after = client.settled().await;
    assert_eq!(digest(&after), digest(&before));
    assert_eq!(after["generations"][0]["events"], 0, "the snapshot holds them all");
    assert_eq!(after["relay"]["published"], 0, "nothing is sent twice");
    has_history(&client, "kept", 0..200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_weir_takes_its_server_with_it() {
    let mut weir = Weir::dev().start().await;
    let nats = weir.nats_child().expect("the server runs");
    weir.kill();
    eventually("the server ends by itself", PATIENCE, async || (!nats.runs()).then_some(())).await;
    weir.start_again().await;
    assert!(weir.nats_child().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_weir_on_the_same_data_is_refused_and_harms_nothing() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    post(&client, "first", 0..10).await;
    let (status, told) = Weir::dev().data_dir(weir.data_dir()).run().await;
    assert_eq!(status.code(), Some(1), "{told}");
    let wanted = format!("another weir uses the data directory {}", weir.data_dir().display());
    assert!(told.contains(&wanted) && told.contains("--data-dir"), "{told}");
    post(&client, "first", 10..20).await;
    client.settled().await;
    has_history(&client, "first", 0..20).await;
}
