//! Events that fail, against a real nats-server: what waits comes back in time, what is parked stays until it is closed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use weir::stream::{
    Closed, Entry, EntryId, Nats, NatsOptions, Origin, Parked, ParkedFilter, QueueError, Retried,
    RetryOptions, RetryPage, RetryQueue, StreamBounds, WorkQueue,
};

use crate::support::eventually;
use crate::support::nats::NatsServer;

const DEADLINE: Duration = Duration::from_secs(20);

async fn connect(server: &NatsServer) -> Nats {
    Nats::connect(NatsOptions { url: server.url(), name: "test".into(), ..Default::default() })
        .await
        .unwrap()
}

fn entry(number: u64) -> Entry {
    let (subject, message_id) = ("events.viewed", format!("id-{number}"));
    let payload = Bytes::from(format!("{{\"n\":{number}}}"));
    let origin = Origin {
        subject,
        message_id: Some(&message_id),
        payload: &payload,
        epoch: "one",
        sequence: number,
    };
    Entry {
        id: EntryId::of(origin),
        generation: 1,
        subject: subject.into(),
        message_id: Some(message_id.clone()),
        payload: payload.clone(),
        epoch: "one".into(),
        sequence: number,
        time_ms: 1_700_000_000_000,
        attempts: 1,
        first_failed_ms: 1_700_000_000_000 + number as i64,
        reason: "arango_1200".into(),
        error: "write-write conflict\nof ümläuts".into(),
    }
}

async fn retry(server: &NatsServer) -> RetryQueue {
    let retry = RetryQueue::new(connect(server).await, RetryOptions::default()).await;
    eventually("the stream is made", DEADLINE, async || retry.ensure().await.ok()).await;
    retry
}

async fn schedule(retry: &RetryQueue, entries: &[Entry], due_in: Duration) {
    let scheduled = async || {
        let results = retry.schedule(entries, |_| due_in).await;
        assert_eq!(results.len(), entries.len());
        results.into_iter().collect::<Result<Vec<_>, _>>().ok()
    };
    eventually("the entries are scheduled", DEADLINE, scheduled).await;
}

