//! Answers the shipped AQL texts: reads what a text says, and computes it over the stored documents.
//!
//! Only the part of AQL is known that the texts need, and strictly: what a text must not hold does not
//! parse. A text that is not shipped is not answered (501).

mod parse;
mod run;
mod tokens;

use serde_json::Value;
use weir::store::arango::aql;

use super::state::{Collections, Documents};
pub use parse::parse;
pub use tokens::{Token, tokens};

/// Why a query failed, as the server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AqlError {
    pub number: u32,
    pub message: String,
}

pub type Rows = Result<Vec<Value>, AqlError>;

/// For the check with a foreign client.
const FOREIGN: &str = "FOR d IN @@collection SORT d._key LIMIT @limit RETURN d";

/// Answers a query; `None` if its text is not shipped.
pub fn evaluate(text: &str, binds: &Value, collections: &Collections<'_>) -> Option<Rows> {
    known(text).then(|| {
        let query = parse(text).map_err(|message| AqlError { number: 1501, message })?;
        run::Run::new(binds, collections).query(&query)
    })
}

/// Tells whether a text is answered at all.
pub fn known(text: &str) -> bool {
    text == FOREIGN || aql::ALL.iter().any(|(_, shipped, _)| *shipped == text)
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
