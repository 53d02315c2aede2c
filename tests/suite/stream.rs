//! The log against a real nats-server: declared, written, read, and read on after everything that can happen to it.

use std::time::Duration;

use bytes::Bytes;
use weir::stream::{
    EnsureError, Epoch, EventLog, GetError, LogOptions, Marks, Nats, NatsOptions, Outcome,
    Outgoing, ReadError, Reader, RefusedCause, Severity, SyncPolicy,
};

use crate::support::eventually;
use crate::support::nats::{NatsServer, accepts};

const DEADLINE: Duration = Duration::from_secs(20);

async fn connect(server: &NatsServer) -> Nats {
    Nats::connect(NatsOptions { url: server.url(), name: "test".into(), ..Default::default() })
        .await
        .unwrap()
}

async fn log(server: &NatsServer) -> EventLog {
    let options = LogOptions {
        max_bytes: Some(1 << 30),
        monitor_url: Some(server.monitor_url()),
        ..Default::default()
    };
    EventLog::new(connect(server).await, options).await
}

/// A log whose stream exists.
async fn ensured(server: &NatsServer) -> EventLog {
    let log = log(server).await;
    ensure(&log).await;
    log
}

async fn ensure(log: &EventLog) -> Epoch {
    eventually("the stream is ensured", DEADLINE, async || log.ensure().await.ok()).await.epoch
}

fn id(number: u64) -> String {
    format!("id-{number}")
}

fn payload(number: u64) -> Bytes {
    Bytes::from(format!("{{\"n\":{number}}}"))
}

/// Publishes numbered messages as one batch until it is stored; returns the first sequence.
async fn publish(log: &EventLog, numbers: std::ops::Range<u64>) -> u64 {
    let ids: Vec<_> = numbers.clone().map(id).collect();
    let batch: Vec<_> = numbers
        .zip(&ids)
        .map(|(n, id)| Outgoing { subject: "events.viewed", message_id: id, payload: payload(n) })
        .collect();
    let stored = async || match log.publish_atomic(&batch).await {
        Outcome::Stored { first, last } => {
            assert_eq!(last - first + 1, batch.len() as u64);
            Some(first)
        }
        _ => None,
    };
    eventually("the batch is stored", DEADLINE, stored).await
}

