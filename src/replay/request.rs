//! What somebody asks for. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::job::{Filter, Verb};
use crate::generation::{EventTypeSpec, GenerationId};

/// A place in the log as a person names it: a sequence, an RFC 3339 time, or how long ago (`-2h`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Point {
    /// The stream's sequence, from 1.
    Sequence(u64),
    /// A time of the stream, or a duration before now with a minus sign.
    Text(String),
}

/// What a job shall do, as `POST /admin/jobs` takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JobRequest)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    pub verb: Verb,
    /// The generation it works on; by default the active one, of a rebuild the next free one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationId>,
    /// The first event (inclusive); by default the log's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Point>,
    /// The first event that is not meant (exclusive); by default the end of the log as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Point>,
    /// A rebuild holds what the log held then, and does not follow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Point>,
    #[serde(default, skip_serializing_if = "Filter::is_empty")]
    pub filter: Filter,
    /// Live lag that the job keeps, in milliseconds; by default `limits::JOB_LIVE_LAG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_lag_ms: Option<u64>,
    /// Most events a second; by default as fast as live allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    /// Go on although the log does not hold its beginning any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_truncated: bool,
    /// A rebuild is not verified, and a generation is promoted without that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// A rebuild is promoted as soon as it may be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promote: bool,
    /// Promote a generation that is behind, or retire one that is the way back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The event types that a rebuild projects with; by default those of the process that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<BTreeMap<String, EventTypeSpec>>,
    /// Nothing is done; the plan is told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plan: bool,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Request {
    /// Asks for a verb with nothing but its defaults.
    pub fn new(verb: Verb) -> Self {
        Self {
            verb,
            generation: None,
            from: None,
            to: None,
            as_of: None,
            filter: Filter::default(),
            live_lag_ms: None,
            rate: None,
            allow_truncated: false,
            unverified: false,
            promote: false,
            force: false,
            event_types: None,
            plan: false,
            by: None,
            why: None,
        }
    }
}
