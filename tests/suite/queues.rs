//! Work shared by workers, against a real nats-server: who gets what, and what happens when anything in between goes.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use weir::stream::{
    Delivery, EventLog, KvStore, KvWatch, LogOptions, Nats, NatsOptions, Outcome, Outgoing,
    QueueError, ReadError, WorkOptions, WorkQueue,
};

use crate::support::eventually;
use crate::support::nats::NatsServer;

const DEADLINE: Duration = Duration::from_secs(20);

async fn connect(server: &NatsServer) -> Nats {
    Nats::connect(NatsOptions { url: server.url(), name: "test".into(), ..Default::default() })
        .await
        .unwrap()
}

/// A log whose stream exists, over a connection of its own.
async fn log(server: &NatsServer) -> EventLog {
    let log = EventLog::new(
        connect(server).await,
        LogOptions { max_bytes: Some(1 << 30), ..Default::default() },
    )
    .await;
    eventually("the stream is ensured", DEADLINE, async || log.ensure().await.ok()).await;
    log
}

async fn publish(log: &EventLog, numbers: std::ops::Range<u64>) {
    let ids: Vec<_> = numbers.clone().map(|number| format!("id-{number}")).collect();
    let batch: Vec<_> = ids
        .iter()
        .map(|id| Outgoing {
            subject: "events.viewed",
            message_id: id,
            payload: Bytes::from(id.clone()),
        })
        .collect();
    let stored =
        async || matches!(log.publish_atomic(&batch).await, Outcome::Stored { .. }).then_some(());
    eventually("the batch is stored", DEADLINE, stored).await;
}

fn options() -> WorkOptions {
    WorkOptions { ack_wait: Duration::from_secs(2), ..WorkOptions::events("projector-g1") }
}

async fn next(queue: &mut WorkQueue, most: usize) -> Vec<Delivery> {
    let work = async {
        loop {
            match queue.next(most).await {
                Ok(deliveries) => {
                    assert!(!deliveries.is_empty() && deliveries.len() <= most);
                    return deliveries;
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    };
    tokio::time::timeout(DEADLINE, work).await.expect("work comes in time")
}

/// Works until so many different messages were seen, acknowledging all.
async fn work_off(queue: &mut WorkQueue, count: usize) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        let deliveries = next(queue, 100).await;
        seen.extend(sequences(&deliveries));
        queue.answers().ack_all(&deliveries).await;
    }
    seen
}

fn sequences(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.message.sequence).collect()
}

