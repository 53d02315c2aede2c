//! What is typed becomes what is asked for; what comes back is told to people; a small site stands for a weir.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Parser;
use http::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::account::{account_text, open};
use super::plan::{Plan, plan_text};
use super::request::{Consent, Verbed};
use super::screen::Screen;
use super::text::{left_running_text, list_text, progress_line, show_text, state_line};
use super::watch::{Patience, Standing, standing, watch};
use crate::cli::admin::{AdminClient, AdminError};
use crate::cli::{Arguments, Command};
use crate::generation::GenerationId;
use crate::http::{App, Problem, ServeOptions, bind, serve};
use crate::replay::{
    Chunk, Control, Filter, Found, Job, JobId, Missing, MissingWhy, Pace, Point, Range, Redriven,
    Report, Request, Run, State, Tally, Verb,
};

fn job(verb: Verb, state: State) -> Job {
    let request = Request {
        by: Some("ana@desk".into()),
        why: Some("projector was down".into()),
        ..Request::new(verb)
    };
    Job {
        id: JobId(format!("{verb}-20260504T100000-5e1f")),
        verb,
        generation: GenerationId::FIRST,
        state,
        note: None,
        epoch: "e1".into(),
        fingerprint: None,
        range: Range { from: 1_001, to: 3_001 },
        control: Control { live_lag_ms: 200, rate: None },
        request,
        created_ms: 1_777_888_800_000,
        changed_ms: 1_777_888_801_000,
        run: Run::default(),
        pace: Pace::default(),
        chunks: Vec::new(),
        tally: Tally::default(),
        missing: Vec::new(),
        report: None,
        redriven: None,
    }
}

fn running() -> Job {
    let mut job = job(Verb::Replay, State::Running);
    job.request.from = Some(Point::Text("-2h".into()));
    job.request.filter =
        Filter { types: vec!["viewed".into(), "liked".into()], ..Filter::default() };
    job.chunks = vec![Chunk { next: 1_905, ..Chunk::new(1_001, 3_001) }];
    job.tally = Tally { applied: 600, superseded: 300, missing: 4, ..Tally::default() };
    job.pace = Pace {
        rate: 4_987.4,
        allowed: Some(5_000.0),
        live_lag_ms: Some(187.2),
        seconds_left: Some(192.0),
        seconds: 61.0,
    };
    job
}

fn done() -> Job {
    let mut job = running();
    job.state = State::Done;
    job.chunks = vec![Chunk { next: 3_001, ..Chunk::new(1_001, 3_001) }];
    job.tally = Tally { applied: 1_200, superseded: 700, filtered: 89, parked: 1, missing: 10 };
    job.pace = Pace { rate: 5_000.0, seconds: 75.5, ..Pace::default() };
    job.missing = vec![
        Missing { from: 1_500, through: 1_507, why: MissingWhy::Erased },
        Missing { from: 1_900, through: 1_900, why: MissingWhy::Lost },
        Missing { from: 1_001, through: 1_001, why: MissingWhy::Trimmed },
    ];
    job
}

fn found(key: &str, what: &str, versions: [Option<u64>; 2], sequences: &[u64]) -> Found {
    Found {
        collection: "viewed".into(),
        key: key.into(),
        what: what.into(),
        expected_version: versions[0],
        found_version: versions[1],
        sequences: sequences.to_vec(),
    }
}

fn verified(differing: bool) -> Job {
    let mut job = job(Verb::Verify, State::Done);
    let same = Report {
        through: 3_000,
        expected_documents: 1_234,
        found_documents: 1_234,
        expected_digest: "0123456789abcdef0123456789abcdef".into(),
        found_digest: "0123456789abcdef0123456789abcdef".into(),
        seconds: 0.25,
        ..Report::default()
    };
    job.report = Some(if differing {
        Report {
            found_digest: "fedcba9876543210fedcba9876543210".into(),
            missing: 1,
            extra: 1,
            other_body: 60,
            pending: 3,
            unprovable: 2,
            found: vec![
                found("a1\u{1b}[2J", "missing", [Some(7), None], &[1_204, 1_203]),
                found("b2", "extra", [None, Some(u64::MAX)], &[]),
                found("c3", "other_body", [Some(1), Some(2)], &[2_000]),
            ],
            ..same
        }
    } else {
        same
    });
    job
}

