//! The metrics recorder and its Prometheus text.

use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use thiserror::Error;

use super::names::{ALL, HTTP_REQUEST_SECONDS, Kind};

/// Upper bounds of the buckets of every histogram in seconds: 100 µs to 30 s, in steps of about 2.5.
const SECONDS: &[f64] = &[
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];

/// The same for requests, finer: what two versions do is compared by them. 100 µs to 30 s, in steps of about 1.5.
const REQUEST_SECONDS: &[f64] = &[
    0.0001, 0.000_15, 0.0002, 0.0003, 0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007,
    0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0,
    7.0, 10.0, 15.0, 20.0, 30.0,
];

/// How often recorded histogram values are folded into their buckets when nobody asks for them.
pub const UPKEEP: Duration = Duration::from_secs(5);

/// The process's metrics; a cheap handle.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

/// Why metrics could not be set up. Final.
#[derive(Debug, Error)]
#[error("cannot set up metrics: {0}")]
pub struct MetricsError(#[from] BuildError);

impl Metrics {
    /// Installs the recorder for the whole process, once, and describes every metric.
    ///
    /// Something must call [`Metrics::upkeep`] every [`UPKEEP`], or histograms grow between scrapes.
    pub fn install() -> Result<Self, MetricsError> {
        let handle = builder()?.install_recorder()?;
        describe();
        Ok(Self { handle })
    }

    /// Returns all metrics in the Prometheus text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds recorded values into buckets.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let requests = Matcher::Full(HTTP_REQUEST_SECONDS.into());
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)?
        .set_buckets_for_metric(requests, REQUEST_SECONDS)
}

fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use metrics::{counter, histogram};

    use super::*;
    use crate::telemetry::names::BROKER_RESTARTS;

    #[test]
    fn rendered_text_has_help_values_and_buckets() {
        let recorder = builder().unwrap().build_recorder();
        let metrics = Metrics { handle: recorder.handle() };
        metrics::with_local_recorder(&recorder, || {
            describe();
            counter!(BROKER_RESTARTS).increment(2);
            histogram!("weir_test_seconds").record(0.003);
            histogram!(HTTP_REQUEST_SECONDS).record(0.003);
        });
        metrics.upkeep();
        let text = metrics.render();
        assert!(text.contains("# HELP weir_broker_restarts_total Times the"), "{text}");
        assert!(text.contains("weir_broker_restarts_total 2"), "{text}");
        assert!(text.contains("weir_test_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("weir_http_request_seconds_bucket{le=\"0.003\"} 1"), "{text}");
    }
}
