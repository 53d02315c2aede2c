//! The read routes over one graph in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Query as Parameters, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use super::answer::{self, Basis, Recommendations, Recommended, SOURCE};
use super::params::{HistoryParams, ItemParams, UserParams, path_id};
use crate::event::{EventTypes, Kind};
use crate::http::{Problem, json};
use crate::limits::HISTORY_SCAN;
use crate::recommend::{self, KindWeights};
use crate::store::memory::MemoryStore;
use crate::telemetry::names;

/// What the reads stand on.
#[derive(Debug, Clone)]
pub struct Options {
    /// The generation that answers name.
    pub generation: String,
    /// The interaction type that counts as a purchase, for `exclude=purchased`.
    pub purchase_type: String,
}

/// Answers reads from a graph in memory. Clones share it.
#[derive(Clone)]
pub struct Query(Arc<Inner>);

struct Inner {
    store: MemoryStore,
    types: Arc<EventTypes>,
    kinds: KindWeights,
    generation: String,
}

type Given = Result<Parameters<BTreeMap<String, String>>, axum::extract::rejection::QueryRejection>;
type Named = Result<Path<String>, axum::extract::rejection::PathRejection>;

impl Query {
    pub fn new(store: MemoryStore, types: Arc<EventTypes>, options: Options) -> Self {
        let kinds = weights(&types, &options.purchase_type);
        Self(Arc::new(Inner { store, types, kinds, generation: options.generation }))
    }

    pub fn routes(self) -> Router {
        Router::new()
            .route("/recommendations/user/{userId}", get(for_user))
            .route("/recommendations/item/{itemId}", get(for_item))
            .route("/history/user/{userId}", get(history))
            .with_state(self)
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

async fn for_user(
    State(query): State<Query>,
    user: Named,
    given: Given,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let user = path_id(named(user)?, "user id")?;
    let params = UserParams::parse(parameters(given)?)?;
    let Inner { store, kinds, generation, .. } = &*query.0;
    let graph = store.read();
    let options = recommend::Options::new(params.limit, kinds).exclude(params.exclude);
    let found = recommend::for_user(&*graph, graph.user_handle(user.as_str()), &options);
    let items = found.iter().map(|scored| Recommended {
        item_id: graph.item_id(scored.item),
        score: scored.score,
        attrs: graph.item_attrs(scored.item),
        because: scored.because.iter().map(|item| graph.item_id(*item)).collect(),
        popular: scored.popular,
        support: None,
    });
    let basis =
        if found.iter().any(|scored| !scored.popular) { Basis::History } else { Basis::Popular };
    let answer = json(
        StatusCode::OK,
        &Recommendations {
            user_id: Some(user.as_str()),
            item_id: None,
            basis,
            items: items.collect(),
            generation,
            source: SOURCE,
        },
    );
    drop(graph);
    record("recommendations_user", began);
    Ok(answer)
}

async fn for_item(
    State(query): State<Query>,
    item: Named,
    given: Given,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let item = path_id(named(item)?, "item id")?;
    let Inner { store, types, kinds, generation } = &*query.0;
    let params = ItemParams::parse(parameters(given)?, types)?;
    let graph = store.read();
    let handle = graph.item_handle(item.as_str());
    let found = handle.map_or_else(Vec::new, |handle| {
        let options =
            recommend::ItemOptions::new(params.limit, kinds).only(params.of.map(|of| of.0));
        recommend::for_item(&*graph, handle, &options)
    });
    let items = found.iter().map(|also| Recommended {
        item_id: graph.item_id(also.item),
        score: also.score,
        attrs: graph.item_attrs(also.item),
        because: handle.iter().map(|item| graph.item_id(*item)).collect(),
        popular: false,
        support: Some(also.support),
    });
    let answer = json(
        StatusCode::OK,
        &Recommendations {
            user_id: None,
            item_id: Some(item.as_str()),
            basis: Basis::History,
            items: items.collect(),
            generation,
            source: SOURCE,
        },
    );
    drop(graph);
    record("recommendations_item", began);
    Ok(answer)
}

async fn history(
    State(query): State<Query>,
    user: Named,
    given: Given,
) -> Result<Response, Problem> {
    let began = Instant::now();
    let user = path_id(named(user)?, "user id")?;
    let Inner { store, types, generation, .. } = &*query.0;
    let params = HistoryParams::parse(parameters(given)?, types)?;
    let page =
        store.read().history(user.as_str(), params.of, params.before, params.limit, HISTORY_SCAN);
    let answer = answer::history(user.as_str(), &page, types, generation);
    record("history_user", began);
    Ok(answer)
}

fn record(route: &'static str, began: Instant) {
    metrics::histogram!(names::QUERY_SECONDS, "route" => route)
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