#[test]
fn a_job_that_goes_on_is_one_line() {
    let throttled = running();
    let mut capped = running();
    capped.control.rate = Some(5_000);
    let mut paused = running();
    paused.state = State::Paused;
    let mut waiting = running();
    waiting.note = Some("it will not catch up at this pace".into());
    let mut catching_up = job(Verb::Rebuild, State::CatchingUp);
    catching_up.note = Some("compared with the log".into());
    let planned = job(Verb::Promote, State::Planned);
    let all = [planned, throttled, capped, paused, waiting, catching_up];
    let lines: Vec<String> = all.iter().map(progress_line).collect();
    insta::assert_snapshot!(format!(
        "{}\n{}{}",
        lines.join("\n"),
        state_line(&running()),
        left_running_text(&running())
    ));
}

#[test]
fn jobs_are_a_table() {
    let mut promoted = job(Verb::Promote, State::Done);
    promoted.range = Range { from: 0, to: 0 };
    promoted.request = Request { why: Some("\u{1b}[2J".into()), ..Request::new(Verb::Promote) };
    insta::assert_snapshot!(format!(
        "{}----\n{}",
        list_text(&[running(), done(), promoted]),
        list_text(&[])
    ));
}

#[test]
fn a_job_is_shown_whole() {
    let mut paused = running();
    paused.state = State::Paused;
    let mut rebuilt = done();
    rebuilt.verb = Verb::Rebuild;
    rebuilt.request = Request { unverified: true, force: true, ..Request::new(Verb::Rebuild) };
    let mut as_of = rebuilt.clone();
    as_of.request.as_of = Some(Point::Sequence(3_001));
    let mut redriven = job(Verb::Redrive, State::Done);
    redriven.request.filter.older_than_ms = Some(90_000_000);
    redriven.redriven = Some(Redriven { listed: 7, redriven: 4, passed_over: 2, cut: 1 });
    let texts = [running(), paused, done(), rebuilt, as_of, redriven].map(|job| show_text(&job));
    insta::assert_snapshot!(texts.join("----\n"));
}

#[test]
fn an_account_that_does_not_close_says_so() {
    let mut short = done();
    short.state = State::Failed;
    short.note = Some("the account does not close".into());
    short.tally.applied -= 20;
    let mut long = done();
    long.tally.applied += 1;
    long.missing =
        (0..30).map(|n| Missing { from: n, through: n, why: MissingWhy::Lost }).collect();
    assert_eq!((open(&done()), open(&short), open(&long)), (0, 20, -1));
    insta::assert_snapshot!(format!("{}----\n{}", show_text(&short), account_text(&long)));
}

#[test]
fn a_verification_names_what_differs() {
    insta::assert_snapshot!(format!(
        "{}----\n{}",
        show_text(&verified(false)),
        show_text(&verified(true))
    ));
}

#[test]
fn a_plan_tells_what_is_known() {
    let whole = json!({
        "verb": "replay", "generation": "g1", "range": {"from": 1001, "to": 3001}, "events": 1990,
        "firstSequence": 1200, "lastSequence": 5_000_000, "truncatedAt": 1200, "sampled": 500,
        "undecodable": 2, "undecodableExamples": [{"sequence": 1300, "reason": "not JSON", "more": 1}],
        "expectedSeconds": 3.2, "expectedBytes": 1_048_576, "notes": ["g1 is verified through 900"],
        "somethingNew": {"a": 1},
    });
    let redrive = json!({"verb": "redrive", "generation": "g1", "events": 12});
    let plans = [whole, redrive, json!({})].map(|plan| {
        let plan: Plan = serde_json::from_value(plan).unwrap();
        format!("{}{}? [y/N]\n", plan_text(&plan), plan.question())
    });
    insta::assert_snapshot!(plans.join("----\n"));
}

