//! Segment's calls, as its libraries send them (Spec: Track, Identify; Ecommerce v2).

use serde_json::{Map, Value};

use super::of_line;
use super::pick::{amount, first, keep, line, lines, look, object, put_items, set, worth};
use crate::event::issue::Issue;
use crate::event::types::normalise_name;

/// The kinds of calls there are.
pub(super) const CALLS: [&str; 6] = ["track", "identify", "page", "screen", "group", "alias"];

/// Writes a call with our own names.
pub(super) fn rewrite(mut call: Map<String, Value>) -> Result<Map<String, Value>, Issue> {
    let mut event = Map::new();
    set(&mut event, "userId", first(&mut call, &["userId", "user_id", "anonymousId"]));
    set(&mut event, "timestamp", first(&mut call, &["timestamp", "originalTimestamp", "sentAt"]));
    set(&mut event, "source", first(&mut call, &["source"]));
    let mut id = first(&mut call, &["messageId"]);
    let context = object(&mut call, "context");
    if !context.is_empty() {
        set(&mut event, "context", Some(Value::Object(context)));
    }
    let properties = match call.get("type").and_then(Value::as_str) {
        Some("identify") => {
            event.insert("eventType".to_owned(), "identify".into());
            object(&mut call, "traits")
        }
        Some("track") => {
            let name = first(&mut call, &["event"]);
            let order =
                name.as_ref().and_then(Value::as_str).map(normalise_name).unwrap_or_default();
            set(&mut event, "eventType", name);
            let mut properties = object(&mut call, "properties");
            let number = look(&properties, &["order_id"]);
            match order.as_str() {
                "order_completed" | "completed_order" => id = number.or(id),
                "order_refunded" | "order_cancelled" => set(&mut event, "retracts", number),
                _ => {}
            }
            let worth_by: &[&str] = if order == "product_reviewed" {
                &["rating"]
            } else {
                &["revenue", "total", "value"]
            };
            set(&mut event, "value", worth(&properties, worth_by));
            items(&mut event, &mut properties);
            properties
        }
        _ => {
            let detail = "is a call that tells of no item: send track, or identify for a profile";
            return Err(Issue::new("/type", "unsupported_call", detail));
        }
    };
    set(&mut event, "eventId", id);
    if !properties.is_empty() {
        event.insert("properties".to_owned(), Value::Object(properties));
    }
    Ok(event)
}

/// Merges what a batch says of the circumstances of all its calls into one of them, whose own words count more.
pub(super) fn share(call: &mut Map<String, Value>, shared: &Map<String, Value>) {
    let Some(Value::Object(shared)) = shared.get("context") else { return };
    match call.entry("context").or_insert(Value::Null) {
        Value::Object(own) => {
            for (key, value) in shared {
                own.entry(key).or_insert_with(|| value.clone());
            }
        }
        other if other.is_null() => *other = Value::Object(shared.clone()),
        _ => {}
    }
}

/// Where a client wrote what we have at this pointer.
pub(super) fn origin(pointer: &str) -> Option<String> {
    let own = match pointer {
        "/eventType" => "/event",
        "/itemId" => "/properties/product_id",
        "/items" => "/properties/products",
        "/retracts" => "/properties/order_id",
        _ => return of_line(pointer, "/properties/products", "product_id"),
    };
    Some(own.to_owned())
}

/// A product stands among the properties, or several in a list.
fn items(event: &mut Map<String, Value>, properties: &mut Map<String, Value>) {
    if let Some(Value::Array(products)) = properties.get("products").cloned() {
        properties.remove("products");
        put_items(event, lines(&products, product));
        keep(properties, "products", products);
        return;
    }
    set(event, "itemId", look(properties, &NAMES));
    if !event.contains_key("value") {
        set(event, "value", amount(properties));
    }
}

/// What products are called by, the best first.
const NAMES: [&str; 4] = ["product_id", "productId", "sku", "id"];

fn product(product: &Map<String, Value>) -> Value {
    line(look(product, &NAMES), amount(product))
}
