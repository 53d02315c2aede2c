//! The relay between a real WAL and a real nats-server: everything arrives, and comes back when the stream loses it.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir::event::Publication;
use weir::relay::{Handle, Options, Relay, Status};
use weir::stream::{EventLog, LogOptions, Nats, NatsOptions};
use weir::wal::{self, Wal};

use crate::support::eventually;
use crate::support::nats::NatsServer;

const DEADLINE: Duration = Duration::from_secs(30);

/// A WAL with its relay, which can be stopped and started again.
struct Rig {
    dir: TempDir,
    wal: Wal,
    log: EventLog,
    running: Option<Running>,
}

struct Running {
    handle: Handle,
    token: CancellationToken,
    task: JoinHandle<()>,
}

impl Rig {
    async fn new(server: &NatsServer) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let wal = Wal::open(wal::Options::new(dir.path())).unwrap();
        Self { dir, wal, log: log(server, "relay").await, running: None }
    }

    async fn started(server: &NatsServer) -> Self {
        let mut rig = Self::new(server).await;
        rig.start();
        rig
    }

    fn start(&mut self) {
        let options = Options::new(self.dir.path());
        let (relay, handle) = Relay::build(options, self.wal.clone(), self.log.clone()).unwrap();
        let token = CancellationToken::new();
        let task = tokio::spawn(relay.run(token.clone()));
        self.running = Some(Running { handle, token, task });
    }

    async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.token.cancel();
        tokio::time::timeout(DEADLINE, running.task).await.expect("the relay stops").unwrap();
    }

    /// Ends the relay's task where it stands, as a crash does.
    async fn crash(&mut self) {
        let running = self.running.take().unwrap();
        running.task.abort();
        running.task.await.unwrap_err();
    }

    fn status(&self) -> Status {
        self.running.as_ref().unwrap().handle.status()
    }

    async fn append(&self, numbers: Range<u64>) {
        for chunk in numbers.collect::<Vec<_>>().chunks(500) {
            self.wal.append(chunk.iter().map(|n| entry(*n)).collect()).await.unwrap();
        }
    }

    /// Waits until everything committed is told to be in the stream.
    async fn settled(&self) -> Status {
        let handle = &self.running.as_ref().unwrap().handle;
        let settled = async || {
            let status = handle.status();
            let committed = *self.wal.committed().borrow();
            (status.sound && status.cursor == committed && status.lag == 0).then_some(status)
        };
        eventually("everything is published", DEADLINE, settled).await
    }
}

async fn log(server: &NatsServer, name: &str) -> EventLog {
    let nats =
        Nats::connect(NatsOptions { url: server.url(), name: name.into(), ..Default::default() })
            .await
            .unwrap();
    let options = LogOptions { max_bytes: Some(1 << 30), ..LogOptions::default() };
    EventLog::new(nats, options).await
}

fn id(number: u64) -> String {
    format!("id-{number}")
}

fn entry(number: u64) -> Bytes {
    let payload = Bytes::from(format!("{{\"n\":{number}}}"));
    let publication = Publication { event_type: "viewed".into(), message_id: id(number), payload };
    let mut bytes = Vec::new();
    publication.encode(&mut bytes);
    bytes.into()
}

/// How often the stream holds each message id.
async fn counts(server: &NatsServer) -> HashMap<String, u64> {
    let log = log(server, "reader").await;
    let state = eventually("the stream answers", DEADLINE, async || log.state().await.ok()).await;
    let mut counts = HashMap::new();
    let mut reader = log.reader(1);
    while reader.position() <= state.last_sequence {
        for message in reader.next().await.unwrap().messages {
            assert_eq!(message.subject(), "events.viewed");
            *counts.entry(message.message_id().unwrap().to_owned()).or_default() += 1;
        }
    }
    counts
}

async fn assert_holds_once(server: &NatsServer, numbers: Range<u64>) {
    let expected: HashMap<_, _> = numbers.map(|number| (id(number), 1)).collect();
    assert_eq!(counts(server).await, expected);
}

