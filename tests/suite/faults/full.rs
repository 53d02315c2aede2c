//! A disk without room, while producers send.

use std::sync::Arc;

use super::{LOG, all_is_kept, is_refused_for_now, refuses, takes_again};
use crate::support::client::PATIENCE;
use crate::support::eventually;
use crate::support::faults::{Call, Faults};
use crate::support::load::Load;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;
use crate::support::weir::Weir;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_takes_events_again_when_there_is_room() {
    let Some(faults) = Faults::at(LOG) else { return };
    let (server, seed) = (NatsServer::start(), Arc::new(Seed::new()));
    let weir = faults.on(Weir::dev().nats(&server)).start().await;
    let client = weir.client();
    let load = Load::start("full", &client, 4, &seed);
    for _ in 0..3 {
        load.grows_by(seed.pick(20..200)).await;
        faults.fill_disk();
        refuses(&client).await;
        for _ in 0..20 {
            is_refused_for_now(&client).await;
        }
        let told = async || (client.ready("gateway").await.status == 503).then_some(());
        eventually("the gateway is not ready", PATIENCE, told).await;
        faults.heal();
        takes_again(&client).await;
        load.grows_by(50).await;
    }
    assert!(faults.hits(Call::Write) + faults.hits(Call::Create) > 0);
    all_is_kept(load, &client).await;
    assert_eq!(client.ready("gateway").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_the_disk_was_full_is_there_after_a_kill() {
    let Some(faults) = Faults::at(LOG) else { return };
    let (mut server, seed) = (NatsServer::start(), Arc::new(Seed::new()));
    let mut weir = faults.on(Weir::dev().nats(&server)).start().await;
    let client = weir.client();
    client.settled().await;
    // Nothing leaves the log, so all of it must be found there.
    server.kill();
    let load = Load::start("killed-full", &client, 4, &seed);
    load.grows_by(300).await;
    faults.fill_disk();
    refuses(&client).await;
    weir.kill();
    faults.heal();
    weir.start_again().await;
    load.grows_by(50).await;
    server.restart();
    all_is_kept(load, &client).await;
    assert_eq!(client.status().await["wal"]["lostEntries"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_clock_that_is_set_back_refuse_no_longer_than_the_disk_is_full() {
    let Some(faults) = Faults::at(LOG) else { return };
    let server = NatsServer::start();
    let weir = faults.on(Weir::dev().nats(&server)).start().await;
    let client = weir.client();
    faults.fill_disk();
    refuses(&client).await;
    faults.shift_clock(-super::clock::YEAR_MS);
    is_refused_for_now(&client).await;
    faults.heal();
    takes_again(&client).await;
}
