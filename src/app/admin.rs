//! The admin listener, and the health routes of both.

use std::sync::atomic::Ordering;

use axum::extract::{Path, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::following::{Followed, FollowingPart};
use super::graphs::GraphsPart;
use super::guard::Guard;
use super::jobs::admit;
use super::ready::{Facts, answer, judge};
use super::status::Parts;
use crate::http::Problem;
use crate::telemetry::{Metrics, names};

/// What the health and admin routes look at.
#[derive(Clone)]
pub(super) struct Admin {
    pub parts: Parts,
    pub metrics: Metrics,
    pub draining: CancellationToken,
    /// When the process began, in seconds since the epoch.
    pub started_s: f64,
}

/// What a process that runs says.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Health {
    status: &'static str,
}

impl Admin {
    /// `/health` and readiness, for every listener.
    pub fn health_routes(&self) -> Router {
        Router::new()
            .route("/health", get(async || Json(Health { status: "ok" })))
            .route("/health/ready", get(ready))
            .route("/health/ready/{role}", get(ready_role))
            .with_state(self.clone())
    }

    /// What only operators see; health is told to everybody.
    pub fn admin_routes(&self, guard: Guard) -> Router {
        let guarded = Router::new()
            .route("/metrics", get(metrics))
            .route(
                "/admin/status",
                get(async |State(admin): State<Self>| Json(admin.parts.snapshot().await)),
            )
            .layer(from_fn_with_state(guard, admit));
        Router::new().merge(guarded).with_state(self.clone()).merge(self.health_routes())
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    let facts = Facts::of(&admin.parts, &admin.draining);
    answer(admin.parts.roles.all().iter().map(|role| judge(*role, &facts)).collect())
}

async fn ready_role(State(admin): State<Admin>, Path(role): Path<String>) -> Response {
    let facts = Facts::of(&admin.parts, &admin.draining);
    let roles = admin.parts.roles;
    if let Some(role) = roles.all().iter().find(|known| known.name() == role) {
        return answer(vec![judge(*role, &facts)]);
    }
    let detail = format!("this process has the roles {roles}");
    Problem::new(StatusCode::NOT_FOUND, "unknown_role", detail).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    admin.record_gauges();
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], admin.metrics.render()).into_response()
}

impl Admin {
    /// Gauges are read where the truth is, when somebody asks.
    fn record_gauges(&self) {
        let number = |value: u64| value as f64;
        let connected = self.parts.log.nats().link().borrow().connected;
        let mut gauges = vec![(names::NATS_CONNECTED, number(u64::from(connected)))];
        if let Some(inlet) = &self.parts.inlet {
            let (wal, relay) = (inlet.wal.status(), inlet.relay.status());
            gauges.extend([
                (names::WAL_BYTES, number(wal.bytes)),
                (names::WAL_HIGH_WATER, number(wal.high_water)),
                (names::WAL_PUBLISHED, number(wal.published)),
                (names::WAL_LOST_ENTRIES, number(wal.lost_entries)),
                (names::WAL_DEGRADED, number(u64::from(wal.degraded.is_some()))),
                (names::RELAY_LAG_EVENTS, number(relay.lag)),
                (names::RELAY_HEALED_EVENTS, number(relay.healed)),
            ]);
        }
        let graphs = self.parts.graphs.as_ref();
        if let Some(image) = graphs.and_then(GraphsPart::image) {
            let (edges, bytes) = {
                let graph = image.graph.store.read();
                (graph.edge_count(), graph.bytes())
            };
            let applied_through = image.graph.applied_through();
            gauges.extend([
                (names::PROJECTOR_APPLIED_THROUGH, number(applied_through)),
                (names::PROJECTOR_PENDING, number(image.status.pending.load(Ordering::Relaxed))),
                (names::GRAPH_EDGES, f64::from(edges)),
                (names::GRAPH_BYTES, bytes as f64),
            ]);
        }
        gauges.push((names::START_TIME, self.started_s));
        let (version, projection) = (env!("CARGO_PKG_VERSION"), self.parts.projection.clone());
        metrics::gauge!(names::BUILD_INFO, "version" => version, "projection" => projection).set(1);
        for (name, value) in gauges {
            metrics::gauge!(name).set(value);
        }
        if let Some(graphs) = graphs {
            record_databases(graphs);
        }
    }
}

/// Whether databases are written to and read from.
fn record_databases(graphs: &GraphsPart) {
    for (id, followed) in graphs.following.as_ref().map(FollowingPart::all).unwrap_or_default() {
        let (waiting, open) = match followed {
            Followed::Waiting(_) => (1.0, 0.0),
            Followed::Frozen(_) => (0.0, 0.0),
            Followed::Working(handle) => (0.0, f64::from(u8::from(handle.gate.is_open()))),
        };
        metrics::gauge!(names::PROJECTOR_WAITING, "generation" => id.to_string()).set(waiting);
        metrics::gauge!(names::PROJECTOR_BREAKER_OPEN, "generation" => id.to_string()).set(open);
    }
    let database = graphs.served.as_ref().and_then(|served| served.borrow().database());
    if let Some(database) = database {
        metrics::gauge!(names::QUERY_BREAKER_OPEN).set(f64::from(u8::from(database.is_away())));
    }
}
