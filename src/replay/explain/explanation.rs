//! Why a document is in the graph: the answer, as machines read it. Pure.

use serde::Serialize;
use serde_json::Value;

use crate::graph::{Class, Version};

/// What the log says of the documents that were asked about.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The log's epoch.
    pub epoch: String,
    /// The first sequence that the log holds.
    pub first_sequence: u64,
    /// Through this sequence (inclusive) the log was read.
    pub through: u64,
    /// Messages that were read, and how many of them are no events.
    pub read: u64,
    pub undecodable: u64,
    /// Sequences at which the log holds nothing: what stood there may have made the documents, too.
    pub missing: u64,
    /// In the order in which the log made them.
    pub documents: Vec<Explained>,
    /// Documents beyond `limits::EXPLAIN_DOCUMENTS`, which are only counted.
    pub more_documents: u64,
}

/// One document, as the log makes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    pub collection: String,
    pub key: String,
    /// `bare`, `edge`, `tombstone` or `profile`.
    pub class: &'static str,
    pub version: u64,
    pub body: Value,
    /// Events that put it, of which `events` are the newest and the one that decides.
    pub total: u64,
    /// In the order of the log.
    pub events: Vec<Step>,
}

/// One event that put a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub sequence: u64,
    /// When the log stored it, RFC 3339.
    pub stream_time: String,
    /// When it happened, RFC 3339.
    pub event_time: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub event_id: String,
    pub source: String,
    /// The class of what it put, as of a document.
    pub class: &'static str,
    pub version: u64,
    /// Whether the document is as this event says. Of several that say the same, the first.
    pub decides: bool,
}

impl Explanation {
    /// Whether the log has lost its beginning, or something in between.
    pub fn is_truncated(&self) -> bool {
        self.missing > 0
    }
}

/// The name of a version's class.
pub(super) fn class(version: Version) -> &'static str {
    match version.class() {
        Class::Bare => "bare",
        Class::Edge => "edge",
        Class::Tombstone => "tombstone",
        Class::Profile => "profile",
    }
}
