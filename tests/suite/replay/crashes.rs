//! Workers that are killed in the middle of a job, again and again.

use std::time::Duration;

use weir::replay::{Request, State, Verb};

use super::ground::{G1, Site, at_rate};
use crate::support::seed::Seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_ten_times_resumes_and_its_account_closes() {
    let site = Site::start().await;
    let seed = Seed::new();
    site.publish(20_000).await;
    let range = site.whole().await;
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
