//! Replays: counted once, and paused, resumed, limited and cancelled while they run.

use weir::replay::{Filter, Request, State, Verb};

use super::ground::{DEADLINE, G1, Site, at_rate};
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_counts_nothing_twice_and_a_second_one_changes_nothing() {
    let site = Site::start().await;
    site.publish(12_000).await;
    let range = site.whole().await;
    let (events, store) = site.expected(range).await;
    let _worker = site.running("one").await;
    let job = site.asked(Request::new(Verb::Replay), G1, range).await;
    let done = site.reaches(&job, State::Done).await;
    assert!(done.chunks.len() > 1);
    assert_eq!(done.tally.scanned() + done.tally.missing, range.len());
    assert_eq!((done.tally.applied + done.tally.superseded, done.tally.missing), (events, 0));
    assert!(done.tally.applied > 0);
    assert!(site.same_graph(&store, G1));
    assert!(site.ground.memory(G1).holds(1, range.to));

    let again = site.asked(Request::new(Verb::Replay), G1, range).await;
    let done = site.reaches(&again, State::Done).await;
    assert_eq!((done.tally.applied, done.tally.superseded), (0, events));
    assert!(site.same_graph(&store, G1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_replay_counts_what_it_passes_over_and_parks_what_is_no_event() {
    let site = Site::start().await;
    site.publish(900).await;
    let nonsense = vec![("events.viewed".to_owned(), "nonsense".into()); 7];
    site.publish_all(&nonsense).await;
    let range = site.whole().await;
    let _worker = site.running("one").await;
    let filter = Filter { types: vec!["Purchased".to_owned()], ..Filter::default() };
    let request = Request { filter, ..Request::new(Verb::Replay) };
    let job = site.asked(request, G1, range).await;
    let done = site.reaches(&job, State::Done).await;
    let tally = done.tally;
    assert_eq!((tally.parked, tally.scanned(), tally.missing), (7, 907, 0));
    assert!(tally.filtered > 600 && tally.applied > 0, "{tally:?}");
    assert_eq!(site.parked.count(1).await.unwrap(), 7);
    assert!(!site.ground.memory(G1).holds(1, range.to), "not all of it is applied");

    let redrive = site.asked(Request::new(Verb::Redrive), G1, range).await;
    let done = site.reaches(&redrive, State::Done).await;
    let redriven = done.redriven.expect("it is told");
    assert_eq!((redriven.listed, redriven.redriven, redriven.passed_over), (7, 7, 0));
    assert_eq!(site.retry.count(1).await.unwrap(), 7);
    assert_eq!(site.kv.keys("list.").await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_paused_resumed_limited_and_cancelled_while_it_runs() {
    let site = Site::start().await;
    site.publish(12_000).await;
    let range = site.whole().await;
    let (_, store) = site.expected(range).await;
    let _worker = site.running("one").await;
    let request = || Request { rate: Some(500), ..Request::new(Verb::Replay) };
    let job = site.asked(request(), G1, range).await;
    let reads = async || site.jobs.get(job.id.as_str()).await.ok().filter(|job| job.read() > 0);
    let begun = eventually("it reads", DEADLINE, reads).await;
    assert_eq!(begun.state, State::Running);
    assert!(begun.read() < range.len() && begun.pace.seconds_left.is_some());

    site.jobs.pause(&job.id).await.unwrap();
    // The last that a worker writes before it puts the job down.
    let released = async || site.kv.keys("lease.").await.ok().filter(Vec::is_empty);
    eventually("the job is put down", DEADLINE, released).await;
    let paused = site.jobs.get(job.id.as_str()).await.unwrap();
    assert_eq!(paused.state, State::Paused);
    assert_eq!(paused.tally.scanned() + paused.tally.missing, paused.read());

    site.jobs.limit(&job.id, at_rate(1_000_000)).await.unwrap();
    site.jobs.resume(&job.id).await.unwrap();
    let done = site.reaches(&job, State::Done).await;
    assert_eq!(done.tally.scanned(), range.len());
    assert!(site.same_graph(&store, G1));

    let job = site.asked(request(), G1, range).await;
    let reads = async || site.jobs.get(job.id.as_str()).await.ok().filter(|job| job.read() > 0);
    eventually("it reads", DEADLINE, reads).await;
    site.jobs.cancel(&job.id).await.unwrap();
    eventually("the job is put down", DEADLINE, released).await;
    let cancelled = site.jobs.get(job.id.as_str()).await.unwrap();
    assert_eq!(cancelled.state, State::Cancelled);
    assert!(cancelled.read() < range.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_while_it_runs_and_a_lagging_live_flow_slows_it() {
    let site = Site::start().await;
    site.publish(30_000).await;
    let range = site.whole().await;
    *site.ground.lag_ms.lock().unwrap() = 5_000.0;
    let _worker = site.running("one").await;
    let job = site.asked(Request::new(Verb::Replay), G1, range).await;
    let slow = async || {
        let now = site.jobs.get(job.id.as_str()).await.ok()?;
        assert!(!now.state.is_over(), "it was not slowed");
        now.note.filter(|note| note.contains("will not catch up"))
    };
    eventually("it goes slowly, and says so", DEADLINE, slow).await;
    *site.ground.lag_ms.lock().unwrap() = 1.0;
    let done = site.reaches(&job, State::Done).await;
    assert_eq!((done.tally.scanned(), done.note), (range.len(), None));
}
