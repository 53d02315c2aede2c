//! The commands of jobs, as they are typed, against a small site that stands for a weir: by what they print and
//! end with.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use weir::http::{App, Problem, ServeOptions, bind, serve};

use crate::support::weir::command;

fn job(state: &str) -> Value {
    json!({
        "id": "replay-20260504-5e1f", "verb": "replay", "generation": "g1", "state": state, "epoch": "e",
        "range": {"from": 1, "to": 11}, "control": {"liveLagMs": 200}, "createdMs": 0, "changedMs": 0,
        "request": {"verb": "replay"}, "tally": {"applied": 10},
    })
}

/// A weir whose only job ends like this, and what it was asked.
struct Site {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Site {
    async fn start(end: &'static str) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let begin = async move |headers: HeaderMap, Json(request): Json<Value>| {
            noted.lock().unwrap().push(request.clone());
            begin(&headers, &request)
        };
        let router = Router::new()
            .route(
                "/admin/jobs",
                get(async || Json(json!({ "jobs": [job("running")] }))).post(begin),
            )
            .route("/admin/jobs/{id}", get(async move |Path(id): Path<String>| tell(&id, end)))
            .route("/admin/jobs/{id}/{what}", post(async || Json(job("paused"))));
        let bound = bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", bound.address());
        let (app, options) = (App::new(router), ServeOptions::default());
        tokio::spawn(serve(bound, app, options, CancellationToken::new()));
        Self { url, asked }
    }

    async fn weir(&self, line: &str) -> Ended {
        let mut command = command();
        command.args(line.split_whitespace()).stdin(Stdio::null());
        command.envs([("WEIR_ADMIN_URL", self.url.as_str()), ("WEIR_ADMIN_TOKEN", "sesame")]);
        let ending = tokio::task::spawn_blocking(move || command.output());
        let output = ending.await.expect("it does not panic").expect("weir runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let (printed, said) = (text(output.stdout), text(output.stderr));
        Ended { code: output.status.code(), printed, said }
    }

    fn last_asked(&self) -> Value {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    printed: String,
    said: String,
}

fn begin(headers: &HeaderMap, request: &Value) -> Response {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok());
    assert_eq!(token, Some("Bearer sesame"));
    if request["verb"] == "promote" {
        let detail = "generation g1 is active already";
        return Problem::new(StatusCode::CONFLICT, "active_already", detail).into_response();
    }
    if request["plan"] == true {
        return Json(json!({"verb": request["verb"], "generation": "g1", "events": 10}))
            .into_response();
    }
    (StatusCode::CREATED, Json(job("planned"))).into_response()
}

fn tell(id: &str, state: &str) -> Response {
    if id == "unknown" {
        return Problem::new(StatusCode::NOT_FOUND, "no_such_job", "there is no job unknown")
            .into_response();
    }
    Json(job(state)).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_watched_to_its_end_and_its_end_is_the_commands() {
    for (state, code) in [("done", 0), ("failed", 1), ("cancelled", 1)] {
        let site = Site::start(state).await;
        for line in ["replay --from -2h --why because", "job watch 5e1f"] {
            let ended = site.weir(line).await;
            assert_eq!(ended.code, Some(code), "{line} {ended:?}");
            let last: Value = serde_json::from_str(ended.printed.lines().last().unwrap()).unwrap();
            assert_eq!(last["state"], state, "machines get lines");
            assert!(
                ended.said.contains("closes       10 = 10 scanned"),
                "people the account: {ended:?}"
            );
        }
        let asked = site.last_asked();
        assert_eq!((&asked["from"], &asked["why"]), (&json!("-2h"), &json!("because")));
        assert!(asked["by"].as_str().unwrap().contains('@'), "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_a_job_that_is_let_go_return_at_once() {
    let site = Site::start("running").await;
    let plan = site.weir("replay --plan").await;
    assert_eq!(plan.code, Some(0));
    assert!(plan.printed.starts_with("replay of g1: only planned"), "{plan:?}");
    let plan = site.weir("rebuild --plan --json").await;
    assert_eq!(serde_json::from_str::<Value>(&plan.printed).unwrap()["events"], 10);
    let detached = site.weir("jump --detach").await;
    assert_eq!(detached.code, Some(0));
    assert!(detached.printed.contains("weir job watch replay-20260504-5e1f"), "{detached:?}");
    assert_eq!(site.last_asked()["verb"], "jump");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_without_a_yes() {
    let site = Site::start("done").await;
    for line in ["retire g1", "redrive --type viewed"] {
        let ended = site.weir(line).await;
        assert_eq!((ended.code, &*ended.printed), (Some(1), ""), "{ended:?}");
        assert!(ended.said.contains("nothing was done: add --yes"), "{ended:?}");
        assert_eq!(site.last_asked()["plan"], true, "only the plan was asked for");
        assert_eq!(site.weir(&format!("{line} --yes")).await.code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_with_what_to_do() {
    let site = Site::start("done").await;
    let conflict = site.weir("promote g1").await;
    assert_eq!(
        (conflict.code, &*conflict.said),
        (Some(1), "weir: generation g1 is active already\n")
    );
    let unknown = site.weir("job show unknown").await;
    assert_eq!((unknown.code, &*unknown.said), (Some(1), "weir: there is no job unknown\n"));
    let gone = bind("127.0.0.1:0").await.unwrap().address();
    let away = site.weir(&format!("job list --admin-url http://{gone}")).await;
    assert_eq!(away.code, Some(1));
    assert!(away.said.contains("start one with weir dev"), "{away:?}");
    for mistake in
        ["replay --from yesterday", "replay --from --to 5", "job limit 5e1f", "retire one"]
    {
        assert_eq!(site.weir(mistake).await.code, Some(2), "{mistake}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_shown_and_changed() {
    let site = Site::start("running").await;
    let list = site.weir("job list").await;
    assert!(list.printed.contains("replay-20260504-5e1f"), "{list:?}");
    let list: Value = serde_json::from_str(&site.weir("job list --json").await.printed).unwrap();
    assert_eq!(list["jobs"][0]["state"], "running");
    assert!(
        site.weir("job show 5e1f").await.printed.starts_with("replay-20260504-5e1f of g1: running")
    );
    for line in
        ["job pause 5e1f", "job resume 5e1f", "job cancel 5e1f", "job limit 5e1f --rate none"]
    {
        let ended = site.weir(line).await;
        assert_eq!(ended.code, Some(0), "{line} {ended:?}");
        assert!(ended.printed.contains("paused"), "{ended:?}");
    }
}
