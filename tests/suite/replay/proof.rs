//! A graph is proved equal to its log, while events flow, and whatever is done behind its back is named.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir::graph::{Edge, Put};
use weir::replay::{Found, Report, Target};
use weir::stream::{Entry, EntryId, Origin, StoredMessage};

use crate::support::arango_store::{DATABASE, Made};
use crate::support::events::{events, interaction, type_of};
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::proof::Proof;
use crate::support::seed::Seed;

#[track_caller]
fn assert_proved(report: &Report) {
    let doubts = report.differences() + report.pending + report.unprovable;
    assert_eq!((doubts, report.found.len()), (0, 0), "{report:#?}");
}

/// Documents that were found, with what is the matter.
fn told(report: &Report) -> Vec<(&str, &str, &str)> {
    let found = report.found.iter();
    found.map(|found| (&*found.what, &*found.collection, &*found.key)).collect()
}

/// Publishes and applies without a pause, until it is told to stop.
fn flow(proof: &Proof, stop: &CancellationToken) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (publisher, until) = (proof.clone(), stop.clone());
    tasks.spawn(async move {
        let seed = Seed::new();
        while !until.is_cancelled() {
            publisher.publish(&events(&seed, 25)).await;
        }
    });
    let (applier, until) = (proof.clone(), stop.clone());
    tasks.spawn(async move {
        while !until.is_cancelled() {
            applier.catch_up().await;
        }
        applier.catch_up().await;
    });
    tasks
}