async fn due(queue: &mut WorkQueue) -> Vec<Retried> {
    let work = async {
        loop {
            match queue.next(100).await {
                Ok(deliveries) => {
                    return deliveries.into_iter().map(|d| Retried::read(d).unwrap()).collect();
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    };
    tokio::time::timeout(DEADLINE, work).await.expect("something is due in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_as_done_and_is_still_there_comes_back() {
    let mut server = NatsServer::start();
    let retry = retry(&server).await;
    schedule(&retry, &[entry(1), entry(2)], Duration::ZERO).await;
    let there = async || (retry.count(1).await.ok()? == 2).then_some(());
    eventually("both are there", DEADLINE, there).await;
    let mut queue = retry.work(1, "retry-g1");
    let mut taken = due(&mut queue).await;
    while taken.len() < 2 {
        taken.extend(due(&mut queue).await);
    }
    server.stop();
    let before = server.save_files();
    server.restart();
    let revived = async || retry.revive(1, "retry-g1").await.ok();
    assert_eq!(eventually("it answers", DEADLINE, revived).await, 0, "a worker has them in hand");
    let done = async || {
        for one in &taken {
            one.delivery.ack().await;
        }
        (retry.count(1).await.ok()? == 0).then_some(())
    };
    eventually("nothing is left", DEADLINE, done).await;
    // Only the removal is lost, not what was done.
    server.stop();
    server.restore_messages(before.path(), "RETRY");
    server.restart();
    eventually("they are there again", DEADLINE, there).await;
    let revived = async || retry.revive(1, "retry-g1").await.ok().filter(|count| *count == 2);
    eventually("they are found", DEADLINE, revived).await;
    let mut again = due(&mut queue).await;
    while again.len() < 2 {
        again.extend(due(&mut queue).await);
    }
    assert_eq!(again.len(), 2);
    for one in &again {
        one.delivery.ack().await;
    }
    let done = async || (retry.count(1).await.ok()? == 0).then_some(());
    eventually("nothing is left again", DEADLINE, done).await;
    assert_eq!(retry.revive(1, "retry-g1").await, Ok(0));
    assert_eq!(retry.revive(7, "retry-g7").await, Ok(0), "nobody works on it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_event_comes_back_after_its_delay_as_it_was() {
    let server = NatsServer::start();
    let retry = retry(&server).await;
    let mut queue = retry.work(1, "retry-g1");
    let begun = Instant::now();
    schedule(&retry, &[entry(1)], Duration::from_secs(1)).await;
    assert_eq!(retry.count(1).await.unwrap(), 1);
    let back = due(&mut queue).await;
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].entry, Entry { attempts: 2, ..entry(1) });
    back[0].delivery.ack().await;
    let gone = async || (retry.count(1).await.ok()? == 0).then_some(());
    eventually("nothing waits any more", DEADLINE, gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_rise_with_every_delivery_and_every_schedule() {
    let server = NatsServer::start();
    let retry = retry(&server).await;
    let mut queue = retry.work(1, "retry-g1");
    schedule(&retry, &[entry(1)], Duration::ZERO).await;
    for attempts in 2..5 {
        let back = due(&mut queue).await;
        assert_eq!(back[0].entry.attempts, attempts);
        back[0].delivery.nak(Duration::ZERO).await;
    }
    let back = due(&mut queue).await.remove(0);
    assert_eq!(back.entry.attempts, 5);
    schedule(&retry, std::slice::from_ref(&back.entry), Duration::ZERO).await;
    back.delivery.ack().await;
    let again = due(&mut queue).await;
    assert_eq!((again.len(), again[0].entry.attempts), (1, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_once_however_often_it_is_scheduled() {
    let server = NatsServer::start();
    let retry = retry(&server).await;
    let many: Vec<_> = (1..=300).map(entry).collect();
    schedule(&retry, &many, Duration::from_hours(1)).await;
    schedule(&retry, &many, Duration::from_hours(1)).await;
    let other = Entry { generation: 2, ..entry(1) };
    schedule(&retry, &[other], Duration::from_hours(1)).await;
    assert_eq!((retry.count(1).await.unwrap(), retry.count(2).await.unwrap()), (300, 1));
    // The later schedule counts.
    schedule(&retry, &many[..1], Duration::ZERO).await;
    let mut queue = retry.work(1, "retry-g1");
    assert_eq!(due(&mut queue).await[0].entry.id, entry(1).id);
    assert_eq!(retry.forget(1).await.unwrap(), 300);
    assert_eq!((retry.count(1).await.unwrap(), retry.count(2).await.unwrap()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_what_is_due_is_listed_by_pages() {
    let server = NatsServer::start();
    let retry = RetryQueue::new(connect(&server).await, RetryOptions::default()).await;
    assert_eq!(retry.list(1, 0, 10).await.unwrap(), RetryPage::default(), "no stream, no entries");
    eventually("the stream is made", DEADLINE, async || retry.ensure().await.ok()).await;
    let many: Vec<_> = (1..=25).map(entry).collect();
    schedule(&retry, &many[..20], Duration::from_hours(1)).await;
    schedule(&retry, &many[20..], Duration::ZERO).await;
    let other = Entry { generation: 2, ..entry(26) };
    schedule(&retry, &[other], Duration::from_hours(1)).await;
    let (mut after, mut seen) = (0, std::collections::BTreeSet::new());
    loop {
        let page = retry.list(1, after, 10).await.unwrap();
        assert_eq!(page.unreadable, 0);
        seen.extend(page.entries.iter().map(|entry| entry.sequence));
        match page.after {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, (1..=25).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_survives_a_kill_of_the_server() {
    let mut server = NatsServer::start();
    let retry = retry(&server).await;
    let many: Vec<_> = (1..=50).map(entry).collect();
    schedule(&retry, &many, Duration::from_secs(2)).await;
    server.kill();
    server.restart();
    let mut queue = retry.work(1, "retry-g1");
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 50 {
        for retried in due(&mut queue).await {
            seen.insert(retried.entry.sequence);
            retried.delivery.ack().await;
        }
    }
    assert_eq!(seen, (1..=50).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_retry_stream_refuses_each_entry_for_itself() {
    let server = NatsServer::start();
    let bounds = RetryOptions { max_bytes: 2_000, replicas: 1 };
    let retry = RetryQueue::new(connect(&server).await, bounds).await;
    eventually("the stream is made", DEADLINE, async || retry.ensure().await.ok()).await;
    let many: Vec<_> = (1..=10).map(entry).collect();
    let results = retry.schedule(&many, |_| Duration::from_hours(1)).await;
    let stored = results.iter().filter(|result| result.is_ok()).count();
    assert!((1..10).contains(&stored), "{results:?}");
    for refused in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(matches!(refused, QueueError::Full { .. }), "{refused}");
    }
    assert_eq!(retry.count(1).await.unwrap(), stored as u64);
}

async fn parked(server: &NatsServer, bounds: StreamBounds) -> Parked {
    let parked = Parked::new(connect(server).await, bounds).await;
    eventually("the stream is made", DEADLINE, async || parked.ensure().await.ok()).await;
    parked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_event_is_one_entry_that_remembers_its_first_failure() {
    let server = NatsServer::start();
    let parked = parked(&server, StreamBounds::default()).await;
    let first = Entry { attempts: 7, ..entry(1) };
    let revision = parked.park(&first).await.unwrap();
    let found = parked.get(1, first.id).await.unwrap().unwrap();
    assert_eq!((&found.entry, found.revision), (&first, revision));
    let later =
        Entry { attempts: 1, first_failed_ms: i64::MAX, reason: "other".into(), ..entry(1) };
    parked.park(&later).await.unwrap();
    let found = parked.get(1, first.id).await.unwrap().unwrap();
    assert_eq!(found.entry, Entry { reason: "other".into(), ..first.clone() });
    parked.park(&Entry { generation: 2, ..entry(1) }).await.unwrap();
    assert_eq!((parked.count(1).await.unwrap(), parked.count(2).await.unwrap()), (1, 1));
    assert!(parked.close(1, first.id, Closed::Applied).await.unwrap());
    assert!(!parked.close(1, first.id, Closed::Applied).await.unwrap());
    assert_eq!(parked.get(1, first.id).await.unwrap(), None);
    assert_eq!((parked.count(1).await.unwrap(), parked.count(2).await.unwrap()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_too_large_to_be_parked_whole_is_parked_by_its_beginning() {
    let server = NatsServer::start();
    let parked = parked(&server, StreamBounds::default()).await;
    let payload = Bytes::from(vec![b'x'; 1 << 20]);
    let origin = Origin {
        subject: "events.viewed",
        message_id: None,
        payload: &payload,
        epoch: "one",
        sequence: 1,
    };
    let id = EntryId::of(origin);
    let large = Entry { id, message_id: None, payload: payload.clone(), ..entry(1) };
    let revision = parked.park(&large).await.unwrap();
    let found = parked.record_attempt(1, id, revision).await.unwrap();
    assert_eq!((found.cut_from, found.entry.attempts), (Some(1 << 20), 2));
    let found = parked.get(1, id).await.unwrap().unwrap();
    assert!(!found.entry.payload.is_empty() && payload.starts_with(&found.entry.payload));
    assert_eq!((found.cut_from, found.entry.sequence), (Some(1 << 20), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_is_recorded_by_one_of_two() {
    let server = NatsServer::start();
    let parked = parked(&server, StreamBounds::default()).await;
    let revision = parked.park(&entry(1)).await.unwrap();
    let id = entry(1).id;
    let (one, other) = tokio::join!(
        parked.record_attempt(1, id, revision),
        parked.record_attempt(1, id, revision)
    );
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    let won = won.unwrap();
    assert_eq!((won.entry.attempts, lost), (2, Err(QueueError::Conflict)));
    assert_eq!(parked.get(1, id).await.unwrap().unwrap().entry, won.entry);
    assert_eq!(parked.record_attempt(1, id, won.revision).await.unwrap().entry.attempts, 3);
    parked.close(1, id, Closed::Dropped).await.unwrap();
    assert_eq!(parked.record_attempt(1, id, 9).await, Err(QueueError::Conflict));
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_entries_are_listed_by_pages_and_filters() {
    let server = NatsServer::start();
    let parked = parked(&server, StreamBounds::default()).await;
    let all = ParkedFilter::default();
    assert!(parked.list(1, &all, 0, 10).await.unwrap().entries.is_empty());
    for number in 1..=25 {
        let reason = if number % 5 == 0 { "undecodable" } else { "arango_1200" };
        parked.park(&Entry { reason: reason.into(), ..entry(number) }).await.unwrap();
    }
    parked.park(&Entry { generation: 2, ..entry(1) }).await.unwrap();
    parked.close(1, entry(25).id, Closed::Dropped).await.unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = parked.list(1, &all, after, 10).await.unwrap();
        seen.extend(page.entries.iter().map(|parked| parked.entry.sequence));
        match page.after {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, (1..=24).collect::<Vec<_>>());
    let undecodable = ParkedFilter { reason: Some("undecodable".into()), ..all };
    let found = parked.list(1, &undecodable, 0, 100).await.unwrap();
    assert_eq!(found.entries.len(), 4);
    assert_eq!((found.after, found.unreadable), (None, 0));
    assert_eq!(parked.forget(1).await.unwrap(), 24);
    assert_eq!((parked.count(1).await.unwrap(), parked.count(2).await.unwrap()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_of_open_entries_follows_within_a_second_across_whatever_happens() {
    let mut server = NatsServer::start();
    let parked = parked(&server, StreamBounds::default()).await;
    let open = parked.open_ids(1);
    let ids: Vec<_> = (1..=3).map(|number| entry(number).id).collect();
    let has = async |within: Duration, expected: &[EntryId]| {
        let same = async || {
            let all = expected.iter().all(|id| open.contains(*id));
            (open.is_loaded() && open.len() == expected.len() && all).then_some(())
        };
        eventually("the set follows", within, same).await;
    };
    let second = Duration::from_secs(1);
    has(DEADLINE, &[]).await;
    parked.park(&entry(1)).await.unwrap();
    parked.park(&entry(2)).await.unwrap();
    parked.park(&Entry { generation: 2, ..entry(3) }).await.unwrap();
    has(second, &ids[..2]).await;
    assert!(open.contains_any(ids.clone()) && !open.contains(ids[2]));
    parked.close(1, ids[0], Closed::Applied).await.unwrap();
    has(second, &ids[1..2]).await;

    server.kill();
    server.restart();
    let park = async || parked.park(&entry(3)).await.ok();
    eventually("an entry is parked", DEADLINE, park).await;
    has(DEADLINE, &ids[1..]).await;
    // Behind everybody's back.
    let stream = server.jetstream().await.get_stream("PARKED").await.unwrap();
    stream.purge().filter(format!("parked.open.1.{}", ids[1])).await.unwrap();
    stream.purge().filter("parked.closed.>").await.unwrap();
    stream.purge().filter("parked.open.2.>").await.unwrap();
    has(Duration::from_secs(2), &ids[2..]).await;
    parked.park(&entry(1)).await.unwrap();
    has(second, &[ids[0], ids[2]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_parked_stream_fails_visibly_and_can_be_emptied() {
    let server = NatsServer::start();
    let bounds = StreamBounds { max_bytes: Some(4_000), replicas: 1 };
    let parked = parked(&server, bounds).await;
    let mut held = Vec::new();
    let refused = loop {
        let entry = entry(held.len() as u64 + 1);
        match parked.park(&entry).await {
            Ok(_) => held.push(entry),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, QueueError::Full { .. }), "{refused}");
    assert!(held.len() > 1);
    for entry in &held {
        assert_eq!(parked.get(1, entry.id).await.unwrap().unwrap().entry, *entry);
    }
    assert!(parked.close(1, held[0].id, Closed::Dropped).await.unwrap());
    parked.park(&entry(held.len() as u64 + 1)).await.unwrap();
    // What is there may change in place.
    let again = Entry { reason: "again".into(), ..held[1].clone() };
    parked.park(&again).await.unwrap();
}
