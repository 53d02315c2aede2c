//! `weir wal reconcile`: what the stream lost comes back out of the log of a gateway that does not run, and what
//! somebody removed stays away.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::Value;
use weir::relay::reconcile::Options;
use weir::stream::{EventLog, LogOptions, Nats, NatsOptions};

use crate::support::client::Client;
use crate::support::load::numbered;
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

use super::post;

/// A gateway of which so many events are in the stream.
async fn gateway(server: &NatsServer, events: u64) -> Weir {
    let weir = Weir::gateway().nats(server).start().await;
    post(&weir.client(), "early", 0..events).await;
    published(&weir.client(), events).await;
    weir
}

async fn published(client: &Client, events: u64) {
    let through =
        |status: &Value| status["relay"]["sound"] == true && status["relay"]["cursor"] == events;
    client.status_when(&format!("{events} events are published"), through).await;
}

/// What the stream holds: ids by sequence; none where it holds nothing.
async fn ids(server: &NatsServer) -> BTreeMap<u64, String> {
    let mut stream = server.jetstream().await.get_stream("EVENTS").await.unwrap();
    let state = stream.info().await.unwrap().state.clone();
    let mut ids = BTreeMap::new();
    for sequence in state.first_sequence..=state.last_sequence {
        if let Ok(message) = stream.get_raw_message(sequence).await {
            let id = message.headers.get("Nats-Msg-Id").map_or("", |value| value.as_str());
            ids.insert(sequence, id.to_owned());
        }
    }
    ids
}

/// How the command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    printed: String,
    said: String,
}

