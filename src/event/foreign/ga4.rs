//! GA4's events, as its Measurement Protocol takes them.

use serde_json::{Map, Value};

use super::of_line;
use super::pick::{amount, first, keep, line, lines, look, object, put_items, set, worth};
use crate::event::types::normalise_name;

/// Writes one event of an envelope with our own names; `shared` is what the envelope says of all.
pub(super) fn rewrite(
    mut ga4: Map<String, Value>,
    shared: &Map<String, Value>,
) -> Map<String, Value> {
    let mut shared = shared.clone();
    let mut event = Map::new();
    // A person who is known goes before the browser or the app.
    let user = first(&mut shared, &["user_id", "userId", "client_id", "app_instance_id"]);
    set(&mut event, "userId", user);
    let own = first(&mut ga4, &["timestamp_micros"]);
    set(
        &mut event,
        "timestamp",
        own.or_else(|| first(&mut shared, &["timestamp_micros"])).map(micros),
    );
    let name = first(&mut ga4, &["name"]);
    let kind = name.as_ref().and_then(Value::as_str).map(normalise_name).unwrap_or_default();
    set(&mut event, "eventType", name);
    let mut params = object(&mut ga4, "params");
    let number = look(&params, &["transaction_id"]);
    match kind.as_str() {
        "purchase" => set(&mut event, "eventId", number),
        "refund" => set(&mut event, "retracts", number),
        _ => {}
    }
    set(&mut event, "value", worth(&params, &["value"]));
    if let Some(Value::Array(items)) = first(&mut params, &["items"]) {
        put_items(&mut event, lines(&items, item));
        keep(&mut params, "items", items);
    }
    let of_user = object(&mut shared, "user_properties");
    if !of_user.is_empty() {
        let context = Map::from_iter([("userProperties".to_owned(), Value::Object(of_user))]);
        event.insert("context".to_owned(), Value::Object(context));
    }
    if !params.is_empty() {
        event.insert("properties".to_owned(), Value::Object(params));
    }
    event
}

/// Where a client wrote what we have at this pointer.
pub(super) fn origin(pointer: &str) -> Option<String> {
    let own = match pointer {
        "/eventType" => "/name",
        "/itemId" | "/items" => "/params/items",
        "/retracts" => "/params/transaction_id",
        "/timestamp" => "/timestamp_micros",
        "/properties" => "/params",
        _ => return of_line(pointer, "/params/items", "item_id"),
    };
    Some(own.to_owned())
}

/// Microseconds may come as text.
fn micros(value: Value) -> Value {
    match value.as_str().and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(number) => number.into(),
        None => value,
    }
}

fn item(item: &Map<String, Value>) -> Value {
    line(look(item, &["item_id", "id"]), amount(item))
}
