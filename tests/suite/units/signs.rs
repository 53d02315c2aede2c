//! What weir tells systemd: readiness, signs of life while there are some, and the end.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::faults::{Call, Faults};
use crate::support::nats::NatsServer;
use crate::support::ports::free_port;
use crate::support::systemd::Heard;
use crate::support::weir::Weir;

const WATCHDOG: Duration = Duration::from_secs(3);
/// How long the disk of a stuck log takes for one sync.
const HUNG: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_tells_of_readiness_life_and_end_though_nats_is_away() {
    let heard = Heard::new(WATCHDOG);
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    let gateway = Weir::gateway().set("nats.url", &nowhere).notifies(&heard);
    let mut gateway = gateway.start().await;
    heard.hears(1, "READY=1").await;
    heard.hears_status("gateway ready; NATS is away").await;
    heard.hears(6, "WATCHDOG=1").await;
    gateway.stop().await;
    let lines = heard.lines();
    assert_eq!(heard.count("READY=1"), 1, "{lines:?}");
    assert_eq!(heard.count("STOPPING=1"), 1, "{lines:?}");
    assert!(heard.place("STATUS=starting") < heard.place("READY=1"), "{lines:?}");
    assert!(heard.place("EXTEND_TIMEOUT_USEC=30000000") < heard.place("READY=1"), "{lines:?}");
    assert!(heard.place("READY=1") < heard.place("WATCHDOG=1"), "{lines:?}");
    assert!(heard.place("WATCHDOG=1") < heard.place("STOPPING=1"), "{lines:?}");
    let end = &lines[heard.place("STOPPING=1") + 1];
    assert_eq!(end, "EXTEND_TIMEOUT_USEC=80000000", "two drains of 10 s, and a minute");
    assert!(heard.longest_pause("WATCHDOG=1") < WATCHDOG, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_disk_does_not_answer_ends_the_signs_of_life() {
    let Some(faults) = Faults::at("/wal/segment-") else { return };
    let (server, heard) = (NatsServer::start(), Heard::new(WATCHDOG));
    let gateway = faults.on(Weir::gateway().nats(&server)).notifies(&heard).start().await;
    heard.hears(2, "WATCHDOG=1").await;
    faults.slow_syncs(HUNG);
    let client = gateway.client();
    let posting = tokio::spawn(async move { client.post(&event("viewed", "ann", "tea")).await });
    heard.hears_status("no sign of life from the log's writer; gateway ready").await;
    // Everything else goes on, and would say that all is well.
    assert_eq!(gateway.client().ready("gateway").await.status, 200);
    let starved = async || {
        let last = heard.last("WATCHDOG=1").expect("it was fed before");
        (last.elapsed() > WATCHDOG).then_some(())
    };
    eventually("systemd would end it", HUNG, starved).await;
    let (fed, hung) = (heard.count("WATCHDOG=1"), Instant::now());
    faults.heal();
    // The disk answers at last: the event is kept, and life goes on.
    assert_eq!(posting.await.expect("an answer").status, 202);
    heard.hears(fed + 2, "WATCHDOG=1").await;
    assert!(faults.hits(Call::Sync) > 0 && hung.elapsed() < PATIENCE);
    assert!(gateway.log().contains("no sign of life loops=\"the log's writer\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_that_waits_for_others_is_given_time_and_says_for_what() {
    let (server, heard) = (NatsServer::start(), Heard::new(WATCHDOG));
    let projector = Weir::projector().nats(&server).arango("http://127.0.0.1:9").notifies(&heard);
    let mut projector = projector.start().await;
    heard.hears_status("projector not ready; the active generation is not written to").await;
    heard.hears(3, "EXTEND_TIMEOUT_USEC=30000000").await;
    assert_eq!(heard.count("READY=1") + heard.count("WATCHDOG=1"), 0, "{:?}", heard.lines());
    projector.stop().await;
    assert_eq!(heard.count("STOPPING=1"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn graphs_and_workers_show_signs_of_life_while_events_flow_and_while_none_do() {
    let heard = Heard::new(2 * WATCHDOG);
    let dev = Weir::dev().notifies(&heard).start().await;
    heard.hears(1, "READY=1").await;
    let events: Vec<Value> =
        (0..500).map(|number| event("viewed", "ann", &format!("i{number}"))).collect();
    for _ in 0..10 {
        dev.client().post_ndjson(&events).await.ok();
    }
    dev.client().settled().await;
    let fed = heard.count("WATCHDOG=1");
    heard.hears(fed + 4, "WATCHDOG=1").await;
    assert!(heard.longest_pause("WATCHDOG=1") < 2 * WATCHDOG, "{:?}", heard.lines());
    assert_eq!(heard.count("STATUS=no sign of life"), 0);
}
