//! The admin listener, and the health routes of both.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::ready::{Facts, ROLES, answer, judge};
use super::status::Parts;
use crate::http::Problem;
use crate::telemetry::{Metrics, names};

/// What the health and admin routes look at.
#[derive(Clone)]
pub(super) struct Admin {
    pub parts: Parts,
    pub metrics: Metrics,
    pub draining: CancellationToken,
}

impl Admin {
    /// `/health` and readiness, for every listener.
    pub fn health_routes(&self) -> Router {
        Router::new()
            .route("/health", get(async || Json(json!({ "status": "ok" }))))
            .route("/health/ready", get(ready))
            .route("/health/ready/{role}", get(ready_role))
            .with_state(self.clone())
    }

    /// What only operators see.
    pub fn admin_routes(&self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .route(
                "/admin/status",
                get(async |State(admin): State<Self>| Json(admin.parts.snapshot().await)),
            )
            .with_state(self.clone())
            .merge(self.health_routes())
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    let facts = Facts::of(&admin.parts, &admin.draining);
    answer(ROLES.iter().filter_map(|role| judge(role, &facts)).collect())
}

async fn ready_role(State(admin): State<Admin>, Path(role): Path<String>) -> Response {
    let facts = Facts::of(&admin.parts, &admin.draining);
    if let Some(role) = judge(&role, &facts) {
        return answer(vec![role]);
    }
    let detail = format!("this process has the roles {}", ROLES.join(", "));
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
        let wal = self.parts.wal.status();
        let relay = self.parts.relay.status();
        let projector = &self.parts.projector;
        let (edges, bytes) = {
            let graph = self.parts.store.read();
            (graph.edge_count(), graph.bytes())
        };
        let number = |value: u64| value as f64;
        for (name, value) in [
            (names::WAL_BYTES, number(wal.bytes)),
            (names::WAL_HIGH_WATER, number(wal.high_water)),
            (names::WAL_PUBLISHED, number(wal.published)),
            (names::WAL_LOST_ENTRIES, number(wal.lost_entries)),
            (names::WAL_DEGRADED, number(u64::from(wal.degraded.is_some()))),
            (names::RELAY_LAG_EVENTS, number(relay.lag)),
            (names::RELAY_HEALED_EVENTS, number(relay.healed)),
            (
                names::PROJECTOR_APPLIED_THROUGH,
                number(projector.applied_through.load(std::sync::atomic::Ordering::Relaxed)),
            ),
            (
                names::PROJECTOR_PENDING,
                number(projector.pending.load(std::sync::atomic::Ordering::Relaxed)),
            ),
            (names::GRAPH_EDGES, f64::from(edges)),
            (names::GRAPH_BYTES, bytes as f64),
            (names::NATS_CONNECTED, number(u64::from(self.parts.nats.link().borrow().connected))),
        ] {
            metrics::gauge!(name).set(value);
        }
    }
}
