//! The read routes over whatever is served.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Query as Parameters, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use tokio::sync::watch;

use super::answer::{self, Basis};
use super::params::{HistoryParams, ItemParams, UserParams, path_id};
use super::serving::{About, Serving, Source};
use crate::event::{EventTypes, Kind};
use crate::http::Problem;
use crate::limits::READ_RETRY_AFTER_S;
use crate::recommend::{self, KindWeights};
use crate::store::{Failure, HistoryQuestion};
use crate::telemetry::names;

/// How answers are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// The interaction type that counts as a purchase, for `exclude=purchased`.
    pub purchase_type: String,
}

/// Answers reads from whatever is served at the moment. Clones share it.
#[derive(Clone)]
pub struct Query(Arc<Inner>);

struct Inner {
    serving: watch::Receiver<Arc<Serving>>,
    types: Arc<EventTypes>,
    kinds: KindWeights,
}

type Given = Result<Parameters<BTreeMap<String, String>>, axum::extract::rejection::QueryRejection>;
type Named = Result<Path<String>, axum::extract::rejection::PathRejection>;

impl Query {
    /// `serving` may change at any time; a request is answered from what it said when it came.
    pub fn new(
        serving: watch::Receiver<Arc<Serving>>,
        types: Arc<EventTypes>,
        options: &Options,
    ) -> Self {
        let kinds = weights(&types, &options.purchase_type);
        Self(Arc::new(Inner { serving, types, kinds }))
    }

    pub fn routes(self) -> Router {
        Router::new()
            .route("/recommendations/user/{userId}", get(for_user))
            .route("/recommendations/item/{itemId}", get(for_item))
            .route("/history/user/{userId}", get(history))
            .with_state(self)
    }

    fn serving(&self) -> Arc<Serving> {
        self.0.serving.borrow().clone()
    }
}

/// How much each type says, as configured.
fn weights(types: &EventTypes, purchase_type: &str) -> KindWeights {
    let interactions =
        types.iter().filter(|(_, spec)| matches!(spec.kind, Kind::Interaction { .. }));
    interactions.fold(KindWeights::new(), |kinds, (index, spec)| {
        let kinds = kinds.with(index.0, spec.weight as f32);
        if spec.name == purchase_type { kinds.purchase(index.0) } else { kinds }
    })
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
    let params = UserParams::parse(parameters(given)?)?;
    let serving = query.serving();
    let options = recommend::Options::new(params.limit, &query.0.kinds).exclude(params.exclude);
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
    let params = ItemParams::parse(parameters(given)?, &query.0.types)?;
    let serving = query.serving();
    let only = params.of.map(|of| of.0);
    let options = recommend::ItemOptions::new(params.limit, &query.0.kinds).only(only);
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
    let types = &query.0.types;
    let HistoryParams { limit, of, before } = HistoryParams::parse(parameters(given)?, types)?;
    let serving = query.serving();
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
