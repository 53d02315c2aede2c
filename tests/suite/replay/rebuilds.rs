//! New generations made from the log, and which of them answers.

use weir::event::{EventTypes, Upcasters};
use weir::generation::{EventTypeSpec, GenerationId};
use weir::projection::Fingerprint;
use weir::replay::{Job, Range, Request, State, Verb};

use super::ground::{DEADLINE, G1, Site};
use crate::support::eventually;

fn g2() -> GenerationId {
    GenerationId::parse("g2").unwrap()
}

fn rebuild(site: &Site, range: Range, promote: bool) -> Job {
    let types = EventTypes::builtin();
    let request = Request {
        event_types: Some(EventTypeSpec::all(&types)),
        unverified: true,
        promote,
        ..Request::new(Verb::Rebuild)
    };
    let mut job = Job::of(request, g2(), range, &site.epoch, weir::clock::now_ms());
    job.fingerprint = Some(Fingerprint::of(&types, &Upcasters::shipped()).to_string());
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_promoted_rolled_back_and_the_old_one_retired() {
    let site = Site::start().await;
    site.publish(6_000).await;
    let range = site.whole().await;
    let (_, store) = site.expected(range).await;
    let _worker = site.running("one").await;
    let job = rebuild(&site, range, true);
    site.jobs.create(&job).await.unwrap();
    site.reaches(&job, State::Promoted).await;
    assert!(site.same_graph(&store, g2()));
    let view = site.ground.generations.read().await.unwrap();
    assert_eq!(view.active_id(), g2());
    let record = &view.generations[&g2()];
    assert_eq!((record.follows_from, record.building.as_deref()), (Some(range.to), None));

    let range = Range { from: 1, to: 1 };
    let back = site.asked(Request::new(Verb::Rollback), G1, range).await;
    site.reaches(&back, State::Done).await;
    assert_eq!(site.ground.generations.read().await.unwrap().active_id(), G1);

    let refused = site.asked(Request::new(Verb::Promote), g2(), range).await;
    let failed = site.reaches(&refused, State::Failed).await;
    assert!(failed.note.unwrap().contains("weir verify g2"));
    let request = Request { unverified: true, ..Request::new(Verb::Promote) };
    let again = site.asked(request, g2(), range).await;
    site.reaches(&again, State::Done).await;
    assert_eq!(site.ground.generations.read().await.unwrap().active_id(), g2());

    let retire = site.asked(Request::new(Verb::Retire), g2(), range).await;
    assert!(site.reaches(&retire, State::Failed).await.note.unwrap().contains("is active"));
    let request = Request { force: true, ..Request::new(Verb::Retire) };
    let retire = site.asked(request, G1, range).await;
    site.reaches(&retire, State::Done).await;
    assert!(site.ground.generations.read().await.unwrap().generations[&G1].retiring);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_planned_for_another_projection_is_left_to_others() {
    let site = Site::start().await;
    site.publish(10).await;
    let mut job = rebuild(&site, site.whole().await, false);
    job.fingerprint = Some("another".to_owned());
    site.jobs.create(&job).await.unwrap();
    let _worker = site.running("one").await;
    let told = async || {
        let now = site.jobs.get(job.id.as_str()).await.ok()?;
        now.note.is_some_and(|note| note.contains("another version")).then_some(now.state)
    };
    assert_eq!(eventually("it says so", DEADLINE, told).await, State::Planned);
    let view = site.ground.generations.read().await.unwrap();
    assert!(!view.generations.contains_key(&g2()), "nothing was made");
}
