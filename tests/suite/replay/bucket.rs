//! The bucket of jobs: keys that end by themselves, leases, fences, and what the log tells of itself.

use std::time::{Duration, Instant};

use weir::replay::{JobError, Range, Request, State, Verb};
use weir::stream::QueueError;

use super::ground::{DEADLINE, G1, Site, at_rate};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_renews_ends_and_a_live_copy_sees_that_and_stays_whole() {
    let site = Site::start().await;
    let kv = &site.kv;
    let watch = kv.watch();
    kv.create("job.other", "x".into()).await.unwrap();
    let ttl = weir::limits::LEASE;
    let began = Instant::now();
    let first = kv.put_for("lease.a", "one".into(), ttl, 0).await.unwrap();
    assert_eq!(kv.put_for("lease.a", "two".into(), ttl, 0).await, Err(QueueError::Conflict));
    let mut newest = first;
    let renewed = async || {
        newest = kv.put_for("lease.a", "one".into(), ttl, newest).await.unwrap();
        (began.elapsed() > ttl + Duration::from_secs(1)).then_some(())
    };
    eventually("it is there for longer than once", DEADLINE, renewed).await;
    assert!(kv.get("lease.a").await.unwrap().is_some());
    assert_eq!(kv.put_for("lease.a", "x".into(), ttl, first).await, Err(QueueError::Conflict));
    let sees = async |key: &str, there: bool| {
        let seen = async || (watch.view().entries.contains_key(key) == there).then_some(());
        eventually(&format!("{key} is there: {there}"), DEADLINE, seen).await;
    };
    let renewal = Instant::now();
    sees("lease.a", false).await;
    assert!(renewal.elapsed() < ttl + Duration::from_secs(2), "{:?}", renewal.elapsed());
    assert!(kv.get("lease.a").await.unwrap().is_none());
    let again = kv.put_for("lease.a", "three".into(), ttl, 0).await.unwrap();
    assert!(again > newest, "it may be had again, and ends again");
    sees("lease.a", true).await;
    sees("lease.a", false).await;
    assert!(watch.view().entries.contains_key("job.other"));
    kv.remove("job.other", None).await.unwrap();
    sees("job.other", false).await;
    assert_eq!(kv.keys("").await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_found_by_a_part_changed_by_many_at_once_and_refused_when_in_the_way() {
    let site = Site::start().await;
    let range = Range { from: 1, to: 10 };
    let job = site.asked(Request::new(Verb::Jump), G1, range).await;
    assert_eq!(site.jobs.get(job.id.as_str()).await.unwrap(), job);
    assert_eq!(site.jobs.get("jump").await.unwrap().id, job.id);
    assert!(matches!(site.jobs.get("nothing").await, Err(JobError::NoSuchJob(_))));
    let replays =
        [Verb::Replay, Verb::Replay].map(|verb| site.asked(Request::new(verb), G1, range));
    futures_util::future::join_all(replays).await;
    let ambiguous = site.jobs.get("replay").await.unwrap_err();
    assert!(matches!(ambiguous, JobError::Ambiguous { .. }), "{ambiguous}");
    let mut second = job.clone();
    second.id.0.push('x');
    let collides = site.jobs.create(&second).await.unwrap_err();
    assert!(matches!(collides, JobError::Collides(_)), "{collides}");

    // Whoever writes at the same moment, every change is there in the end.
    let change = async |n: u64| {
        let changed = site.jobs.change(&job.id, |job| {
            job.tally.applied += n;
            Ok::<_, JobError>(())
        });
        changed.await.unwrap();
    };
    futures_util::future::join_all((1..=8).map(change)).await;
    assert_eq!(site.jobs.get(job.id.as_str()).await.unwrap().tally.applied, 36);
    assert!(matches!(site.jobs.resume(&job.id).await, Err(JobError::Illegal(_))));
    assert_eq!(site.jobs.cancel(&job.id).await.unwrap().state, State::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_job_moves_on_in_seconds_and_the_old_one_cannot_write() {
    let site = Site::start().await;
    site.publish(4_000).await;
    let request = Request { rate: Some(800), ..Request::new(Verb::Replay) };
    let job = site.asked(request, G1, site.whole().await).await;
    let first = site.running("first").await;
    let begun = async || site.jobs.get(job.id.as_str()).await.ok().filter(|job| job.read() > 0);
    let taken = eventually("the first worker reads", DEADLINE, begun).await;
    assert_eq!(taken.run.worker.as_deref(), Some("first"));
    let second = site.running("second").await;
    drop(first);
    let killed = Instant::now();
    let moved = async || {
        let now = site.jobs.get(job.id.as_str()).await.ok()?;
        (now.run.worker.as_deref() == Some("second")).then_some(now)
    };
    let now = eventually("the second worker has it", DEADLINE, moved).await;
    assert!(killed.elapsed() < Duration::from_secs(8), "{:?}", killed.elapsed());
    assert_eq!(now.run.fence, taken.run.fence + 1);
    let late = site.jobs.change_as(&job.id, taken.run.fence, |job| {
        job.tally.applied = 1_000_000;
        Ok(())
    });
    assert!(matches!(late.await, Err(JobError::Fenced)));
    // One that stops in good order lets go at once.
    let third = site.running("third").await;
    second.stop().await;
    let stopped = Instant::now();
    let moved = async || {
        let now = site.jobs.get(job.id.as_str()).await.ok()?;
        (now.run.worker.as_deref() == Some("third")).then_some(())
    };
    eventually("the third worker has it", DEADLINE, moved).await;
    assert!(stopped.elapsed() < Duration::from_secs(4), "{:?}", stopped.elapsed());
    site.jobs.limit(&job.id, at_rate(1_000_000)).await.unwrap();
    site.reaches(&job, State::Done).await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_where_a_moment_lies_what_is_next_and_what_is_gone() {
    let site = Site::start().await;
    site.publish(100).await;
    let middle = site.log.get(100).await.unwrap().unwrap().time_ms;
    let passed = async || (weir::clock::now_ms() > middle + 5).then_some(());
    eventually("time passes", DEADLINE, passed).await;
    site.publish(100).await;
    let later = site.log.get(101).await.unwrap().unwrap().time_ms;
    assert!(later > middle + 1);
    assert_eq!(site.log.sequence_at(middle + 1).await.unwrap(), 101);
    assert_eq!(site.log.sequence_at(0).await.unwrap(), 1);
    assert_eq!(site.log.sequence_at(later + 3_600_000).await.unwrap(), 201);
    let stream = site.server.jetstream().await.get_stream("EVENTS").await.unwrap();
    for sequence in [101, 102, 150] {
        stream.delete_message(sequence).await.unwrap();
    }
    let at = site.log.sequence_at(middle + 1).await.unwrap();
    assert!((101..=103).contains(&at), "{at}: a gap may begin the range");
    assert_eq!(site.log.next_from(101).await.unwrap().unwrap().sequence, 103);
    assert!(site.log.next_from(201).await.unwrap().is_none());
    let gone = site.log.gone().await.unwrap();
    assert_eq!((gone.erased, gone.lost, gone.cut), (vec![101, 102, 150], vec![], false));
}