#[test]
fn who_waits_for_a_job_knows_how_it_stands() {
    assert_eq!(standing(&running()), Standing::GoesOn);
    assert_eq!(standing(&done()), Standing::Well);
    assert_eq!(standing(&verified(false)), Standing::Well);
    assert_eq!(standing(&verified(true)), Standing::Ill);
    for state in [State::Failed, State::Cancelled] {
        assert_eq!(standing(&job(Verb::Replay, state)), Standing::Ill);
    }
    let mut rebuild = job(Verb::Rebuild, State::Done);
    rebuild.request.promote = true;
    assert_eq!(standing(&rebuild), Standing::WaitsForPromotion);
    rebuild.state = State::Promoted;
    assert_eq!(standing(&rebuild), Standing::Well);
}

fn typed(line: &str) -> (Request, Consent) {
    let verb: Box<dyn Verbed> = match Arguments::parse_from(line.split_whitespace()).command {
        Command::Replay(verb) => Box::new(verb),
        Command::Rebuild(verb) => Box::new(verb),
        Command::Jump(verb) => Box::new(verb),
        Command::Verify(verb) => Box::new(verb),
        Command::Promote(verb) => Box::new(verb),
        Command::Rollback(verb) => Box::new(verb),
        Command::Retire(verb) => Box::new(verb),
        Command::Redrive(verb) => Box::new(verb),
        other => panic!("{other:?}"),
    };
    (verb.request().unwrap(), verb.consent())
}

#[test]
fn what_is_typed_is_what_is_asked_for() {
    let lines = [
        "weir replay --from -2h --to 2026-11-01T00:00:00Z --type viewed --type liked --user u --item i \
         --source s --generation g2 --live-lag 500ms --rate 5000 --allow-truncated --plan --why because",
        "weir rebuild --as-of -30d --generation g5 --unverified --promote",
        "weir jump --generation g2",
        "weir verify --generation g2",
        "weir promote g2 --force --unverified",
        "weir rollback --force",
        "weir retire g1 --force",
        "weir redrive --type viewed --reason r --older-than 2h --id 0a --text t --generation g2 --yes",
    ];
    let asked = lines.map(|line| {
        let (request, consent) = typed(line);
        format!("{} {consent:?}\n", serde_json::to_string(&request).unwrap())
    });
    insta::assert_snapshot!(asked.concat());
    assert_eq!(typed("weir replay").0, Request::new(Verb::Replay));
}

/// A weir that tells its jobs' states one after the other, and the last one for ever.
#[derive(Clone)]
struct Site(Arc<Mutex<VecDeque<Result<Job, StatusCode>>>>);

impl Site {
    async fn start(states: impl IntoIterator<Item = Result<Job, StatusCode>>) -> AdminClient {
        let site = Self(Arc::new(Mutex::new(states.into_iter().collect())));
        let bound = bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", bound.address());
        let router = Router::new()
            .route("/admin/jobs", post(async |Json(request)| Self::begin(&request)))
            .route(
                "/admin/jobs/{id}",
                get(async |Shared(site): Shared<Self>, Path(id): Path<String>| site.tell(&id)),
            )
            .with_state(site);
        let (app, options) = (App::new(router), ServeOptions::default());
        tokio::spawn(serve(bound, app, options, CancellationToken::new()));
        AdminClient::from_environment(&url).unwrap()
    }

    fn begin(request: &Request) -> Response {
        if request.verb == Verb::Promote {
            let detail = "generation g1 is active already";
            return Problem::new(StatusCode::CONFLICT, "active_already", detail).into_response();
        }
        (StatusCode::CREATED, Json(job(request.verb, State::Planned))).into_response()
    }

    fn tell(&self, id: &str) -> Response {
        if id == "unknown" {
            let detail = "there is no job unknown: weir job list shows those there are";
            return Problem::new(StatusCode::NOT_FOUND, "no_such_job", detail).into_response();
        }
        let mut states = self.0.lock().unwrap();
        let next = if states.len() > 1 { states.pop_front() } else { states.front().cloned() };
        match next.expect("a site has a state") {
            Ok(job) => Json(job).into_response(),
            Err(status) => Problem::new(status, "away", "NATS does not answer").into_response(),
        }
    }
}

