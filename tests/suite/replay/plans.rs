//! Plans against a log: what they tell, what they refuse, and that they change nothing.

use weir::generation::GenerationId;
use weir::replay::{PlanError, Planner, Point, Range, Request, State, Verb};

use super::ground::{G1, Plain, Site, parser};

fn planner(site: &Site) -> Planner<Plain> {
    Planner {
        ground: site.ground.clone(),
        log: site.log.clone(),
        jobs: site.jobs.clone(),
        parked: site.parked.clone(),
        parser: parser(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_a_job_would_do_and_the_job_does_it() {
    let site = Site::start().await;
    site.publish(3_000).await;
    site.publish_all(&vec![("events.viewed".to_owned(), "nonsense".into()); 1_000]).await;
    let planner = planner(&site);
    let now = weir::clock::now_ms();
    let plan = planner.plan(&Request::new(Verb::Rebuild), now).await.unwrap();
    assert_eq!(plan.generation, GenerationId::parse("g2").unwrap());
    assert_eq!(plan.range, Range { from: 1, to: 4_001 });
    assert_eq!((plan.missing, plan.truncated_at, plan.estimate.events), (0, None, 4_000));
    assert_eq!((plan.sample.looked_at, plan.sample.undecodable), (1_000, 250));
    assert!(!plan.sample.examples.is_empty() && plan.estimate.bytes > 10_000);
    assert!(plan.fingerprint.is_some() && plan.request.event_types.is_some());
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<weir::replay::Plan>(&json).unwrap(), plan);
    assert!(site.jobs.list().await.unwrap().is_empty(), "nothing was done");

    let mut plan = plan;
    plan.request.unverified = true;
    let job = planner.start(&plan).await.unwrap();
    assert_eq!(job.state, State::Planned);
    let other = planner.plan(&Request::new(Verb::Rebuild), now).await.unwrap();
    assert_eq!(other.generation.number(), 3, "what is being made is taken");
    let _worker = site.running("one").await;
    let done = site.reaches(&job, State::Done).await;
    assert_eq!((done.tally.parked, done.tally.scanned()), (1_000, 4_000));
    let (_, store) = site.expected(plan.range).await;
    assert!(site.same_graph(&store, plan.generation));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_refuses_what_cannot_be_and_says_what_to_do() {
    let site = Site::start().await;
    let planner = planner(&site);
    let now = weir::clock::now_ms();
    let refused = async |request: &Request| planner.plan(request, now).await.unwrap_err();
    let replay = || Request::new(Verb::Replay);
    assert!(matches!(refused(&replay()).await, PlanError::Empty { .. }));
    site.publish(300).await;
    let ahead = Request { from: Some(Point::Text("-0s".into())), ..replay() };
    assert!(
        planner
            .plan(&Request { from: Some(Point::Text("-1h".into())), ..replay() }, now)
            .await
            .is_ok()
    );
    let empty = planner.plan(&ahead, now + 3_600_000).await.unwrap_err();
    assert!(matches!(empty, PlanError::Empty { from: 301, to: 301, .. }), "{empty}");
    let no_place = Request { to: Some(Point::Text("yesterday".into())), ..replay() };
    assert!(matches!(refused(&no_place).await, PlanError::NoPlace(_)));
    let jump = Request::new(Verb::Jump);
    assert!(matches!(refused(&jump).await, PlanError::NothingToJump));
    let rollback = refused(&Request::new(Verb::Rollback)).await;
    assert!(rollback.to_string().contains("nothing to roll back to"), "{rollback}");
    let active = Request { generation: Some(G1), ..Request::new(Verb::Promote) };
    assert!(refused(&active).await.to_string().contains("active already"));

    let stream = site.server.jetstream().await.get_stream("EVENTS").await.unwrap();
    stream.purge().sequence(101).await.unwrap();
    let truncated = refused(&replay()).await;
    assert!(truncated.to_string().contains("--from 101"), "{truncated}");
    let accepted = Request { allow_truncated: true, ..replay() };
    let plan = planner.plan(&accepted, now).await.unwrap();
    assert_eq!((plan.truncated_at, plan.missing, plan.estimate.events), (Some(101), 100, 200));
    let later = Request { from: Some(Point::Sequence(101)), ..replay() };
    assert_eq!(planner.plan(&later, now).await.unwrap().range.from, 101);
    let as_of = Request {
        as_of: Some(Point::Sequence(201)),
        allow_truncated: true,
        ..Request::new(Verb::Rebuild)
    };
    assert_eq!(planner.plan(&as_of, now).await.unwrap().range, Range { from: 1, to: 201 });
    // A time before the log begins is told as well, and a plan tells instead of refusing.
    let long_ago = Request { from: Some(Point::Text("-2d".to_owned())), ..replay() };
    assert!(refused(&long_ago).await.to_string().contains("begins at sequence 101"));
    let planned = Request { plan: true, ..long_ago };
    assert_eq!(planner.plan(&planned, now).await.unwrap().truncated_at, Some(101));
}
