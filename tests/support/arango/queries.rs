//! Answers the shipped AQL texts: one plain function a text, over the stored documents.
//!
//! A text that is not here is not answered (501), so a changed text needs a changed function.

use serde_json::Value;

use super::state::{Collections, Documents};

/// Why a query failed, as the server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AqlError {
    pub number: u32,
    pub message: String,
}

pub type Rows = Result<Vec<Value>, AqlError>;

type Query = fn(&Value, &Collections<'_>) -> Rows;

/// Every text that is answered. The first one is for the check with a foreign client.
const QUERIES: &[(&str, Query)] = &[
    ("FOR d IN @@collection SORT d._key LIMIT @limit RETURN d", all_by_key),
    (weir::store::arango::aql::SCAN, scan_page),
];

/// Answers a query; `None` if its text is not known.
pub fn evaluate(text: &str, binds: &Value, collections: &Collections<'_>) -> Option<Rows> {
    let (_, query) = QUERIES.iter().find(|(known, _)| *known == text)?;
    Some(query(binds, collections))
}

/// Tells whether a text is answered at all.
pub fn known(text: &str) -> bool {
    QUERIES.iter().any(|(known, _)| *known == text)
}

/// The documents of the collection that a bind parameter names.
pub fn bound<'a>(
    binds: &Value,
    name: &str,
    collections: &'a Collections<'_>,
) -> Result<&'a Documents, AqlError> {
    let collection = binds[name].as_str().ok_or_else(|| AqlError {
        number: 1553,
        message: format!("bind parameter '{name}' has an invalid value or type"),
    })?;
    collections.get(collection).ok_or_else(|| AqlError {
        number: 1203,
        message: format!("collection or view not found: {collection}"),
    })
}

fn all_by_key(binds: &Value, collections: &Collections<'_>) -> Rows {
    let limit = binds["limit"].as_u64().unwrap_or(u64::MAX) as usize;
    let documents = bound(binds, "@collection", collections)?;
    Ok(documents.values().take(limit).cloned().collect())
}

fn scan_page(binds: &Value, collections: &Collections<'_>) -> Rows {
    let after = binds["after"].as_str().unwrap_or_default();
    let most = binds["most"].as_u64().unwrap_or(0) as usize;
    let documents = bound(binds, "@collection", collections)?;
    let behind = documents.iter().filter(|(key, _)| key.as_str() > after);
    Ok(behind.take(most).map(|(_, document)| document.clone()).collect())
}
