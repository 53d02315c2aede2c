//! A plan: what is told of a job before it begins, and all that it is made from. Pure.

use serde::{Deserialize, Serialize};

use crate::generation::GenerationId;
use crate::replay::job::{Job, Range};
use crate::replay::request::Request;

/// What a job would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub generation: GenerationId,
    /// Of the log; empty for a verb that reads none.
    pub range: Range,
    /// Sequences of the range that the log holds nothing at, as far as is known.
    pub missing: u64,
    /// The log's first sequence, if the range begins before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated_at: Option<u64>,
    pub sample: Sample,
    pub estimate: Estimate,
    /// Parked events there are, of which a redrive would take those that the filter chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<u64>,
    pub epoch: String,
    /// The projection that a rebuild is made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What was asked for, with what it left open.
    pub request: Request,
}

/// Some of the messages, evenly spread over the range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sample {
    pub looked_at: u64,
    /// Of these, what is no event and would be parked.
    pub undecodable: u64,
    /// Of these, what the filter chooses.
    pub meant: u64,
    /// The first of the undecodable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Undecodable>,
}

/// A message that is no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Undecodable {
    pub sequence: u64,
    pub subject: String,
    pub reason: String,
}

/// What it may come to. It is not measured: a sample of the events and usual rates say so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Estimate {
    /// Messages that are read.
    pub events: u64,
    /// Most that the graph grows by.
    pub bytes: u64,
    pub seconds: u64,
}

impl Plan {
    /// Makes the job.
    pub fn job(&self, now_ms: i64) -> Job {
        let request = Request { plan: false, ..self.request.clone() };
        let mut job = Job::of(request, self.generation, self.range, &self.epoch, now_ms);
        job.fingerprint.clone_from(&self.fingerprint);
        job
    }
}
