//! Google Retail's user events, as its API takes them.

use serde_json::{Map, Value};

use super::of_line;
use super::pick::{amount, first, keep, line, lines, look, object, put_items, set, worth};
use crate::event::types::normalise_name;

/// Writes a user event with our own names.
pub(super) fn rewrite(mut from: Map<String, Value>) -> Map<String, Value> {
    let mut event = Map::new();
    let mut info = object(&mut from, "userInfo");
    let known = first(&mut info, &["userId"]);
    let visitor = first(&mut from, &["visitorId", "userId"]);
    set(&mut event, "userId", known.or(visitor));
    let kind = first(&mut from, &["eventType"]);
    // What a search lists is not what anybody looked at.
    let is_search =
        kind.as_ref().and_then(Value::as_str).is_some_and(|kind| normalise_name(kind) == "search");
    set(&mut event, "eventType", kind);
    set(&mut event, "eventId", first(&mut from, &["eventId", "messageId"]));
    set(&mut event, "timestamp", first(&mut from, &["eventTime", "timestamp"]));
    set(&mut event, "source", first(&mut from, &["source"]));
    let mut transaction = object(&mut from, "purchaseTransaction");
    set(&mut event, "value", worth(&transaction, &["revenue"]));
    if let Some(number) = first(&mut transaction, &["id"]) {
        event.insert("eventId".to_owned(), number);
    }
    if let Some(Value::Array(details)) = first(&mut from, &["productDetails"]) {
        if !is_search {
            put_items(&mut event, lines(&details, self::detail));
        }
        keep(&mut from, "productDetails", details);
    }
    if !info.is_empty() {
        // Under the name that addresses have elsewhere, so that the same rules find it.
        let address = first(&mut info, &["ipAddress"]);
        set(&mut info, "ip", address);
        event.insert("context".to_owned(), Value::Object(info));
    }
    if !transaction.is_empty() {
        from.insert("purchaseTransaction".to_owned(), Value::Object(transaction));
    }
    if !from.is_empty() {
        event.insert("properties".to_owned(), Value::Object(from));
    }
    event
}

/// Where a client wrote what we have at this pointer.
pub(super) fn origin(pointer: &str) -> Option<String> {
    let own = match pointer {
        "/itemId" | "/items" => "/productDetails",
        "/userId" => "/visitorId",
        "/timestamp" => "/eventTime",
        "/properties" => "",
        _ => return of_line(pointer, "/productDetails", "product/id"),
    };
    Some(own.to_owned())
}

fn detail(detail: &Map<String, Value>) -> Value {
    let mut product = detail.get("product").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut priced = object(&mut product, "priceInfo");
    set(&mut priced, "quantity", detail.get("quantity").cloned());
    line(look(&product, &["id"]).or_else(|| last_part(&product)), amount(&priced))
}

/// A product may be named whole: `projects/…/products/<id>`.
fn last_part(product: &Map<String, Value>) -> Option<Value> {
    let name = product.get("name")?.as_str()?;
    name.rsplit('/').next().map(Value::from)
}