/// Reads until so many messages came; retryable errors are part of it.
async fn read(reader: &mut Reader, count: usize) -> Vec<(u64, String)> {
    let mut seen = Vec::new();
    let reading = async {
        while seen.len() < count {
            match reader.next().await {
                Ok(batch) => {
                    seen.extend(
                        batch
                            .messages
                            .iter()
                            .map(|m| (m.sequence, m.message_id().unwrap().to_owned())),
                    );
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.expect("the messages come in time");
    seen
}

fn numbered(sequences: std::ops::Range<u64>) -> Vec<(u64, String)> {
    sequences.map(|sequence| (sequence, id(sequence))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ensuring_twice_keeps_the_epoch_and_repairs_what_was_changed() {
    let server = NatsServer::start();
    let log = log(&server).await;
    assert!(matches!(
        eventually("an answer", DEADLINE, async || log.state().await.err()).await,
        GetError::Gone | GetError::Unavailable(_)
    ));
    let first =
        eventually("the stream is ensured", DEADLINE, async || log.ensure().await.ok()).await;
    assert!(first.created);

    let client = async_nats::connect(server.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let mut config = jetstream.get_stream("EVENTS").await.unwrap().cached_info().config.clone();
    config.max_age = Duration::from_mins(1);
    config.duplicate_window = Duration::from_secs(1);
    jetstream.update_stream(&config).await.unwrap();
    let broken: Vec<_> = log
        .inspect()
        .await
        .unwrap()
        .into_iter()
        .filter(|finding| finding.severity == Severity::Broken)
        .collect();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].setting, "max_age");

    let second = log.ensure().await.unwrap();
    assert_eq!((second.epoch, second.created), (first.epoch, false));
    assert_eq!(log.inspect().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_syncs_late_is_named() {
    let always = NatsServer::start();
    assert_eq!(ensured(&always).await.sync_policy().await, SyncPolicy::Always);
    let late = NatsServer::with_sync("\"2m\"");
    let log = ensured(&late).await;
    assert_eq!(log.sync_policy().await, SyncPolicy::Every(Duration::from_mins(2)));
    let findings = log.inspect().await.unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].severity, findings[0].setting.as_str()),
        (Severity::Broken, "jetstream.sync_interval")
    );
    let unasked = EventLog::new(connect(&late).await, LogOptions::default()).await;
    assert!(matches!(unasked.sync_policy().await, SyncPolicy::Unknown(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn ensuring_without_a_server_fails_and_may_be_tried_again() {
    let mut server = NatsServer::start();
    server.kill();
    let log = log(&server).await;
    let error = log.ensure().await.unwrap_err();
    assert!(matches!(error, EnsureError::Get(GetError::Unavailable(_))) && error.is_retryable());
    server.restart();
    assert!(
        eventually("the stream is ensured", DEADLINE, async || log.ensure().await.ok())
            .await
            .created
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_batch_is_stored_without_a_gap() {
    let server = NatsServer::start();
    let log = ensured(&server).await;
    assert_eq!(publish(&log, 1..1001).await, 1);
    assert_eq!(publish(&log, 1001..1002).await, 1001);
    let state = log.state().await.unwrap();
    assert_eq!((state.first_sequence, state.last_sequence, state.messages), (1, 1001, 1001));
    let message = log.get(500).await.unwrap().unwrap();
    assert_eq!(
        (message.subject(), message.message_id(), &message.payload),
        ("events.viewed", Some("id-500"), &payload(500))
    );
    assert!(message.time_ms > 1_700_000_000_000);
    assert!(log.get(1002).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_message_of_one_id_is_told_and_not_stored() {
    let server = NatsServer::start();
    let log = ensured(&server).await;
    let one =
        |n: u64| Outgoing { subject: "events.viewed", message_id: "same", payload: payload(n) };
    assert_eq!(log.publish_one(one(1)).await, Outcome::Stored { first: 1, last: 1 });
    assert_eq!(log.publish_one(one(1)).await, Outcome::Duplicate { sequence: 1 });
    let other = Outgoing { message_id: "other", ..one(2) };
    assert_eq!(
        log.publish_atomic(&[other.clone(), one(1)]).await,
        Outcome::BatchRefusedForDuplicate
    );
    assert_eq!(
        log.publish_atomic(&[one(1), other.clone()]).await,
        Outcome::BatchRefusedForDuplicate
    );
    assert_eq!(log.publish_atomic(&[other]).await, Outcome::Stored { first: 2, last: 2 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_refuses_and_says_so() {
    let server = NatsServer::start();
    let options = LogOptions { max_bytes: Some(4096), ..Default::default() };
    let log = EventLog::new(connect(&server).await, options).await;
    ensure(&log).await;
    let large = Bytes::from(vec![b'x'; 3000]);
    let one = |id| Outgoing { subject: "events.viewed", message_id: id, payload: large.clone() };
    assert!(matches!(log.publish_one(one("a")).await, Outcome::Stored { .. }));
    assert!(matches!(log.publish_one(one("b")).await, Outcome::Refused(RefusedCause::Full(_))));
    let batch = log.publish_atomic(&[one("c"), one("d")]).await;
    assert!(matches!(batch, Outcome::Refused(RefusedCause::Full(_))), "{batch:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_without_a_stream_is_to_be_sent_again() {
    let server = NatsServer::start();
    let log = log(&server).await;
    log.nats().connected().await;
    let one = Outgoing { subject: "events.viewed", message_id: "a", payload: payload(1) };
    assert!(matches!(log.publish_one(one.clone()).await, Outcome::Retry(_)));
    assert!(matches!(log.publish_atomic(&[one.clone(), one]).await, Outcome::Retry(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_in_flight_are_told_when_the_server_dies() {
    let mut server = NatsServer::start();
    let log = ensured(&server).await;
    let mut acks = Vec::new();
    for n in 0..2_000 {
        let id = id(n);
        acks.push(
            log.send_one(Outgoing {
                subject: "events.viewed",
                message_id: &id,
                payload: payload(n),
            })
            .await,
        );
        if n == 1_000 {
            server.kill();
        }
    }
    let mut lost = 0;
    for ack in acks {
        match ack.outcome().await {
            Outcome::Stored { .. } => {}
            Outcome::Retry(_) => lost += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_everything_in_order_and_fresh_messages_at_once() {
    let server = NatsServer::start();
    let log = ensured(&server).await;
    publish(&log, 1..1001).await;
    publish(&log, 1001..2001).await;
    let mut reader = log.reader(501);
    assert_eq!(read(&mut reader, 1_500).await, numbered(501..2001));
    assert_eq!(reader.position(), 2_001);
    for next in [2_001, 2_002] {
        publish(&log, next..next + 1).await;
        let batch =
            tokio::time::timeout(Duration::from_secs(1), reader.next()).await.unwrap().unwrap();
        assert_eq!((batch.messages[0].sequence, batch.messages.len(), batch.pending), (next, 1, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_interrupted_all_the_time_loses_nothing() {
    let server = NatsServer::start();
    let log = ensured(&server).await;
    for start in 0..5 {
        publish(&log, start * 1_000 + 1..start * 1_000 + 1_001).await;
    }
    let mut reader = log.reader(1);
    let mut seen = Vec::new();
    let reading = async {
        while seen.len() < 5_000 {
            if let Ok(batch) = tokio::time::timeout(Duration::from_micros(200), reader.next()).await
            {
                seen.extend(batch.unwrap().messages.iter().map(|message| message.sequence));
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.expect("the messages come in time");
    assert_eq!(seen, (1..=5_000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_after_a_restart_of_the_server() {
    let mut server = NatsServer::start();
    let log = ensured(&server).await;
    publish(&log, 1..101).await;
    let mut reader = log.reader(1);
    assert_eq!(read(&mut reader, 100).await, numbered(1..101));
    server.kill();
    assert!(matches!(
        tokio::time::timeout(DEADLINE, reader.next()).await,
        Ok(Err(ReadError::Disconnected))
    ));
    server.restart();
    publish(&log, 101..201).await;
    assert_eq!(read(&mut reader, 100).await, numbered(101..201));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_after_its_consumer_is_deleted() {
    let server = NatsServer::start();
    let log = ensured(&server).await;
    publish(&log, 1..101).await;
    let mut reader = log.reader(1);
    assert_eq!(read(&mut reader, 100).await, numbered(1..101));
    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let stream = jetstream.get_stream("EVENTS").await.unwrap();
    let names: Vec<String> =
        futures_util::TryStreamExt::try_collect(stream.consumer_names()).await.unwrap();
    assert_eq!(names.len(), 1);
    stream.delete_consumer(&names[0]).await.unwrap();
    publish(&log, 101..201).await;
    assert_eq!(read(&mut reader, 100).await, numbered(101..201));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_given_up_when_its_connection_breaks() {
    let mut server = NatsServer::start();
    let log = ensured(&server).await;
    server.freeze();
    let mut request = std::pin::pin!(log.state());
    let unanswered = tokio::time::timeout(Duration::from_millis(50), &mut request).await;
    assert!(unanswered.is_err(), "{unanswered:?}");
    server.kill();
    let answer = tokio::time::timeout(Duration::from_secs(2), request).await;
    assert!(matches!(answer, Ok(Err(GetError::Unavailable(_)))), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_reader_keeps_its_consumer() {
    let server = NatsServer::start();
    let log = ensured(&server).await;
    publish(&log, 1..2).await;
    let mut reader = log.reader(1);
    assert_eq!(read(&mut reader, 1).await, numbered(1..2));
    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let stream = jetstream.get_stream("EVENTS").await.unwrap();
    let names = async || -> Vec<String> {
        futures_util::TryStreamExt::try_collect(stream.consumer_names()).await.unwrap()
    };
    let before = names().await;
    // Longer than the silence after which a reader takes its server for dead.
    let idle = tokio::time::timeout(Duration::from_millis(5_500), reader.next()).await;
    assert!(idle.is_err(), "{idle:?}");
    assert_eq!(names().await, before);
    publish(&log, 2..3).await;
    assert_eq!(read(&mut reader, 1).await, numbered(2..3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_names_a_stream_that_is_gone_and_one_that_is_another() {
    let server = NatsServer::start();
    let log = ensured(&server).await;
    publish(&log, 1..101).await;
    let mut reader = log.reader(1);
    read(&mut reader, 100).await;
    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    jetstream.delete_stream("EVENTS").await.unwrap();
    let mut failed =
        async || tokio::time::timeout(DEADLINE, reader.next()).await.unwrap().unwrap_err();
    assert!(matches!(failed().await, ReadError::Gone));
    ensure(&log).await;
    publish(&log, 1..201).await;
    let error = eventually("the reader looks again", DEADLINE, async || {
        Some(failed().await).filter(|error| !error.is_retryable())
    });
    assert!(matches!(error.await, ReadError::Diverged { position: 100, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_cut_back_and_grown_again_is_noticed_and_its_common_part_found() {
    let mut server = NatsServer::start();
    let log = ensured(&server).await;
    publish(&log, 1..1_001).await;
    let mut marks = Marks::default();
    let mut reader = log.reader(1);
    read_marks(&mut reader, &mut marks, 1_000).await;
    server.kill();
    let copy = server.save_files();
    server.restart();
    publish(&log, 1_001..1_101).await;
    read_marks(&mut reader, &mut marks, 1_100).await;
    assert_eq!(log.newest_matching(&marks).await.unwrap(), marks.newest());

    server.kill();
    server.restore_files(copy.path());
    server.restart();
    publish(&log, 2_001..2_301).await;
    let error = eventually("the reader looks again", DEADLINE, async || {
        reader.next().await.err().filter(|error| !error.is_retryable())
    });
    assert!(matches!(error.await, ReadError::Diverged { position: 1_100, .. }));
    let common = log.newest_matching(&marks).await.unwrap().unwrap();
    assert!((800..=1_000).contains(&common.sequence), "{common:?}");
}

/// Reads up to a sequence and marks every message.
async fn read_marks(reader: &mut Reader, marks: &mut Marks, through: u64) {
    while reader.position() <= through {
        match tokio::time::timeout(DEADLINE, reader.next()).await.expect("messages come in time") {
            Ok(batch) => batch.messages.iter().for_each(|message| marks.push(message.mark())),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_the_server_has_no_room_for_is_refused_with_a_remedy() {
    let server = NatsServer::start();
    let options = LogOptions { max_bytes: Some(1 << 50), ..Default::default() };
    let log = EventLog::new(connect(&server).await, options).await;
    let refused = async || match log.ensure().await {
        Err(error @ EnsureError::NoRoom { .. }) => Some(error.to_string()),
        _ => None,
    };
    let text = eventually("the server refuses", DEADLINE, refused).await;
    assert!(text.contains("max_file_store"), "{text}");
}

#[test]
fn the_configuration_for_a_single_server_is_accepted() {
    let nats = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("nats");
    assert!(accepts(&nats.join("single.conf")));
    assert!(!accepts(&nats.join("stream-events.json")));
}