async fn all_done(queue: &WorkQueue, through: u64) {
    let done = async || {
        let state = queue.state().await.ok()?;
        (state.ack_floor == through && state.pending == 0 && state.ack_pending == 0).then_some(())
    };
    eventually("everything is acknowledged", DEADLINE, done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_work_and_each_message_is_done_once() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..1001).await;
    let patient = WorkOptions { ack_wait: Duration::from_mins(5), ..options() };
    let (mut one, mut other) = (log.work(patient.clone()), log.work(patient));
    let (mut seen, mut both) = (Vec::new(), [0, 0]);
    while seen.len() < 1000 {
        // Whoever has some: either may have fetched the last ones ahead.
        let (worker, deliveries) = tokio::select! {
            deliveries = next(&mut one, 50) => (0, deliveries),
            deliveries = next(&mut other, 50) => (1, deliveries),
        };
        assert!(deliveries.iter().all(|delivery| delivery.delivered == 1));
        both[worker] += deliveries.len();
        seen.extend(sequences(&deliveries));
        one.answers().ack_all(&deliveries).await;
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=1000).collect::<Vec<_>>());
    assert!(both.iter().all(|count| *count >= 100), "{both:?}");
    all_done(&one, 1000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dropped_worker_had_goes_to_the_other() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..101).await;
    let mut dropped = log.work(options());
    let mut had = 0;
    while had < 60 {
        had += next(&mut dropped, 60 - had).await.len();
    }
    drop(dropped);
    let mut other = log.work(options());
    let seen = work_off(&mut other, 100).await;
    assert_eq!(seen, (1..=100).collect());
    all_done(&other, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_releases_is_delivered_at_once() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..101).await;
    let patient = WorkOptions { ack_wait: Duration::from_mins(5), ..options() };
    let mut leaving = log.work(patient.clone());
    let had = next(&mut leaving, 10).await;
    leaving.answers().ack_all(&had).await;
    // It fetches ahead, and no more than that.
    let ahead = async || (5..=10).contains(&leaving.state().await.ok()?.ack_pending).then_some(());
    eventually("some are fetched ahead", DEADLINE, ahead).await;
    leaving.release().await;
    let mut other = log.work(patient);
    let rest = work_off(&mut other, 100 - had.len()).await;
    assert_eq!(rest.len() + had.len(), 100);
    all_done(&other, 100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_given_back_comes_again_after_its_delay_and_counts_its_deliveries() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..2).await;
    let mut queue = log.work(options());
    let first = next(&mut queue, 10).await;
    first[0].nak(Duration::from_millis(300)).await;
    let given_back = std::time::Instant::now();
    let again = next(&mut queue, 10).await;
    assert!(given_back.elapsed() >= Duration::from_millis(250), "{:?}", given_back.elapsed());
    assert_eq!((again[0].message.sequence, again[0].delivered), (1, 2));
    again[0].ack().await;
    all_done(&queue, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_keeps_a_message_from_the_others() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..2).await;
    let options = WorkOptions { ack_wait: Duration::from_secs(1), ..options() };
    let (mut slow, mut other) = (log.work(options.clone()), log.work(options));
    let kept = next(&mut slow, 1).await;
    let begun = std::time::Instant::now();
    let mut stolen = std::pin::pin!(other.next(1));
    while begun.elapsed() < Duration::from_millis(2_500) {
        kept[0].in_progress().await;
        let tried = tokio::time::timeout(Duration::from_millis(200), &mut stolen).await;
        assert!(tried.is_err(), "the other got it after {:?}", begun.elapsed());
    }
    kept[0].ack().await;
    all_done(&slow, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_interrupted_all_the_time_loses_nothing() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..1001).await;
    publish(&log, 1001..2001).await;
    // Nothing comes a second time within the test.
    let mut queue = log.work(WorkOptions { ack_wait: Duration::from_mins(5), ..options() });
    let mut seen = Vec::new();
    let working = async {
        while seen.len() < 2_000 {
            if let Ok(work) = tokio::time::timeout(Duration::from_micros(200), queue.next(64)).await
            {
                let deliveries = work.unwrap();
                queue.answers().ack_all(&deliveries).await;
                seen.extend(sequences(&deliveries));
            }
        }
    };
    tokio::time::timeout(DEADLINE, working).await.expect("the work comes in time");
    assert_eq!(seen, (1..=2_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_server_in_the_middle_loses_nothing() {
    let mut server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..501).await;
    let mut queue = log.work(options());
    let mut seen = BTreeSet::new();
    while seen.len() < 200 {
        let deliveries = next(&mut queue, 50).await;
        seen.extend(sequences(&deliveries));
        queue.answers().ack_all(&deliveries).await;
    }
    let unacknowledged = next(&mut queue, 20).await;
    assert!(!unacknowledged.is_empty());
    server.kill();
    let waiting = tokio::time::timeout(Duration::from_millis(300), async {
        while let Ok(deliveries) = queue.next(50).await {
            seen.extend(sequences(&deliveries));
        }
    });
    waiting.await.expect_err("the queue waits for the server");
    server.restart();
    publish(&log, 501..601).await;
    let working = async {
        while queue.state().await.map_or(0, |state| state.ack_floor) < 600 {
            if let Ok(Ok(deliveries)) =
                tokio::time::timeout(Duration::from_millis(500), queue.next(50)).await
            {
                seen.extend(sequences(&deliveries));
                queue.answers().ack_all(&deliveries).await;
            }
        }
    };
    tokio::time::timeout(DEADLINE, working).await.expect("everything is done in time");
    assert_eq!(seen, (1..=600).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_consumer_is_made_again() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..101).await;
    let mut queue = log.work(options());
    assert_eq!(work_off(&mut queue, 100).await.len(), 100);
    let stream = server.jetstream().await.get_stream("EVENTS").await.unwrap();
    stream.delete_consumer("projector-g1").await.unwrap();
    publish(&log, 101..201).await;
    // Nobody knows any more what was done: everything comes again.
    assert_eq!(work_off(&mut queue, 200).await, (1..=200).collect());
    all_done(&queue, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_consumer_is_changed_back() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..3).await;
    let mut queue = log.work(options());
    work_off(&mut queue, 2).await;
    let stream = server.jetstream().await.get_stream("EVENTS").await.unwrap();
    let found = async || stream.consumer_info("projector-g1").await.unwrap().config;
    assert_eq!((found().await.max_deliver, found().await.ack_wait), (-1, Duration::from_secs(2)));
    let mut later = log.work(WorkOptions { max_ack_pending: 77, ..options() });
    publish(&log, 3..4).await;
    assert_eq!(work_off(&mut later, 1).await, [3].into());
    assert_eq!(found().await.max_ack_pending, 77);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_from_another_stream_of_the_same_name_is_refused() {
    let server = NatsServer::start();
    let log = log(&server).await;
    let epoch = log.state().await.unwrap().epoch.unwrap();
    publish(&log, 1..101).await;
    let mut queue = log.work(options()).expecting(epoch);
    work_off(&mut queue, 100).await;
    server.jetstream().await.delete_stream("EVENTS").await.unwrap();
    let failed = async |queue: &mut WorkQueue| {
        tokio::time::timeout(DEADLINE, queue.next(10)).await.unwrap().unwrap_err()
    };
    assert!(matches!(failed(&mut queue).await, ReadError::Gone));
    log.ensure().await.unwrap();
    publish(&log, 1..201).await;
    let error = eventually("the queue looks again", DEADLINE, async || {
        Some(failed(&mut queue).await).filter(|error| !error.is_retryable())
    });
    assert!(matches!(error.await, ReadError::Diverged { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_moves_all_workers() {
    let server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..101).await;
    let (mut one, mut other) = (log.work(options()), log.work(options()));
    work_off(&mut one, 100).await;
    one.reset(91).await.unwrap();
    assert_eq!(work_off(&mut other, 10).await, (91..=100).collect());
    all_done(&one, 100).await;
    publish(&log, 101..111).await;
    one.reset(106).await.unwrap();
    assert_eq!(work_off(&mut one, 5).await, (106..=110).collect());
}

fn text(value: Option<(Bytes, u64)>) -> Option<String> {
    value.map(|(value, _)| String::from_utf8(value.to_vec()).unwrap())
}

async fn sees(watch: &KvWatch, within: Duration, expected: &[(&str, &str)]) {
    let same = async || {
        let view = watch.view();
        let found = view.entries.iter().map(|(key, (value, _))| (key.as_str(), value.as_ref()));
        let expected = expected.iter().map(|(key, value)| (*key, value.as_bytes()));
        (view.loaded && found.eq(expected)).then_some(())
    };
    eventually(&format!("the copy has {expected:?}"), within, same).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_created_once_and_changed_by_whom_knows_its_revision() {
    let server = NatsServer::start();
    let kv = KvStore::new(connect(&server).await, 1).await;
    kv.ensure().await.unwrap();
    assert_eq!(kv.get("active").await.unwrap(), None);
    let first = kv.create("active", "one".into()).await.unwrap();
    assert_eq!(kv.create("active", "two".into()).await, Err(QueueError::Conflict));
    assert_eq!(kv.get("active").await.unwrap(), Some(("one".into(), first)));
    let second = kv.update("active", "two".into(), first).await.unwrap();
    assert_eq!(kv.update("active", "three".into(), first).await, Err(QueueError::Conflict));
    assert_eq!(kv.delete("active", Some(first)).await, Err(QueueError::Conflict));
    kv.delete("active", Some(second)).await.unwrap();
    assert_eq!(kv.get("active").await.unwrap(), None);
    kv.create("active", "four".into()).await.unwrap();
    assert_eq!(text(kv.get("active").await.unwrap()).as_deref(), Some("four"));
    kv.create("job.1", "x".into()).await.unwrap();
    kv.create("job.2", "x".into()).await.unwrap();
    kv.delete("job.1", None).await.unwrap();
    assert_eq!(kv.keys("job.").await.unwrap(), ["job.2"]);
    assert_eq!(kv.keys("").await.unwrap(), ["active", "job.2"]);
    for wrong in ["", "a b", "a.*", ">", ".a", "a..b"] {
        assert!(matches!(kv.get(wrong).await, Err(QueueError::Refused { .. })), "{wrong}");
    }
    // Any other KV client reads it.
    let other = server.jetstream().await.get_key_value("WEIR").await.unwrap();
    assert_eq!(other.get("active").await.unwrap().unwrap(), "four");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_copy_follows_within_a_second_across_whatever_happens() {
    let mut server = NatsServer::start();
    let kv = KvStore::new(connect(&server).await, 1).await;
    let watch = kv.watch();
    assert!(!watch.view().loaded);
    eventually("the bucket is made", DEADLINE, async || kv.ensure().await.ok()).await;
    let revision = kv.create("active", "one".into()).await.unwrap();
    sees(&watch, DEADLINE, &[("active", "one")]).await;
    let revision = kv.update("active", "two".into(), revision).await.unwrap();
    sees(&watch, Duration::from_secs(1), &[("active", "two")]).await;

    server.kill();
    eventually("the link is down", DEADLINE, async || {
        kv.get("active").await.is_err().then_some(())
    })
    .await;
    sees(&watch, Duration::from_secs(1), &[("active", "two")]).await;
    server.restart();
    let put = async || kv.update("active", "three".into(), revision).await.ok();
    eventually("the key is changed", DEADLINE, put).await;
    sees(&watch, DEADLINE, &[("active", "three")]).await;

    let jetstream = server.jetstream().await;
    let stream = jetstream.get_stream("KV_WEIR").await.unwrap();
    let names: Vec<String> =
        futures_util::TryStreamExt::try_collect(stream.consumer_names()).await.unwrap();
    for name in names {
        stream.delete_consumer(&name).await.unwrap();
    }
    kv.create("other", "x".into()).await.unwrap();
    sees(&watch, Duration::from_secs(1), &[("active", "three"), ("other", "x")]).await;

    jetstream.delete_stream("KV_WEIR").await.unwrap();
    // The first write makes it again.
    kv.create("active", "four".into()).await.unwrap();
    sees(&watch, DEADLINE, &[("active", "four")]).await;
    kv.delete("active", None).await.unwrap();
    sees(&watch, Duration::from_secs(1), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_stream_lost_its_end_is_delivered_too() {
    let mut server = NatsServer::start();
    let log = log(&server).await;
    publish(&log, 1..101).await;
    server.kill();
    let older = server.save_files();
    server.restart();
    publish(&log, 101..201).await;
    let mut queue = log.work(options());
    work_off(&mut queue, 200).await;
    all_done(&queue, 200).await;
    server.stop();
    // The stream's messages are older than what its consumer knows.
    let newer = server.save_files();
    let messages = "jetstream/$G/streams/EVENTS/msgs";
    std::fs::remove_dir_all(newer.path().join(messages)).unwrap();
    std::fs::rename(older.path().join(messages), newer.path().join(messages)).unwrap();
    server.restore_files(newer.path());
    server.restart();
    publish(&log, 301..401).await;
    let new: BTreeSet<_> = (301..401).map(|number| format!("id-{number}")).collect();
    let mut seen = BTreeSet::new();
    let working = async {
        while !seen.is_superset(&new) {
            match queue.next(50).await {
                Ok(deliveries) => {
                    queue.answers().ack_all(&deliveries).await;
                    let ids = deliveries.iter().map(|d| d.message.message_id().unwrap());
                    seen.extend(ids.map(str::to_owned));
                }
                // A server that does not correct its consumer by itself: everything again.
                Err(ReadError::Diverged { .. }) => {
                    let removed = log.work(options()).remove().await;
                    assert!(removed.is_ok(), "{removed:?}");
                }
                Err(_) => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, working).await.expect("everything new comes in time");
}
