//! A disk that cannot be read.

use super::{SEGMENTS, takes_again};
use crate::support::client::ndjson;
use crate::support::faults::{Call, EIO, Faults};
use crate::support::load::numbered;
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

const EVENTS: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_for_now_is_left_as_it_is() {
    let Some(faults) = Faults::at(SEGMENTS) else { return };
    let mut server = NatsServer::start();
    let dir = tempfile::tempdir().unwrap();
    let describe = || faults.on(Weir::dev().nats(&server)).data_dir(dir.path());
    let mut weir = describe().start().await;
    let client = weir.client();
    client.settled().await;
    let describe_again = describe();
    server.kill();
    let events: Vec<_> = (0..EVENTS).map(|number| numbered("unread", number)).collect();
    let posted = client.try_post("application/x-ndjson", ndjson(&events)).await.unwrap();
    assert_eq!(posted.status, 202);
    weir.kill();

    faults.fail(Call::Read, EIO);
    let (status, told) = describe_again.run().await;
    assert!(!status.success() && told.contains("segment"), "{told}");
    assert!(faults.hits(Call::Read) > 0);

    faults.heal();
    weir.start_again().await;
    server.restart();
    takes_again(&client).await;
    let settled = client.settled().await;
    assert_eq!(
        (&settled["wal"]["lostEntries"], &settled["wal"]["quarantined"]),
        (&0.into(), &0.into())
    );
    assert_eq!(client.event_ids("unread").await.len() as u64, EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_fail_while_it_runs_delay_the_stream_and_lose_nothing() {
    let Some(faults) = Faults::at(SEGMENTS) else { return };
    let mut server = NatsServer::start();
    let builder = Weir::dev().nats(&server).set("wal.segment_bytes", "1MiB");
    let weir = faults.on(builder).start().await;
    let client = weir.client();
    client.settled().await;
    server.kill();
    // More than is kept in memory, so the relay reads files; with notes, so that it takes few events.
    let note = "x".repeat(20_000);
    let mut sent = 0;
    while sent < 1200 {
        let mut batch: Vec<_> =
            (sent..sent + 100).map(|number| numbered("reread", number)).collect();
        batch.iter_mut().for_each(|event| event["properties"] = serde_json::json!({"note": note}));
        assert_eq!(client.post_ndjson(&batch).await.status, 202);
        sent += 100;
    }
    faults.fail(Call::Read, EIO);
    server.restart();
    client.status_when("a read has failed", |_| faults.hits(Call::Read) > 0).await;
    takes_again(&client).await;
    faults.heal();
    let settled = client.settled().await;
    assert_eq!(settled["wal"]["lostEntries"], 0, "{settled:#}");
    assert_eq!(client.event_ids("reread").await.len() as u64, sent);
}
