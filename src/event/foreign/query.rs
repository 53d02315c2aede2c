//! An event as the query of an address.

use serde_json::{Map, Number, Value};

use crate::event::fields::{Field, field_of};
use crate::event::issue::Issue;

/// Parameters that are about the request and not the event.
const OF_THE_REQUEST: [&str; 2] = ["key", "api_secret"];

/// Reads a query, percent-decoded; every value is a text, but `value`.
pub(in crate::event) fn from_query(query: &str) -> Result<Map<String, Value>, Issue> {
    if percent_encoding::percent_decode_str(query).decode_utf8().is_err() {
        return Err(Issue::new("", "invalid_attribute", "the query is not percent-encoded UTF-8"));
    }
    let mut event = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if OF_THE_REQUEST.contains(&&*name) || name.is_empty() {
            continue;
        }
        let number = || value.trim().parse().ok().and_then(Number::from_f64).map(Value::Number);
        let value = match field_of(&name) {
            Some((Field::Value, _)) => number().unwrap_or_else(|| Value::from(&*value)),
            Some((
                Field::Properties | Field::Lines | Field::Context | Field::ReceivedFrom,
                pointer,
            )) => {
                return Err(Issue::new(
                    pointer,
                    "invalid_type",
                    "cannot be told in a query: send it by POST",
                ));
            }
            _ => Value::from(&*value),
        };
        if event.insert(name.into_owned(), value).is_some() {
            return Err(Issue::new("", "duplicate_key", "a parameter stands there twice"));
        }
    }
    Ok(event)
}
