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

pub const HTTP_CONNECTIONS_OPEN: &str = "weir_http_connections_open";
pub const HTTP_CONNECTIONS_REFUSED: &str = "weir_http_connections_refused_total";
pub const HTTP_PANICS: &str = "weir_http_panics_total";
pub const BROKER_RUNNING: &str = "weir_broker_running";
pub const BROKER_RESTARTS: &str = "weir_broker_restarts_total";

/// Every metric of the product.
pub const ALL: &[Metric] = &[
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