impl Ended {
    fn lines(&self) -> Vec<Value> {
        self.printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The summary, which is the last line.
    #[track_caller]
    fn summary(&self) -> Value {
        self.lines().pop().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// Where entries stand of which this was found, in the order of the log on disk.
    fn places(&self, found: &str) -> Vec<u64> {
        let lines = self.lines();
        let these = lines.iter().filter(|line| line["found"] == found);
        these.filter_map(|line| line["sequence"].as_u64()).collect()
    }
}

async fn reconcile(weir: &Weir, server: &NatsServer, more: &str) -> Ended {
    let mut command = weir.bare_command();
    command.args(["wal", "reconcile", "--json", "--nats-url", &server.url(), "--data-dir"]);
    command.arg(weir.data_dir()).args(more.split_whitespace()).stdin(Stdio::null());
    let ending = tokio::task::spawn_blocking(move || command.output());
    let output = ending.await.expect("it does not panic").expect("weir runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended { code: output.status.code(), printed: text(output.stdout), said: text(output.stderr) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_cut_back_gets_exactly_what_it_lost() {
    let mut server = NatsServer::start();
    let mut weir = gateway(&server, 120).await;
    let stream = server.jetstream().await.get_stream("EVENTS").await.unwrap();
    stream.delete_message(60).await.unwrap();
    server.kill();
    let copy = server.save_files();
    server.restart();
    post(&weir.client(), "late", 0..100).await;
    published(&weir.client(), 220).await;
    let before = ids(&server).await;
    assert_eq!(before.len(), 219);
    weir.stop().await;
    server.kill();
    server.restore_files(copy.path());
    server.restart();

    let planned = reconcile(&weir, &server, "--plan").await;
    assert_eq!(planned.code, Some(1), "{planned:?}");
    assert_eq!((&planned.summary()["lost"], ids(&server).await.len()), (&100.into(), 119));

    let healed = reconcile(&weir, &server, "").await;
    assert_eq!(healed.code, Some(0), "{healed:?}");
    let summary = healed.summary();
    assert_eq!((&summary["stored"], &summary["erased"]), (&100.into(), &1.into()), "{summary:#}");
    assert_eq!(healed.places("healed"), (121..=220).collect::<Vec<_>>());
    assert_eq!(
        ids(&server).await,
        before,
        "the same messages, and the erased one is not among them"
    );

    let again = reconcile(&weir, &server, "").await;
    assert_eq!((again.code, &again.summary()["lost"]), (Some(0), &0.into()), "{again:?}");
    // A gateway that starts finds its stream sound, and publishes nothing again.
    weir.start_again().await;
    post(&weir.client(), "later", 0..5).await;
    published(&weir.client(), 225).await;
    assert_eq!(weir.client().status().await["relay"]["heals"], 0);
    assert_eq!(ids(&server).await.len(), 224);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_is_filled_again_with_what_was_not_yet_published() {
    let mut server = NatsServer::start();
    let mut weir = gateway(&server, 150).await;
    let before = ids(&server).await;
    server.kill();
    post(&weir.client(), "waiting", 0..10).await;
    weir.stop().await;
    server.restart();
    server.jetstream().await.delete_stream("EVENTS").await.unwrap();

    let planned = reconcile(&weir, &server, "--plan").await;
    assert_eq!((planned.code, &planned.summary()["lost"]), (Some(1), &150.into()), "{planned:?}");
    let gone = server.jetstream().await.get_stream("EVENTS").await;
    assert!(gone.is_err(), "a plan makes no stream");

    let healed = reconcile(&weir, &server, "").await;
    assert_eq!(healed.code, Some(0), "{healed:?}");
    assert_eq!((healed.places("healed").len(), healed.places("published").len()), (150, 10));
    let mut after = ids(&server).await;
    assert_eq!(after.len(), 160);
    after.retain(|sequence, _| *sequence <= 150);
    assert_eq!(after, before);
    let again = reconcile(&weir, &server, "").await;
    assert_eq!((again.code, &again.summary()["held"]), (Some(0), &160.into()), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_trimmed_or_purged_stays_away() {
    let server = NatsServer::start();
    let mut weir = gateway(&server, 200).await;
    weir.stop().await;
    let stream = server.jetstream().await.get_stream("EVENTS").await.unwrap();
    stream.purge().sequence(50).await.unwrap();
    let trimmed = reconcile(&weir, &server, "").await;
    let summary = trimmed.summary();
    assert_eq!(
        (trimmed.code, &summary["trimmed"], &summary["stored"]),
        (Some(0), &49.into(), &0.into())
    );
    assert_eq!(ids(&server).await.len(), 151);
    // The newest message is erased, which has a mark.
    stream.delete_message(200).await.unwrap();
    let erased = reconcile(&weir, &server, "").await;
    assert_eq!((erased.code, &erased.summary()["erased"]), (Some(0), &1.into()), "{erased:?}");
    stream.purge().await.unwrap();
    let purged = reconcile(&weir, &server, "").await;
    assert_eq!((purged.code, &purged.summary()["trimmed"]), (Some(0), &200.into()), "{purged:?}");
    assert!(ids(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_erased_is_published_only_if_somebody_says_so() {
    let mut server = NatsServer::start();
    let mut weir = gateway(&server, 120).await;
    server.kill();
    let copy = server.save_files();
    server.restart();
    post(&weir.client(), "late", 0..100).await;
    published(&weir.client(), 220).await;
    weir.stop().await;
    server.kill();
    server.restore_files(copy.path());
    server.restart();
    // Another producer's message stood where the first lost one did, and was erased.
    let context = server.jetstream().await;
    let body = numbered("other", 1).to_string();
    context.publish("events.viewed", body.into()).await.unwrap().await.unwrap();
    context.get_stream("EVENTS").await.unwrap().delete_message(121).await.unwrap();

    let careful = reconcile(&weir, &server, "").await;
    let summary = careful.summary();
    let (perhaps, stored) = (summary["mayHaveBeenErased"].as_u64(), summary["stored"].as_u64());
    assert_eq!((careful.code, perhaps.zip(stored).map(|(a, b)| a + b)), (Some(1), Some(100)));
    assert!(perhaps > Some(0), "{careful:?}");

    let all = reconcile(&weir, &server, "--include-erased").await;
    assert_eq!((all.code, all.summary()["stored"].as_u64()), (Some(0), perhaps), "{all:?}");
    assert_eq!(ids(&server).await.len(), 220);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_fit_in_memory_is_compared_part_after_part() {
    let mut server = NatsServer::start();
    let mut weir = gateway(&server, 60).await;
    let stream = server.jetstream().await.get_stream("EVENTS").await.unwrap();
    stream.purge().sequence(10).await.unwrap();
    stream.delete_message(30).await.unwrap();
    server.kill();
    let copy = server.save_files();
    server.restart();
    post(&weir.client(), "late", 0..40).await;
    published(&weir.client(), 100).await;
    weir.stop().await;
    let before = ids(&server).await;
    server.kill();
    server.restore_files(copy.path());
    server.restart();

    let nats = NatsOptions { url: server.url(), name: "test".into(), ..NatsOptions::default() };
    let bound = LogOptions { max_bytes: Some(64 << 20), ..LogOptions::default() };
    let nats = Nats::connect(nats).await.unwrap();
    nats.connected().await;
    let log = EventLog::new(nats, bound).await;
    let options = Options { entries_at_once: 7, ..Options::new(weir.data_dir().join("wal")) };
    let report = weir::relay::reconcile::reconcile(options, log, &mut |_| ()).await.unwrap();
    assert_eq!((report.entries, report.trimmed, report.erased), (100, 9, 1), "{report:?}");
    assert_eq!((report.lost, report.stored, report.is_whole()), (40, 40, true));
    assert_eq!(ids(&server).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_gateway_uses_or_that_is_not_there_is_left_alone() {
    let server = NatsServer::start();
    let weir = gateway(&server, 1).await;
    let used = reconcile(&weir, &server, "").await;
    assert_eq!((used.code, &*used.printed), (Some(1), ""), "{used:?}");
    assert!(used.said.contains("a gateway that runs brings back by itself"), "{used:?}");
    assert!(used.said.contains("stop it"), "{used:?}");
    let nowhere = reconcile(&weir, &server, "--data-dir /nowhere/at/all").await;
    assert_eq!(nowhere.code, Some(2), "a flag given twice is a mistake: {nowhere:?}");
}
