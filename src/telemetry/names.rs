//! Every metric: its name, what it tells, and its unit.
//!
//! A metric that is not in [`ALL`] has no help text on `/metrics`; a test holds that each is listed once.

use metrics::Unit;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The description of one metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub help: &'static str,
}

pub const BUILD_INFO: &str = "weir_build_info";
pub const START_TIME: &str = "weir_start_time_seconds";
pub const HTTP_REQUEST_SECONDS: &str = "weir_http_request_seconds";
pub const HTTP_CONNECTIONS_OPEN: &str = "weir_http_connections_open";
pub const HTTP_CONNECTIONS_REFUSED: &str = "weir_http_connections_refused_total";
pub const HTTP_CONNECTIONS_GIVEN_UP: &str = "weir_http_connections_given_up_total";
pub const HTTP_HANDSHAKES_FAILED: &str = "weir_http_handshakes_failed_total";
pub const HTTP_PANICS: &str = "weir_http_panics_total";
pub const BROKER_RUNNING: &str = "weir_broker_running";
pub const BROKER_RESTARTS: &str = "weir_broker_restarts_total";
pub const WAL_BYTES: &str = "weir_wal_bytes";
pub const WAL_HIGH_WATER: &str = "weir_wal_high_water";
pub const WAL_PUBLISHED: &str = "weir_wal_published";
pub const WAL_LOST_ENTRIES: &str = "weir_wal_lost_entries";
pub const WAL_DEGRADED: &str = "weir_wal_degraded";
pub const RELAY_LAG_EVENTS: &str = "weir_relay_lag_events";
pub const RELAY_HEALED_EVENTS: &str = "weir_relay_healed_events";
pub const PROJECTOR_APPLIED_THROUGH: &str = "weir_projector_applied_through";
pub const PROJECTOR_PENDING: &str = "weir_projector_pending";
pub const GRAPH_EDGES: &str = "weir_graph_edges";
pub const GRAPH_BYTES: &str = "weir_graph_bytes";
pub const NATS_CONNECTED: &str = "weir_nats_connected";
pub const GATEWAY_EVENTS: &str = "weir_gateway_events_total";
pub const GATEWAY_INVALID: &str = "weir_gateway_invalid_total";
pub const GATEWAY_REFUSED: &str = "weir_gateway_refused_total";
pub const PROJECTOR_EVENTS: &str = "weir_projector_events_total";
pub const PROJECTOR_UNDECODABLE: &str = "weir_projector_undecodable_total";
pub const PROJECTOR_FAILURES: &str = "weir_projector_failures_total";
pub const PROJECTOR_SET_ASIDE: &str = "weir_projector_set_aside_total";
pub const PROJECTOR_LAG: &str = "weir_projector_lag_seconds";
pub const PROJECTOR_BREAKER_OPEN: &str = "weir_projector_breaker_open";
pub const PROJECTOR_WAITING: &str = "weir_projector_waiting";
pub const QUERY_BREAKER_OPEN: &str = "weir_query_breaker_open";
pub const QUERY_FAILURES: &str = "weir_query_failures_total";
pub const QUERY_SECONDS: &str = "weir_query_seconds";
pub const ARANGO_REQUESTS: &str = "weir_arango_requests_total";
pub const ARANGO_SECONDS: &str = "weir_arango_request_seconds";
pub const ARANGO_SENT_BYTES: &str = "weir_arango_sent_bytes_total";
pub const ARANGO_RECEIVED_BYTES: &str = "weir_arango_received_bytes_total";
pub const ARANGO_QUEUE_SECONDS: &str = "weir_arango_queue_seconds";
pub const ARANGO_WINDOW: &str = "weir_arango_write_window";
pub const ARANGO_PUTS: &str = "weir_arango_puts_total";

