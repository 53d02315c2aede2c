//! The read routes over whatever is served.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Query as Parameters, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;

use tokio::sync::watch;

use super::answer::{self, Basis};
use super::params::{HistoryParams, ItemParams, UserParams, path_id};
use super::serving::{About, Served, Serving, Source};
use crate::access::{Access, Scope, Shown};
use crate::clock;
use crate::http::Problem;
use crate::limits::READ_RETRY_AFTER_S;
use crate::recommend;
use crate::store::{Failure, HistoryQuestion};
use crate::telemetry::names;

/// Answers reads from whatever is served at the moment. Clones share it.
#[derive(Clone)]
pub struct Query(watch::Receiver<Arc<Served>>);

type Given = Result<Parameters<BTreeMap<String, String>>, axum::extract::rejection::QueryRejection>;
type Named = Result<Path<String>, axum::extract::rejection::PathRejection>;

impl Query {
    /// What is served may change at any time; a request is answered from what it was when it came.
    pub fn new(served: watch::Receiver<Arc<Served>>) -> Self {
        Self(served)
    }

    /// Returns the routes, for whoever `access` lets read.
    pub fn routes(self, access: Access) -> Router {
        Router::new()
            .route("/recommendations/user/{userId}", get(for_user))
            .route("/recommendations/item/{itemId}", get(for_item))
            .route("/history/user/{userId}", get(history))
            .with_state(self)
            .route_layer(from_fn_with_state(access, admit))
    }

    /// Takes `generation` out of the parameters, and returns what it names, by default what answers.
    fn serving(&self, given: &mut BTreeMap<String, String>) -> Result<Arc<Serving>, Problem> {
        let served = self.0.borrow().clone();
        match given.remove("generation") {
            None => served.active.clone().ok_or_else(|| unavailable(None)),
            Some(name) => named_generation(&served, &name),
        }
    }
}

async fn admit(State(access): State<Access>, request: Request, next: Next) -> Response {
    let shown = Shown { headers: request.headers(), query: None };
    match access.admit(Scope::Read, &shown, clock::now_ms()) {
        Ok(_) => next.run(request).await,
        Err(denied) => Problem::from(denied).into_response(),
    }
}

fn named_generation(served: &Served, name: &str) -> Result<Arc<Serving>, Problem> {
    let Some(serving) = served.all.get(name) else {
        let known: Vec<&str> = served.all.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        let detail = format!("there is no such generation; there are: {known}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_generation", detail));
    };
    match &serving.building {
        None => Ok(serving.clone()),
        Some(job) => {
            let detail = format!("the generation is not whole yet: the job {job} builds it");
            Err(Problem::new(StatusCode::CONFLICT, "generation_building", detail))
        }
    }
}

/// Asks one source after the other until one answers. A macro, since a closure's future that borrows would
/// not be known to be `Send`.
macro_rules! first_answer {
    ($serving:expr, $about:expr, |$source:ident| $ask:expr) => {{
        let mut answered = None;
        let mut failed = None;
        for $source in $serving.sources($about).iter().copied() {
            match $ask.await {
                Ok(answer) => {
                    answered = Some((answer, $source));
                    break;
                }
                Err(failure) => {
                    note($source, &failure);
                    failed = Some(failure);
                }
            }
        }
        answered.ok_or_else(|| unavailable(failed))?
    }};
}

async fn for_user(
    State(query): State<Query>,
    user: Named,
    given: Given,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let user = path_id(named(user)?, "user id")?;
    let mut given = parameters(given)?;
    let serving = query.serving(&mut given)?;
    let params = UserParams::parse(given)?;
    let options = recommend::Options::new(params.limit, &serving.kinds).exclude(params.exclude);
    let about = About::User(user.as_str());
    let (found, source) = first_answer!(serving, about, |source| {
        serving.for_user(source, user.as_str(), options)
    });
    let basis =
        if found.iter().any(|item| !item.popular) { Basis::History } else { Basis::Popular };
    let answer = answer::recommendations(about, basis, &found, &serving.generation, source);
    record("recommendations_user", source, began);
    Ok(answer)
}

async fn for_item(
    State(query): State<Query>,
    item: Named,
    given: Given,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let item = path_id(named(item)?, "item id")?;
    let mut given = parameters(given)?;
    let serving = query.serving(&mut given)?;
    let params = ItemParams::parse(given, &serving.types)?;
    let only = params.of.map(|of| of.0);
    let options = recommend::ItemOptions::new(params.limit, &serving.kinds).only(only);
    let about = About::Item(item.as_str());
    let (found, source) = first_answer!(serving, about, |source| {
        serving.for_item(source, item.as_str(), options)
    });
    let generation = &serving.generation;
    let answer = answer::recommendations(about, Basis::History, &found, generation, source);
    record("recommendations_item", source, began);
    Ok(answer)
}

async fn history(
    State(query): State<Query>,
    user: Named,
    given: Given,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let user = path_id(named(user)?, "user id")?;
    let mut given = parameters(given)?;
    let serving = query.serving(&mut given)?;
    let types = &serving.types;
    let HistoryParams { limit, of, before } = HistoryParams::parse(given, types)?;
    let question = HistoryQuestion { of, before, limit };
    let about = About::User(user.as_str());
    let (page, source) = first_answer!(serving, about, |source| {
        serving.history(source, user.as_str(), &question)
    });
    let answer = answer::history(user.as_str(), &page, types, &serving.generation, source);
    record("history_user", source, began);
    Ok(answer)
}

/// Counts that a store did not answer; another may.
fn note(source: Source, failure: &Failure) {
    metrics::counter!(names::QUERY_FAILURES, "source" => source.name(), "code" => failure.code.clone())
        .increment(1);
    tracing::debug!(source = source.name(), error = %failure, "a store does not answer");
}

fn unavailable(failed: Option<Failure>) -> Problem {
    let why = failed.map_or_else(|| "no store answers".to_owned(), |failure| failure.text);
    let detail = format!("the graph cannot be read now: {why}; the same again later may work");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "graph_unavailable", detail)
        .retry_after(READ_RETRY_AFTER_S)
}

fn record(route: &'static str, source: Source, began: Instant) {
    metrics::histogram!(names::QUERY_SECONDS, "route" => route, "source" => source.name())
        .record(began.elapsed().as_secs_f64());
}

fn named(path: Named) -> Result<String, Problem> {
    path.map(|Path(id)| id).map_err(|_| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_id", "the id in the path is not UTF-8")
    })
}

fn parameters(given: Given) -> Result<BTreeMap<String, String>, Problem> {
    let unreadable = || {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_parameter",
            "the query string cannot be read",
        )
    };
    given.map(|Parameters(given)| given).map_err(|_| unreadable())
}
