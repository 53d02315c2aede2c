//! Syncs that fail, and syncs that take long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{SEGMENTS, all_is_kept, is_refused_for_now, probe, refuses, takes_again};
use crate::support::faults::{Call, EIO, Faults};
use crate::support::load::Load;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;
use crate::support::weir::Weir;

/// A disk that is busy with something else.
const SLOW: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_sync_failed_is_not_promised_and_the_others_are_kept() {
    let Some(faults) = Faults::at(SEGMENTS) else { return };
    let (mut server, seed) = (NatsServer::start(), Arc::new(Seed::new()));
    let mut weir = faults.on(Weir::dev().nats(&server)).start().await;
    let client = weir.client();
    client.settled().await;
    server.kill();
    let load = Load::start("synced", &client, 4, &seed);
    for round in 0..4 {
        load.grows_by(seed.pick(20..200)).await;
        faults.fail(Call::Sync, EIO);
        refuses(&client).await;
        for _ in 0..20 {
            is_refused_for_now(&client).await;
        }
        if round % 2 == 1 {
            // The segment of the failure is found as the disk left it.
            weir.kill();
        }
        faults.heal();
        if round % 2 == 1 {
            weir.start_again().await;
        }
        takes_again(&client).await;
    }
    assert!(faults.hits(Call::Sync) >= 4);
    server.restart();
    all_is_kept(load, &client).await;
    assert_eq!(client.status().await["wal"]["lostEntries"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_costs_time_and_nothing_else() {
    let Some(faults) = Faults::at(SEGMENTS) else { return };
    let (server, seed) = (NatsServer::start(), Arc::new(Seed::new()));
    let mut weir = faults.on(Weir::dev().nats(&server)).start().await;
    let client = weir.client();
    client.settled().await;
    let load = Load::start("slow", &client, 4, &seed);
    load.grows_by(50).await;
    faults.slow_syncs(SLOW);
    let begun = Instant::now();
    let answers = join_all((0..32).map(|_| {
        let client = client.clone();
        async move { client.post(&probe()).await.status }
    }));
    assert!(answers.await.into_iter().all(|status| status == 202));
    let took = begun.elapsed();
    // Whoever waits is synced together: two commits, and perhaps one that was under way.
    assert!(took >= SLOW && took < 10 * SLOW, "{took:?}");
    let begun = Instant::now();
    assert_eq!(client.get("/health").await.status, 200);
    assert!(begun.elapsed() < SLOW, "what needs no disk does not wait for it");
    load.grows_by(8).await;
    assert_eq!(load.refused(), 0);
    faults.heal();
    load.grows_by(50).await;
    all_is_kept(load, &client).await;
    faults.slow_syncs(SLOW);
    let begun = Instant::now();
    weir.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(15), "a stop has its deadline");
}
