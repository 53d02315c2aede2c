//! Jobs as an operator asks for them: over HTTP, at the operators' listener.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, Client, text};
use super::eventually;

/// How long a job of a test may take.
pub const JOB_PATIENCE: Duration = Duration::from_mins(2);

/// What a generation is called, and how its documents are summed.
pub fn digest_of(status: &Value, generation: &str) -> String {
    let graphs = status["generations"].as_array().cloned().unwrap_or_default();
    let graph = graphs.iter().find(|graph| graph["id"] == generation && graph["store"] == "memory");
    text(&graph.unwrap_or_else(|| panic!("no {generation} in {status:#}"))["digest"])
}

impl Client {
    /// Asks for a job; returns whatever is answered.
    pub async fn ask_job(&self, request: &Value) -> Answer {
        let asked = self.admin_request("POST", "/admin/jobs").json(request);
        self.send(asked).await.expect("an answer")
    }

    /// Asks for a job, which must be taken; returns its id.
    pub async fn begin_job(&self, request: &Value) -> String {
        let answer = self.ask_job(request).await;
        assert_eq!(answer.status, 201, "{request}: {:#}", answer.body);
        text(&answer.body["id"])
    }

    pub async fn job(&self, id: &str) -> Value {
        self.send(self.admin_request("GET", &format!("/admin/jobs/{id}")))
            .await
            .expect("an answer")
            .ok()
    }

    /// Tells a job to pause, resume or cancel.
    pub async fn tell_job(&self, id: &str, what: &str) -> Answer {
        let asked = self.admin_request("POST", &format!("/admin/jobs/{id}/{what}"));
        self.send(asked).await.expect("an answer")
    }

    /// Limits a job, as soon as the bucket of jobs can be written.
    pub async fn limit_job(&self, id: &str, limits: &Value) -> Value {
        let path = format!("/admin/jobs/{id}/limit");
        let limited = eventually("the job is limited", JOB_PATIENCE, async || {
            let asked = self.admin_request("POST", &path).json(limits);
            Some(self.send(asked).await.ok()?).filter(|answer| answer.status != 503)
        });
        limited.await.ok()
    }

    /// Waits until a job is as asked, whoever answers meanwhile; one that is over otherwise is a failure.
    pub async fn job_when(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = eventually(what, 2 * JOB_PATIENCE, async || {
            let asked = self.admin_request("GET", &format!("/admin/jobs/{id}"));
            last = self.send(asked).await.ok().filter(|answer| answer.status == 200)?.body;
            if holds(&last) {
                return Some(last.clone());
            }
            let over = ["done", "promoted", "failed", "cancelled"];
            assert!(!over.contains(&text(&last["state"]).as_str()), "{what}: {last:#}");
            None
        });
        let waited = tokio::time::timeout(JOB_PATIENCE, found).await;
        waited.unwrap_or_else(|_| panic!("not in time: {what}; the job: {last:#}"))
    }

    /// Waits until a job is in a state.
    pub async fn job_is(&self, id: &str, state: &str) -> Value {
        self.job_when(id, &format!("{id} is {state}"), |job| job["state"] == state).await
    }

    /// Asks for a job and waits for its end.
    pub async fn run_job(&self, request: &Value, state: &str) -> Value {
        let id = self.begin_job(request).await;
        self.job_is(&id, state).await
    }

    /// Compares a generation with the log, which must not differ.
    pub async fn verified(&self, generation: &str) -> Value {
        let job =
            self.run_job(&json!({ "verb": "verify", "generation": generation }), "done").await;
        for difference in ["missing", "extra", "otherBody"] {
            assert_eq!(job["report"][difference], 0, "{job:#}");
        }
        job["report"].clone()
    }
}

/// Holds that a job's account closes.
#[track_caller]
pub fn account_closes(job: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("a number in {job:#}"));
    let term = |name: &str| number(&job["tally"][name]);
    let scanned = term("applied") + term("superseded") + term("filtered") + term("parked");
    let range = number(&job["range"]["to"]) - number(&job["range"]["from"]);
    assert_eq!(range, scanned + term("missing"), "{job:#}");
}
