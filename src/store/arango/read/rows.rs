//! What the queries' rows say, in weir's own terms.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::graph::{Collection, EdgeKey};
use crate::store::{Failure, Remedy};

/// `[_key, ts, the other end]`.
#[derive(Debug, Deserialize)]
pub(super) struct TouchRow(pub String, pub i64, pub String);

#[derive(Debug, Deserialize)]
pub(super) struct OfItem {
    pub item: String,
    pub touches: Vec<TouchRow>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AroundMoment {
    pub user: String,
    pub at: i64,
    pub touches: Vec<TouchRow>,
}

/// `[item, touches]`.
#[derive(Debug, Deserialize)]
pub(super) struct Count(pub String, pub u32);

#[derive(Debug, Deserialize)]
pub(super) struct ItemRow {
    pub key: String,
    pub id: String,
    pub attrs: Option<Map<String, Value>>,
}

/// `[_key, ts, _to, eventId, source, value]`.
#[derive(Debug, Deserialize)]
pub(super) struct EntryRow(
    pub String,
    pub i64,
    pub String,
    pub String,
    pub String,
    pub Option<f64>,
);

pub(super) fn edge_key(text: &str) -> Result<EdgeKey, Failure> {
    EdgeKey::from_text(text).ok_or_else(|| foreign("an edge has the key", text))
}

/// The encoded key in `users/<key>`.
pub(super) fn user_key(handle: &str) -> Result<&str, Failure> {
    end_in(Collection::USERS, handle)
}

/// The encoded key in `items/<key>`.
pub(super) fn item_key(handle: &str) -> Result<&str, Failure> {
    end_in(Collection::ITEMS, handle)
}

fn end_in<'h>(collection: &str, handle: &'h str) -> Result<&'h str, Failure> {
    let key = handle.strip_prefix(collection).and_then(|rest| rest.strip_prefix('/'));
    key.ok_or_else(|| foreign("an edge ends at", handle))
}

fn foreign(what: &str, text: &str) -> Failure {
    Failure {
        remedy: Remedy::Stop,
        code: "foreign_document".to_owned(),
        text: format!(
            "{what} `{text}`, which weir does not write; let nobody else write to its databases, and rebuild"
        ),
    }
}
