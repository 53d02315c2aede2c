//! Workers that are killed in the middle of a job, again and again.

use std::time::Duration;

use weir::replay::{Range, Request, State, Verb};

use super::ground::{DEADLINE, G1, Site, at_rate};
use crate::support::eventually;
use crate::support::seed::Seed;

#[tokio::test(flavor = "multi_thread")]
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