async fn proved_while_events_flow(proof: &Proof, times: usize) {
    proof.publish(&events(&Seed::new(), 1_000)).await;
    let stop = CancellationToken::new();
    let tasks = flow(proof, &stop);
    let (mut through, mut unlike) = (0, 0);
    for _ in 0..times {
        let report = proof.verify().await;
        assert_proved(&report);
        assert!(report.through >= through && report.expected_documents > 0, "{report:#?}");
        through = report.through;
        unlike += u32::from(report.expected_digest != report.found_digest);
    }
    // Otherwise nothing was shown: the graph was ahead of what was compared.
    assert!(unlike > 0, "no event was applied between the log's reading and the scan");
    stop.cancel();
    tasks.join_all().await;
    proof.catch_up().await;
    let report = proof.verify().await;
    assert_proved(&report);
    assert_eq!(report.expected_digest, report.found_digest);
    assert_eq!(report.expected_documents, report.found_documents);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_differs_in_memory_while_events_flow() {
    let server = NatsServer::with_sync("\"2m\"");
    let (proof, store) = Proof::memory(&server).await;
    proved_while_events_flow(&proof, 20).await;
    assert_eq!(proof.verify().await.found_digest, store.read().digest().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_differs_in_a_database_while_events_flow() {
    let server = NatsServer::with_sync("\"2m\"");
    let made = Made::ready().await;
    let proof = Proof::of(&server, Target::Database(made.store())).await;
    proved_while_events_flow(&proof, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_past_the_log_is_named_in_memory() {
    let server = NatsServer::start();
    let (proof, _) = Proof::memory(&server).await;
    proof.publish(&events(&Seed::new(), 500)).await;
    let views =
        [interaction("viewed", "v", "ann", "tea", 1), interaction("liked", "l", "ann", "cup", 2)];
    proof.publish(&views).await;
    // Neither of these two was ever applied.
    proof.catch_up_but(&[501]).await;
    let edge = |event_id| {
        let (user, item, source) = ("bob", "pot", "shop");
        Put::edge(
            type_of("viewed"),
            "viewed",
            Edge { user, item, at_ms: 5, event_id, source, value: None },
        )
    };
    let attrs = json!({ "title": "other" });
    let attrs = attrs.as_object().unwrap();
    let other = Put::profile(weir::graph::Collection::Items, "cup", attrs, 1_700_000_000_000);
    proof.put(&[Put::bare_user("bob"), edge("never"), other]).await;

    let report = proof.verify().await;
    let viewed = interaction_key(&views[0]);
    let mut expected = vec![
        ("missing", "items", "tea"),
        ("missing", "viewed", &*viewed),
        ("extra", "users", "bob"),
        ("other_body", "items", "cup"),
    ];
    let never = edge("never").key.text().into_owned();
    expected.insert(3, ("extra", "viewed", &never));
    assert_eq!(told(&report), expected, "{report:#?}");
    assert_eq!((report.missing, report.extra, report.other_body), (2, 2, 1));
    let sequences: Vec<_> = report.found.iter().map(|found| found.sequences.clone()).collect();
    assert_eq!(sequences, [vec![501], vec![501], vec![], vec![], vec![502]]);
    // Once the event is applied, only what never was in the log is left.
    proof.put(&puts_of(&proof, 501).await).await;
    assert_eq!(proof.verify().await.differences(), 3);
}

fn interaction_key(event: &weir::event::Event<'_>) -> String {
    let name = weir::event::EventTypes::builtin().spec(event.event_type).name.clone();
    let [user, item] = [&event.user, &event.item].map(|id| id.as_ref().unwrap().as_str());
    weir::graph::EdgeKey::new(event.id.as_str(), event.source.as_str(), &name, user, item).text()
}

/// What the event at a sequence puts; tests leak what it borrows.
async fn puts_of(proof: &Proof, sequence: u64) -> Vec<Put<'static>> {
    let message: &StoredMessage =
        Box::leak(Box::new(proof.log.get(sequence).await.unwrap().unwrap()));
    let recorded = crate::support::proof::recorded(message);
    let event = Box::leak(Box::new(proof.graph.decoder.decode("e", &recorded).unwrap()));
    let mut puts = Vec::new();
    proof.graph.projection.project(event, &mut puts);
    puts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_changed_removed_or_added_in_a_database_is_named() {
    let server = NatsServer::start();
    let made = Made::ready().await;
    let proof = Proof::of(&server, Target::Database(made.store())).await;
    proof.publish(&events(&Seed::new(), 300)).await;
    let views = [
        interaction("viewed", "changed", "ann", "tea", 1),
        interaction("viewed", "removed", "ann", "cup", 2),
    ];
    proof.publish(&views).await;
    proof.catch_up().await;
    assert_proved(&proof.verify().await);

    let [changed, removed] = views.each_ref().map(interaction_key);
    // The version stays as it was: nothing but the body tells.
    made.server.tamper(DATABASE, "viewed", &changed, |document| {
        let mut document = document.expect("it is there");
        document["source"] = json!("nobody");
        Some(document)
    });
    made.server.tamper(DATABASE, "viewed", &removed, |document| {
        assert!(document.is_some(), "it is there");
        None
    });
    made.server.tamper(DATABASE, "users", "eve", |_| {
        Some(json!({"_key": "eve", "_id": "users/eve", "_rev": "1", "name": "Eve"}))
    });
    let report = proof.verify().await;
    let expected = [
        ("missing", "viewed", &*removed),
        ("extra", "users", "eve"),
        ("other_body", "viewed", &*changed),
    ];
    assert_eq!(told(&report), expected, "{report:#?}");
    let sequences: Vec<_> = report.found.iter().map(|found| found.sequences.clone()).collect();
    assert_eq!(sequences, [vec![302], vec![], vec![301]]);
    let Found { expected_version, found_version, .. } = &report.found[2];
    assert!(expected_version.is_some() && expected_version == found_version);
}

/// What is kept of the message at a sequence beside the log.
async fn entry(proof: &Proof, sequence: u64) -> Entry {
    let message = proof.log.get(sequence).await.unwrap().unwrap();
    let origin = Origin {
        subject: message.subject(),
        message_id: message.message_id(),
        payload: &message.payload,
        epoch: "e",
        sequence,
    };
    Entry {
        id: EntryId::of(origin),
        generation: 1,
        subject: message.subject().to_owned(),
        message_id: message.message_id().map(str::to_owned),
        payload: message.payload.clone(),
        epoch: "e".into(),
        sequence,
        time_ms: message.time_ms,
        attempts: 1,
        first_failed_ms: 1,
        reason: "arango_1200".into(),
        error: "a conflict".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_is_pending_until_it_is_applied() {
    let server = NatsServer::start();
    let (proof, _) = Proof::memory(&server).await;
    let ensured = async || {
        proof.aside.retry.ensure().await.ok()?;
        proof.aside.parked.ensure().await.ok()
    };
    eventually("RETRY and PARKED are made", Duration::from_secs(20), ensured).await;
    let views = [
        interaction("viewed", "waits", "ann", "tea", 1),
        interaction("viewed", "parked", "ann", "tea", 2),
        interaction("viewed", "lost", "ann", "tea", 3),
        interaction("viewed", "applied", "ann", "tea", 4),
    ];
    proof.publish(&views).await;
    proof.catch_up_but(&[1, 2, 3]).await;
    let (waits, parks) = (entry(&proof, 1).await, entry(&proof, 2).await);
    let scheduled = proof.aside.retry.schedule(&[waits], |_| Duration::from_hours(1)).await;
    assert!(scheduled[0].is_ok(), "{scheduled:?}");
    proof.aside.parked.park(&parks).await.unwrap();

    let report = proof.verify().await;
    let [waiting, parked, lost, _] = views.each_ref().map(interaction_key);
    let mut pending = [("pending", "viewed", &*waiting), ("pending", "viewed", &*parked)];
    pending.sort_unstable();
    let expected = [&[("missing", "viewed", &*lost)], &pending[..]].concat();
    assert_eq!(told(&report), expected, "{report:#?}");
    assert_eq!((report.missing, report.pending), (1, 2));
    for sequence in 1..=3 {
        proof.put(&puts_of(&proof, sequence).await).await;
    }
    assert_proved(&proof.verify().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trimmed_log_does_not_hold_any_more_is_unprovable() {
    let server = NatsServer::start();
    let (proof, _) = Proof::memory(&server).await;
    let view =
        |number: u64| interaction("viewed", &format!("v{number}"), &format!("u{number}"), "tea", 1);
    let views: Vec<_> = (1..=20).map(view).collect();
    proof.publish(&views).await;
    proof.catch_up().await;
    let stream = server.jetstream().await.get_stream("EVENTS").await.unwrap();
    stream.purge().sequence(6).await.unwrap();
    stream.delete_message(20).await.unwrap();
    let report = proof.verify().await;
    assert_eq!((report.differences(), report.unprovable), (0, 12), "{report:#?}");
    assert!(report.found.iter().all(|found| found.what == "unprovable"));
    assert_eq!((report.through, report.expected_documents, report.found_documents), (20, 29, 41));
    // With nothing left to compare with, nothing is wrong either.
    stream.purge().await.unwrap();
    let report = proof.verify().await;
    assert_eq!((report.differences(), report.unprovable), (0, 41), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_as_of_a_place_is_compared_up_to_there_and_a_job_of_another_log_is_refused() {
    let server = NatsServer::start();
    let (mut proof, _) = Proof::memory(&server).await;
    proof.publish(&events(&Seed::new(), 100)).await;
    proof.catch_up().await;
    proof.publish(&[interaction("viewed", "later", "later", "later", 1)]).await;
    proof.end_at(101).await;
    let report = proof.verify().await;
    assert_proved(&report);
    assert_eq!(report.through, 100);
    let error = proof.try_verify("another").await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("verify anew"), "{error}");
    proof.graph.id = weir::generation::GenerationId::parse("g7").unwrap();
    let error = proof.try_verify("another").await.unwrap_err();
    assert!(error.to_string().contains("there is no generation g7"), "{error}");
}
