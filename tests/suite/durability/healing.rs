//! Streams that lose what they had acknowledged: it comes back by itself, under the same ids, and the graph with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::support::client::{Client, PATIENCE, digest, is_settled};
use crate::support::eventually;
use crate::support::load::{Load, numbered};
use crate::support::nats::{NatsServer, Stored, stored};
use crate::support::seed::Seed;
use crate::support::weir::Weir;

use super::{digest_from_nothing, has_history, post};

/// What the stream holds of weir's own: payloads by `Nats-Msg-Id`; no id may be there twice.
async fn by_id(server: &NatsServer) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for Stored { message_id, payload, .. } in stored(&server.jetstream().await).await {
        if !message_id.is_empty() {
            let before = all.insert(message_id.clone(), payload);
            assert!(before.is_none(), "{message_id} is in the stream twice");
        }
    }
    all
}

/// Publishes numbered events as another producer does, without `Nats-Msg-Id`; the event's own id is in the body.
async fn publish(server: &NatsServer, user: &str, numbers: impl Iterator<Item = u64>) {
    let context = server.jetstream().await;
    for number in numbers {
        let body = numbered(user, number).to_string();
        context.publish("events.viewed", body.into()).await.unwrap().await.unwrap();
    }
}

/// Waits until a stream of so many messages is read and nothing waits.
async fn refilled(client: &Client, messages: u64) -> Value {
    let whole = |status: &Value| is_settled(status) && status["nats"]["messages"] == messages;
    client.status_when(&format!("the stream has {messages} messages, all applied"), whole).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_deleted_while_weir_runs_is_filled_again() {
    let server = NatsServer::start();
    let weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    post(&client, "kept", 0..300).await;
    let before = refilled(&client, 300).await;
    let ids = by_id(&server).await;
    let context = server.jetstream().await;

    context.delete_stream("EVENTS").await.unwrap();
    let after = client.status_when("another stream is whole", |status| {
        is_settled(status)
            && status["nats"]["epoch"] != before["nats"]["epoch"]
            && status["nats"]["messages"] == 300
    });
    let after = after.await;
    assert_eq!(digest(&after), digest(&before));
    assert_eq!(by_id(&server).await, ids);
    assert_eq!(after["relay"]["healed"], 300);

    // Now with events that come before anybody has noticed.
    context.delete_stream("EVENTS").await.unwrap();
    post(&client, "kept", 300..400).await;
    let last = refilled(&client, 400).await;
    has_history(&client, "kept", 0..400).await;
    let with_later = by_id(&server).await;
    assert_eq!(with_later.len(), 400);
    assert!(ids.iter().all(|(id, payload)| with_later.get(id) == Some(payload)));
    assert_eq!(digest(&last), digest_from_nothing(&server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_deleted_while_weir_is_down_is_filled_again() {
    let server = NatsServer::start();
    let mut weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    post(&client, "kept", 0..200).await;
    let before = refilled(&client, 200).await;
    let ids = by_id(&server).await;
    // Once with a snapshot from an orderly end, once without.
    for orderly in [true, false] {
        if orderly {
            weir.stop().await;
        } else {
            weir.kill();
        }
        server.jetstream().await.delete_stream("EVENTS").await.unwrap();
        weir.start_again().await;
        let after = refilled(&client, 200).await;
        assert_eq!(digest(&after), digest(&before));
        assert_eq!(by_id(&server).await, ids);
        has_history(&client, "kept", 0..200).await;
    }
    assert_eq!(digest(&before), digest_from_nothing(&server).await);
}

/// A weir with events on both sides of a copy of its server's files, and events of other producers after it.
struct Story {
    server: NatsServer,
    weir: Weir,
    copy: tempfile::TempDir,
    before: Value,
    ids: BTreeMap<String, String>,
}

const OTHERS: Range<u64> = 0..60;

impl Story {
    async fn tell() -> Self {
        let mut server = NatsServer::start();
        let weir = Weir::dev().nats(&server).start().await;
        let client = weir.client();
        post(&client, "early", 0..120).await;
        refilled(&client, 120).await;
        server.kill();
        let copy = server.save_files();
        server.restart();
        post(&client, "late", 0..100).await;
        refilled(&client, 220).await;
        publish(&server, "other", OTHERS).await;
        let before = refilled(&client, 280).await;
        let ids = by_id(&server).await;
        assert_eq!(ids.len(), 220);
        Self { server, weir, copy, before, ids }
    }

    /// Puts the older files in place of the newer ones.
    fn cut_back(&mut self) {
        self.server.kill();
        self.server.restore_files(self.copy.path());
        self.server.restart();
    }

    /// The other producers publish what was lost of theirs, again and again, until the stream has grown past
    /// every place that weir remembers, with other messages there. The set of events is as it was.
    async fn grow_past_the_cursors(&self) -> u64 {
        let others = || OTHERS.rev();
        publish(&self.server, "other", others().chain(others()).chain(others()).chain(others()))
            .await;
        let messages = 120 + 4 * OTHERS.end;
        assert!(messages > 280);
        messages
    }

    /// Returns how many events the relay found lost and published again.
    async fn ends_well(self, messages: u64) -> u64 {
        let client = self.weir.client();
        let after = refilled(&client, messages).await;
        assert_eq!(by_id(&self.server).await, self.ids, "the same events under the same ids");
        for (user, numbers) in [("early", 0..120), ("late", 0..100), ("other", OTHERS)] {
            has_history(&client, user, numbers).await;
        }
        assert_eq!(digest(&after), digest(&self.before));
        assert_eq!(digest(&after), digest_from_nothing(&self.server).await);
        // What comes now is not skipped.
        post(&client, "later", 0..50).await;
        publish(&self.server, "other later", 0..1).await;
        refilled(&client, messages + 51).await;
        has_history(&client, "later", 0..50).await;
        assert_eq!(client.history("other%20later").await.len(), 1);
        after["relay"]["healed"].as_u64().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_back_and_grown_again_while_weir_is_killed_gets_everything_back() {
    let mut story = Story::tell().await;
    story.weir.kill();
    story.cut_back();
    let grown = story.grow_past_the_cursors().await;
    story.weir.start_again().await;
    // Killed before it noted how far it had published: what it sends again may count as new.
    assert!([0, 100].contains(&story.ends_well(grown + 100).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_back_and_grown_again_while_weir_is_stopped_gets_everything_back() {
    let mut story = Story::tell().await;
    story.weir.stop().await;
    story.cut_back();
    let grown = story.grow_past_the_cursors().await;
    story.weir.start_again().await;
    assert_eq!(story.ends_well(grown + 100).await, 100, "what was lost, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_back_while_weir_runs_gets_everything_back() {
    let mut story = Story::tell().await;
    story.cut_back();
    let grown = story.grow_past_the_cursors().await;
    assert_eq!(story.ends_well(grown + 100).await, 100, "what was lost, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_of_the_stream_under_load_are_made_good_while_events_go_on_coming() {
    let seed = Arc::new(Seed::new());
    let mut server = NatsServer::start();
    let weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    client.settled().await;
    let load = Load::start("losing", &client, 3, &seed);
    for round in 0..4 {
        load.grows_by(seed.pick(50..400)).await;
        if round % 2 == 0 {
            let context = server.jetstream().await;
            let deleted = async || context.delete_stream("EVENTS").await.ok();
            eventually("the stream is deleted", PATIENCE, deleted).await;
        } else {
            server.kill();
            let copy = server.save_files();
            server.restart();
            load.grows_by(seed.pick(50..400)).await;
            server.kill();
            server.restore_files(copy.path());
            server.restart();
        }
    }
    load.grows_by(50).await;
    assert_eq!((load.refused(), load.unanswered()), (0, 0), "the gateway noticed nothing");
    let produced = load.stop().await;
    client.settled().await;
    let accepted: usize = produced.iter().map(|producer| producer.accepted.len()).sum();
    let status = client
        .status_when("the stream holds everything accepted", |status| {
            is_settled(status) && status["nats"]["messages"].as_u64() >= Some(accepted as u64)
        })
        .await;
    for producer in produced {
        producer.is_in_history_once(&client).await;
    }
    assert_eq!(digest(&status), digest_from_nothing(&server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_a_producer_sends_again_is_not_taken_for_a_loss() {
    let mut server = NatsServer::start();
    let mut weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    post(&client, "again", 0..20).await;
    refilled(&client, 20).await;
    // A new process does not know what the one before has seen, and notes another receive time.
    weir.stop().await;
    weir.start_again().await;
    post(&client, "again", 0..20).await;
    let twice = |status: &Value| is_settled(status) && status["wal"]["highWater"] == 40;
    let status = client.status_when("the copies are settled", twice).await;
    assert_eq!(status["nats"]["messages"], 20, "the server drops copies");

    server.kill();
    client.status_when("NATS is away", |status| status["nats"]["connected"] == false).await;
    server.restart();
    post(&client, "again", 20..21).await;
    let status = refilled(&client, 21).await;
    assert_eq!(status["relay"]["heals"], 0, "{:#}", status["relay"]);

    // Filled again from a log that has both copies, the stream holds one of them.
    server.jetstream().await.delete_stream("EVENTS").await.unwrap();
    let filled = client.status_when("the stream is filled again", |status| {
        is_settled(status) && status["relay"]["heals"] == 1 && status["relay"]["cursor"] == 41
    });
    assert_eq!(filled.await["nats"]["messages"], 21);
    has_history(&client, "again", 0..21).await;
}