/// Keeps what was shown and said.
#[derive(Default)]
struct Seen {
    shown: Vec<State>,
    said: Vec<String>,
}

impl Screen for Seen {
    fn show(&mut self, job: &Job) -> io::Result<()> {
        self.shown.push(job.state);
        Ok(())
    }

    fn say(&mut self, text: &str) {
        self.said.push(text.to_owned());
    }
}

const QUICK: Patience = Patience {
    every: Duration::from_millis(1),
    away: Duration::from_millis(40),
    promotion: Duration::from_millis(40),
};

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_the_one_who_refuses() {
    let client = Site::start([Ok(running())]).await;
    let refused = client.post::<Value>("/admin/jobs", &Request::new(Verb::Promote)).await;
    assert_eq!(refused.unwrap_err().to_string(), "generation g1 is active already");
    let unknown = client.get::<Job>("/admin/jobs/unknown").await.unwrap_err();
    assert!(unknown.to_string().starts_with("there is no job unknown"), "{unknown}");
    assert!(matches!(unknown, AdminError::Refused { status: StatusCode::NOT_FOUND, .. }));
    let begun: Job = client.post("/admin/jobs", &Request::new(Verb::Jump)).await.unwrap();
    assert_eq!((begun.verb, begun.state), (Verb::Jump, State::Planned));
}

#[tokio::test]
async fn a_job_is_watched_to_its_end_and_shown_when_it_has_changed() {
    let planned = job(Verb::Replay, State::Planned);
    let states = [planned.clone(), planned, running(), running(), done()];
    let client = Site::start(states.map(Ok)).await;
    let mut seen = Seen::default();
    let ended = watch(&client, &JobId("5e1f".into()), &mut seen, QUICK).await.unwrap();
    assert_eq!(ended, done());
    assert_eq!(seen.shown, [State::Planned, State::Running, State::Done]);
}

#[tokio::test]
async fn a_weir_that_goes_away_for_a_while_is_waited_for() {
    let away = Err(StatusCode::SERVICE_UNAVAILABLE);
    let client = Site::start([Ok(running()), away.clone(), away, Ok(done())]).await;
    let mut seen = Seen::default();
    let patience = Patience { away: Duration::from_secs(20), ..QUICK };
    let ended = watch(&client, &JobId("5e1f".into()), &mut seen, patience).await.unwrap();
    assert_eq!(ended.state, State::Done);
    assert_eq!(seen.said.len(), 2, "{:?}", seen.said);
    assert!(seen.said[0].contains("NATS does not answer\nwaiting for it, for up to 20 s"));
    assert_eq!(seen.said[1], "it answers again");
}

#[tokio::test]
async fn a_weir_that_stays_away_is_told_with_how_to_go_on() {
    let gone = bind("127.0.0.1:0").await.unwrap().address();
    let client = AdminClient::from_environment(&format!("http://{gone}")).unwrap();
    let mut seen = Seen::default();
    let error = watch(&client, &JobId("5e1f".into()), &mut seen, QUICK).await.unwrap_err();
    let told = format!("{error:#}");
    assert!(told.contains("--admin-url") && told.contains("weir job watch 5e1f"), "{told}");
    assert_eq!(seen.said.len(), 1);
}

#[tokio::test]
async fn a_promotion_that_does_not_come_is_not_waited_for_for_ever() {
    let mut rebuilt = job(Verb::Rebuild, State::Done);
    rebuilt.request.promote = true;
    let client = Site::start([Ok(rebuilt.clone())]).await;
    let id = JobId("5e1f".into());
    let ended = watch(&client, &id, &mut Seen::default(), QUICK).await.unwrap();
    assert_eq!(standing(&ended), Standing::WaitsForPromotion);
    let mut promoted = rebuilt.clone();
    promoted.state = State::Promoted;
    let client = Site::start([Ok(rebuilt), Ok(promoted)]).await;
    let ended = watch(&client, &id, &mut Seen::default(), QUICK).await.unwrap();
    assert_eq!(ended.state, State::Promoted);
}
