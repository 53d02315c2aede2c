//! How long answers took, by the class of their status.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use metrics::{Histogram, histogram};

use crate::telemetry::names;

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The histograms of one listener, looked up once: a request costs no search for them.
#[derive(Clone)]
pub(super) struct Answered(Arc<[Histogram; CLASSES.len()]>);

impl Answered {
    pub fn new(listener: &'static str) -> Self {
        let of = |class| histogram!(names::HTTP_REQUEST_SECONDS, "listener" => listener, "status" => class);
        Self(Arc::new(CLASSES.map(of)))
    }

    /// Counts one answer, from the request's whole head to the answer's.
    pub fn record(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1).min(CLASSES.len() - 1);
        self.0[class].record(took.as_secs_f64());
    }

    /// Whether a path counts: questions of machines whether the process is well would only thin out the others.
    pub fn counts(path: &str) -> bool {
        !path.starts_with("/health")
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn answers_are_counted_by_the_class_of_their_status() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let answered = Answered::new("public");
            for status in [StatusCode::OK, StatusCode::ACCEPTED, StatusCode::SERVICE_UNAVAILABLE] {
                answered.record(status, Duration::from_millis(3));
            }
        });
        let text = handle.render();
        for (class, count) in [("2xx", 2), ("5xx", 1)] {
            let line = format!(
                "weir_http_request_seconds_count{{listener=\"public\",status=\"{class}\"}} {count}"
            );
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn questions_of_health_do_not_count() {
        assert!(Answered::counts("/ingest") && Answered::counts("/recommendations/user/health"));
        assert!(!Answered::counts("/health") && !Answered::counts("/health/ready/gateway"));
    }
}
