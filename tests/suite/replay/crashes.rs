//! Workers that are killed in the middle of a job, again and again.

use std::time::Duration;

use weir::replay::{JobError, Range, Redriven, Request, State, Verb};
use weir::stream::ParkedFilter;

use super::ground::{DEADLINE, G1, Site, at_rate};
use crate::support::eventually;
use crate::support::seed::Seed;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_worker_killed_ten_times_resumes_and_its_account_closes() {
    let site = Site::start().await;
    let seed = Seed::new();
    site.publish(20_000).await;
    let range = site.whole().await;
    *site.ground.stands.lock().unwrap() = Some(7);
    let (events, store) = site.expected(range).await;
    let request = Request { rate: Some(1_500), ..Request::new(Verb::Jump) };
    let job = site.asked(request, G1, range).await;
    let mut before = 0;
    for kill in 0..10 {
        let worker = site.running(&format!("worker {kill}")).await;
        tokio::time::sleep(Duration::from_millis(seed.pick(200..1_800))).await;
        drop(worker);
        // As if the lease had run out.
        site.kv.remove(&format!("lease.{}", job.id), None).await.ok();
        let now = site.jobs.get(job.id.as_str()).await.expect("it is there");
        assert!(!now.state.is_over(), "{:?}", now.note);
        assert!(now.read() >= before, "what is written down is never read again");
        before = now.read();
        if kill == 5 {
            // A graph that was lost with its process: what it held is read again.
            site.ground.renew(G1, 2);
            before = 0;
        }
    }
    site.jobs.limit(&job.id, at_rate(1_000_000)).await.unwrap();
    let _worker = site.running("last").await;
    let done = site.reaches(&job, State::Done).await;
    assert_eq!(done.tally.scanned() + done.tally.missing, range.len());
    assert_eq!((done.tally.applied + done.tally.superseded, done.tally.missing), (events, 0));
    assert!(done.run.fence >= 5, "{}", done.run.fence);
    assert_eq!(site.ground.jumps.lock().unwrap().as_slice(), [range.to], "live moved once");
    assert!(site.same_graph(&store, G1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_to_where_live_is_already_moves_nothing_back_and_reads_its_range() {
    let site = Site::start().await;
    site.publish(1_000).await;
    let range = Range { from: 1, to: 501 };
    let _worker = site.running("one").await;
    let job = site.asked(Request::new(Verb::Jump), G1, range).await;
    let done = site.reaches(&job, State::Done).await;
    assert_eq!(done.tally.scanned(), range.len());
    assert_eq!(site.ground.jumps.lock().unwrap().as_slice(), [0_u64; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_waits_for_live_and_says_so_before_it_reads_anything() {
    let site = Site::start().await;
    site.publish(1_000).await;
    let range = site.whole().await;
    let _worker = site.running("one").await;
    let replay = site.asked(Request::new(Verb::Replay), G1, range).await;
    site.reaches(&replay, State::Done).await;
    *site.ground.stands.lock().unwrap() = Some(7);
    let job = site.asked(Request::new(Verb::Verify), G1, range).await;
    let waits = async || {
        let note = site.jobs.get(job.id.as_str()).await.ok()?.note;
        note.filter(|note| note.contains("waits until live"))
    };
    eventually("it waits", DEADLINE, waits).await;
    *site.ground.stands.lock().unwrap() = None;
    let done = site.reaches(&job, State::Done).await;
    assert_eq!((done.note, done.report.map(|report| report.through)), (None, Some(1_000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_read_is_read_again_where_the_log_grew_anew_behind_it() {
    let site = Site::start().await;
    site.publish(12_000).await;
    let range = site.whole().await;
    let worker = site.running("one").await;
    let request = Request { rate: Some(3_000), ..Request::new(Verb::Replay) };
    let job = site.asked(request, G1, range).await;
    let reads = async || {
        let now = site.jobs.get(job.id.as_str()).await.ok()?;
        now.chunks.first()?.last.map(|_| ())
    };
    eventually("it reads", DEADLINE, reads).await;
    site.jobs.pause(&job.id).await.unwrap();
    worker.stop().await;

    // The log of the same name holds other events from its beginning on.
    let jetstream = site.server.jetstream().await;
    let config = jetstream.get_stream("EVENTS").await.unwrap().cached_info().config.clone();
    jetstream.delete_stream("EVENTS").await.unwrap();
    jetstream.create_stream(config).await.unwrap();
    let nonsense = vec![("events.viewed".to_owned(), "nonsense".into()); 10];
    site.publish_all(&nonsense).await;
    site.publish(11_990).await;
    let (events, store) = site.expected(range).await;
    // A graph that has nothing of it, and says that it is the one that was read into.
    site.ground.renew(G1, 1);
    site.jobs.limit(&job.id, at_rate(1_000_000)).await.unwrap();
    site.jobs.resume(&job.id).await.unwrap();
    let _worker = site.running("two").await;
    let done = site.reaches(&job, State::Done).await;
    assert_eq!(done.tally.applied + done.tally.superseded, events);
    assert_eq!((done.tally.parked, done.tally.missing), (10, 0));
    assert!(site.same_graph(&store, G1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_goes_on_with_an_attempt_that_was_recorded_and_not_made() {
    let site = Site::start().await;
    let nonsense = vec![("events.viewed".to_owned(), "nonsense".into()); 3];
    site.publish_all(&nonsense).await;
    let range = site.whole().await;
    let worker = site.running("one").await;
    let replay = site.asked(Request::new(Verb::Replay), G1, range).await;
    site.reaches(&replay, State::Done).await;
    worker.stop().await;
    let page = site.parked.list(1, &ParkedFilter::default(), 0, 10).await.unwrap();
    let job = site.asked(Request::new(Verb::Redrive), G1, range).await;
    let entries = page.entries.iter();
    let listed: Vec<_> =
        entries.map(|one| (one.entry.id.to_string(), one.revision, one.entry.attempts)).collect();
    let list = serde_json::to_vec(&listed).unwrap();
    site.kv.create(&format!("list.{}.0", job.id), list.into()).await.unwrap();
    let frozen = site.jobs.change(&job.id, |job| {
        job.redriven = Some(Redriven { listed: 3, ..Redriven::default() });
        Ok::<_, JobError>(())
    });
    frozen.await.unwrap();
    // The first was begun by a worker that died, the second was tried twice by somebody else.
    for (entry, times) in page.entries.iter().zip([1, 2, 0]) {
        let mut revision = entry.revision;
        for _ in 0..times {
            let recorded = site.parked.record_attempt(1, entry.entry.id, revision).await.unwrap();
            revision = recorded.revision;
        }
    }
    let _worker = site.running("two").await;
    let redriven = site.reaches(&job, State::Done).await.redriven.unwrap();
    assert_eq!((redriven.redriven, redriven.passed_over), (2, 1));
    assert_eq!(site.retry.count(1).await.unwrap(), 2);
}
