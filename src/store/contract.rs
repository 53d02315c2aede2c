//! The contract that every store keeps, and what it says of puts and reads.

use std::future::Future;

use serde_json::{Map, Value};

use crate::event::TypeIndex;
use crate::graph::{EdgeKey, Put, Version};
use crate::recommend::{ItemOptions, Options};

/// A graph of users and items under the one merge rule.
///
/// - `apply` replaces a document only if the put's version is greater, and is durable (as far as the
///   store ever is) when it returns: a read that begins afterwards sees it. Any order and any
///   repetition of puts gives the same graph. It never fails as a whole: each put gets a verdict.
/// - Reads see whole puts, filter what was taken back before they limit, and are computed from the
///   set of documents alone, so two stores that hold the same documents give the same answers.
/// - A scan visits every document once; one that runs beside writes may or may not see those.
///
/// Every implementation passes the conformance suite.
pub trait Store: Clone + Send + Sync + 'static {
    /// Applies puts in their order (vertices stand before the edges that need them) and returns one
    /// verdict a put, in the same order. Puts of one document should be coalesced before.
    fn apply(&self, puts: &[Put<'_>]) -> impl Future<Output = Vec<Verdict>> + Send;

    /// Calls `each` with every document, in no particular order.
    fn scan(
        &self,
        each: &mut (dyn FnMut(Document) + Send),
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Recommends items for a user, known or not; see [`crate::recommend::for_user`].
    fn for_user(
        &self,
        user: &str,
        options: &Options<'_>,
    ) -> impl Future<Output = Result<Vec<Recommended>, Failure>> + Send;

    /// Tells what the users of an item met too; see [`crate::recommend::for_item`].
    fn for_item(
        &self,
        item: &str,
        options: &ItemOptions<'_>,
    ) -> impl Future<Output = Result<Vec<Recommended>, Failure>> + Send;

    /// Returns the newest entries of a user's history before a place.
    fn history(
        &self,
        user: &str,
        question: &HistoryQuestion,
    ) -> impl Future<Output = Result<HistoryPage, Failure>> + Send;
}

/// What became of one put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The store holds it now.
    Applied,
    /// The store holds this or a greater version already.
    Superseded,
    /// The store does not hold it, as far as is known.
    Failed(Failure),
}

impl Verdict {
    /// Tells whether the store holds the put or a greater one.
    pub fn holds(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

/// Why a store did not do what it was asked, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    pub remedy: Remedy,
    /// A stable tag, for metrics and parked entries: `arango_1200`, `http_503`, `unreachable`, …
    pub code: String,
    /// For a person; never holds a secret.
    pub text: String,
}

/// What helps after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// This one met another; the same again, soon.
    Retry,
    /// The store is overloaded, starting, electing or away: the same again, later, and less at once.
    BackOff,
    /// This document can never be stored.
    Park,
    /// The configuration is wrong, or weir is: nothing works before somebody changes something.
    Stop,
}

/// A document as it is scanned.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The collection's name.
    pub collection: String,
    /// The encoded key.
    pub key: String,
    pub version: Version,
    /// As [`crate::graph::Body::to_json`] gives it.
    pub body: Value,
}

/// One recommended item.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommended {
    pub item_id: String,
    /// Comparable within one answer.
    pub score: f64,
    pub attrs: Option<Map<String, Value>>,
    /// The items that led to this one; empty for what is only popular.
    pub because: Vec<String>,
    /// True if the item fills the answer because many touch it.
    pub popular: bool,
    /// How many users have both, where the question was for an item.
    pub support: Option<u32>,
}

/// Asks for a part of a user's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryQuestion {
    /// One interaction type, or all.
    pub of: Option<TypeIndex>,
    pub before: Option<HistoryCursor>,
    /// Most entries (inclusive), from 1.
    pub limit: usize,
}

/// One event in a user's history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    pub event_id: String,
    pub item: String,
    pub event_type: TypeIndex,
    pub at_ms: i64,
    pub source: String,
    pub value: Option<f64>,
    pub key: EdgeKey,
}

/// A place in a history. The entries behind it are older, or of the same moment with a smaller key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryCursor {
    pub at_ms: i64,
    /// Absent: everything before the moment.
    pub key: Option<EdgeKey>,
}

/// A part of a history and the place where the next one begins, if there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    pub entries: Vec<HistoryEntry>,
    pub next: Option<HistoryCursor>,
}