async fn assert_holds(server: &NatsServer, numbers: Range<u64>) {
    let counts = counts(server).await;
    let missing: Vec<_> = numbers.filter(|number| !counts.contains_key(&id(*number))).collect();
    assert_eq!(missing, [0_u64; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_relayed_once_and_a_fresh_event_at_once() {
    let server = NatsServer::start();
    let rig = Rig::new(&server).await;
    rig.append(1..5_001).await;
    let mut rig = rig;
    rig.start();
    let status = rig.settled().await;
    assert_eq!(
        (status.cursor, status.published, status.heals, status.undecodable),
        (5_000, 5_000, 0, 0)
    );
    for number in 5_001..5_010 {
        rig.append(number..number + 1).await;
        let mut cursor = rig.running.as_ref().unwrap().handle.cursor();
        let published = cursor.wait_for(|cursor| *cursor == number);
        tokio::time::timeout(Duration::from_secs(1), published).await.unwrap().unwrap();
    }
    rig.stop().await;
    assert_eq!(rig.wal.published(), 5_009);
    assert_holds_once(&server, 1..5_010).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_started_again_goes_on_where_it_was() {
    let server = NatsServer::start();
    let mut rig = Rig::started(&server).await;
    rig.append(1..1_001).await;
    rig.settled().await;
    rig.stop().await;
    rig.append(1_001..2_001).await;
    rig.start();
    let status = rig.settled().await;
    assert_eq!((status.published, status.heals), (1_000, 0));
    rig.append(2_001..3_001).await;
    rig.settled().await;
    rig.crash().await;
    rig.append(3_001..4_001).await;
    rig.start();
    assert_eq!(rig.settled().await.heals, 0);
    assert_holds_once(&server, 1..4_001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_marks_cost_only_work() {
    let server = NatsServer::start();
    let mut rig = Rig::started(&server).await;
    rig.append(1..1_001).await;
    rig.settled().await;
    rig.stop().await;
    std::fs::write(rig.dir.path().join("RELAY"), b"damaged").unwrap();
    rig.start();
    eventually("it publishes again", DEADLINE, async || (rig.status().heals == 1).then_some(()))
        .await;
    let status = rig.settled().await;
    assert_eq!((status.heals, status.healed, status.unhealable), (1, 0, 0));
    assert_holds_once(&server, 1..1_001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_in_the_stream_already_do_not_hold_up_the_others() {
    let server = NatsServer::start();
    let mut rig = Rig::new(&server).await;
    eventually("the stream is ensured", DEADLINE, async || rig.log.ensure().await.ok()).await;
    for number in [1, 300, 301, 777] {
        let publication = Publication::decode(&entry(number)).unwrap();
        let (subject, message_id) = (&publication.subject(), &publication.message_id);
        let outgoing = weir::stream::Outgoing { subject, message_id, payload: publication.payload };
        rig.log.publish_one(outgoing).await;
    }
    rig.append(1..1_001).await;
    rig.start();
    rig.settled().await;
    assert_holds_once(&server, 1..1_001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_no_event_is_counted_and_passed_over() {
    let server = NatsServer::start();
    let rig = Rig::started(&server).await;
    rig.append(1..11).await;
    rig.wal.append(vec![Bytes::from_static(b"\xffnonsense")]).await.unwrap();
    rig.append(11..21).await;
    let status = rig.settled().await;
    assert_eq!((status.cursor, status.undecodable, status.published), (21, 1, 20));
    assert_holds_once(&server, 1..21).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_although_the_server_is_killed_again_and_again() {
    let mut server = NatsServer::start();
    let rig = Rig::started(&server).await;
    for round in 0..5 {
        let first = round * 4_000 + 1;
        rig.append(first..first + 2_000).await;
        eventually("some of it is published", DEADLINE, async || {
            (rig.status().cursor > first).then_some(())
        })
        .await;
        server.kill();
        rig.append(first + 2_000..first + 4_000).await;
        server.restart();
    }
    let status = rig.settled().await;
    assert_eq!((status.cursor, status.heals), (20_000, 0));
    assert_holds_once(&server, 1..20_001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_is_made_again_and_filled() {
    let server = NatsServer::start();
    let rig = Rig::started(&server).await;
    rig.append(1..2_001).await;
    rig.settled().await;
    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    jetstream.delete_stream("EVENTS").await.unwrap();
    rig.append(2_001..2_011).await;
    eventually("the loss is noticed", DEADLINE, async || (rig.status().heals == 1).then_some(()))
        .await;
    let status = rig.settled().await;
    assert_eq!((status.healed, status.unhealable), (2_000, 0));
    assert_holds_once(&server, 1..2_011).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_stream_is_noticed_while_nothing_is_published() {
    let server = NatsServer::start();
    let rig = Rig::started(&server).await;
    rig.append(1..1_001).await;
    rig.settled().await;
    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    jetstream.delete_stream("EVENTS").await.unwrap();
    eventually("the loss is noticed", DEADLINE, async || (rig.status().heals == 1).then_some(()))
        .await;
    rig.settled().await;
    assert_holds_once(&server, 1..1_001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_back_stream_lost_comes_back_although_it_grew_past_the_marks() {
    let mut server = NatsServer::start();
    let mut rig = Rig::started(&server).await;
    rig.append(1..2_001).await;
    rig.settled().await;
    server.kill();
    let copy = server.save_files();
    server.restart();
    for number in 2_001..2_050 {
        rig.append(number..number + 1).await;
    }
    rig.append(2_050..3_001).await;
    rig.settled().await;
    rig.stop().await;

    server.kill();
    server.restore_files(copy.path());
    server.restart();
    // Another producer lets the stream grow past everything that was remembered.
    let other = log(&server, "other").await;
    for batch in 0..3_u64 {
        let ids: Vec<_> = (0..1_000).map(|n| id(100_000 + batch * 1_000 + n)).collect();
        let payload = Bytes::from_static(b"{}");
        let outgoing = |id| weir::stream::Outgoing {
            subject: "events.viewed",
            message_id: id,
            payload: payload.clone(),
        };
        let messages: Vec<_> = ids.iter().map(|id| outgoing(id)).collect();
        let stored = async || {
            matches!(other.publish_atomic(&messages).await, weir::stream::Outcome::Stored { .. })
                .then_some(())
        };
        eventually("the other producer is served", DEADLINE, stored).await;
    }
    rig.start();
    let status = rig.settled().await;
    assert_eq!((status.heals, status.unhealable), (1, 0));
    assert!(status.healed >= 1_000, "{status:?}");
    assert_holds(&server, 1..3_001).await;
    // Only what the stream lost, and little beyond, was published again.
    assert!(status.healed < 2_000, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_is_an_alarm_and_nothing_is_lost() {
    let server = NatsServer::start();
    let mut rig = Rig::new(&server).await;
    let nats = Nats::connect(NatsOptions {
        url: server.url(),
        name: "small".into(),
        ..Default::default()
    })
    .await
    .unwrap();
    let small = LogOptions { max_bytes: Some(20_000), ..LogOptions::default() };
    rig.log = EventLog::new(nats, small).await;
    rig.start();
    rig.append(1..2_001).await;
    let alarmed = async || rig.status().alarm.filter(|alarm| alarm.contains("full"));
    eventually("the alarm is raised", DEADLINE, alarmed).await;
    rig.append(2_001..2_011).await;
    assert!(rig.status().lag > 0);

    rig.stop().await;
    rig.log = log(&server, "large").await;
    rig.start();
    let status = rig.settled().await;
    assert_eq!((status.alarm, status.heals), (None, 0));
    assert_holds_once(&server, 1..2_011).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stops_taking_batches_is_repaired() {
    let server = NatsServer::start();
    let rig = Rig::started(&server).await;
    rig.append(1..1_001).await;
    rig.settled().await;
    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let mut config = jetstream.get_stream("EVENTS").await.unwrap().cached_info().config.clone();
    config.allow_atomic_publish = false;
    jetstream.update_stream(&config).await.unwrap();
    rig.append(1_001..3_001).await;
    rig.settled().await;
    let repaired = async || {
        let stream = jetstream.get_stream("EVENTS").await.ok()?;
        stream.cached_info().config.allow_atomic_publish.then_some(())
    };
    eventually("batches are allowed again", DEADLINE, repaired).await;
    assert_holds_once(&server, 1..3_001).await;
}