/// Every metric of the product.
pub const ALL: &[Metric] = &[
    Metric {
        name: BUILD_INFO,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Always 1: the version that runs, and the fingerprint of the projection that it makes",
    },
    Metric {
        name: START_TIME,
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "When the process began, in seconds since 1970",
    },
    Metric {
        name: HTTP_REQUEST_SECONDS,
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        help: "From a request's head to its answer's, by listener and class of status (2xx); health is not counted",
    },
    Metric {
        name: HTTP_CONNECTIONS_OPEN,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Open HTTP connections, by listener",
    },
    Metric {
        name: HTTP_CONNECTIONS_REFUSED,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Connections refused at a limit, by listener and reason (total, peer)",
    },
    Metric {
        name: HTTP_CONNECTIONS_GIVEN_UP,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Silent connections closed so that new ones have a place, by listener",
    },
    Metric {
        name: HTTP_HANDSHAKES_FAILED,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "TLS handshakes that failed or took too long, by listener",
    },
    Metric {
        name: HTTP_PANICS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Requests whose handler panicked, by listener; each is a defect",
    },
    Metric {
        name: BROKER_RUNNING,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "1 while the nats-server child of weir dev runs, else 0",
    },
    Metric {
        name: BROKER_RESTARTS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Times the nats-server child died and was started again",
    },
    Metric {
        name: WAL_BYTES,
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        help: "Size of the write-ahead log's segments",
    },
    Metric {
        name: WAL_HIGH_WATER,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Highest synced sequence of the write-ahead log",
    },
    Metric {
        name: WAL_PUBLISHED,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Sequence of the write-ahead log through which all is in the stream",
    },
    Metric {
        name: WAL_LOST_ENTRIES,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Events that were answered and are gone: a broken promise",
    },
    Metric {
        name: WAL_DEGRADED,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "1 while the write-ahead log does not keep its full promise, else 0",
    },
    Metric {
        name: RELAY_LAG_EVENTS,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Events synced to disk and not yet in the stream",
    },
    Metric {
        name: RELAY_HEALED_EVENTS,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Events published again because the stream had lost them, since the start",
    },
    Metric {
        name: PROJECTOR_APPLIED_THROUGH,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Sequence of the stream through which all is in the graph",
    },
    Metric {
        name: PROJECTOR_PENDING,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Messages the stream held behind the last batch that was read",
    },
    Metric {
        name: GRAPH_EDGES,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Edges of the graph in memory, tombstones included",
    },
    Metric {
        name: GRAPH_BYTES,
        kind: Kind::Gauge,
        unit: Unit::Bytes,
        help: "Memory of vertices, edges and indexes, without attributes of profiles",
    },
    Metric {
        name: NATS_CONNECTED,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "1 while NATS is connected, else 0",
    },
    Metric {
        name: GATEWAY_EVENTS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Events stored in the write-ahead log",
    },
    Metric {
        name: GATEWAY_INVALID,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Invalid events of batches of which others were stored",
    },
    Metric {
        name: GATEWAY_REFUSED,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Requests refused as a whole, by code",
    },
    Metric {
        name: PROJECTOR_EVENTS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Events applied to the graph",
    },
    Metric {
        name: PROJECTOR_UNDECODABLE,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Messages of the stream that are no events, by code",
    },
    Metric {
        name: PROJECTOR_FAILURES,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Puts that the store did not take, but may yet, by code",
    },
    Metric {
        name: PROJECTOR_SET_ASIDE,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Messages that were set aside, by queue: retry or parked",
    },
    Metric {
        name: PROJECTOR_LAG,
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        help: "From a message's time in the stream to its effect in the graph, the newest of each batch",
    },
    Metric {
        name: PROJECTOR_BREAKER_OPEN,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "1 while a generation's database fails so often that it is left alone, by generation",
    },
    Metric {
        name: PROJECTOR_WAITING,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "1 while a generation is not written to by this process, by generation; the status says why",
    },
    Metric {
        name: QUERY_BREAKER_OPEN,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "1 while reads from ArangoDB fail so often that most are not tried",
    },
    Metric {
        name: QUERY_FAILURES,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Reads that a store did not answer, by source and code; another may have answered",
    },
    Metric {
        name: QUERY_SECONDS,
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        help: "Time to compute an answer, by route",
    },
    Metric {
        name: ARANGO_REQUESTS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Requests to ArangoDB, by kind and outcome (ok, an HTTP status, or why there was no answer)",
    },
    Metric {
        name: ARANGO_SECONDS,
        kind: Kind::Histogram,
        unit: Unit::Seconds,
        help: "From a request to ArangoDB to the end of its answer, by kind",
    },
    Metric {
        name: ARANGO_SENT_BYTES,
        kind: Kind::Counter,
        unit: Unit::Bytes,
        help: "Bodies sent to ArangoDB, by kind",
    },
    Metric {
        name: ARANGO_RECEIVED_BYTES,
        kind: Kind::Counter,
        unit: Unit::Bytes,
        help: "Bodies received from ArangoDB, by kind",
    },
    Metric {
        name: ARANGO_QUEUE_SECONDS,
        kind: Kind::Gauge,
        unit: Unit::Seconds,
        help: "How long requests wait in ArangoDB's own queue, as it told last",
    },
    Metric {
        name: ARANGO_WINDOW,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help: "Writes that may be in flight to ArangoDB; halves when it is overloaded",
    },
    Metric {
        name: ARANGO_PUTS,
        kind: Kind::Counter,
        unit: Unit::Count,
        help: "Puts to ArangoDB, by outcome (applied, superseded, known, failed)",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_metric_is_listed_once_and_named_by_the_conventions() {
        let mut seen = BTreeSet::new();
        for metric in ALL {
            assert!(seen.insert(metric.name), "{} is listed twice", metric.name);
            assert!(metric.name.starts_with("weir_"), "{}", metric.name);
            assert!(!metric.help.is_empty(), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{}: counters, and only counters, end in _total",
                metric.name
            );
        }
    }
}
