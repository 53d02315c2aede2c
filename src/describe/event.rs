//! The schemas of what producers send, from the table of fields.

use serde_json::{Map, Value, json};

use super::components::Components;
use super::examples::Example;
use crate::event::{EventTypes, FIELD_NAMES};
use crate::limits::{ID_BYTES, ORDER_LINES};

/// An id has no control characters.
pub const ID_PATTERN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";

/// Names the schemas `Event`, `Events`, `Envelope`, `CloudEvent` and `CloudEvents`.
pub fn put_event_schemas(types: &EventTypes, components: &mut Components) {
    components.put("Event", event(types));
    components.put("Events", several("Event", "Several events; each is valid or not for itself."));
    components.put("Envelope", envelope());
    components.put("CloudEvent", cloud_event(types));
    components.put("CloudEvents", several("CloudEvent", "A batch of CloudEvents."));
}

fn several(of: &str, text: &str) -> Value {
    let each = format!("#/components/schemas/{of}");
    json!({ "description": text, "type": "array", "items": { "$ref": each } })
}

/// The event of a message, whose subject says the type already.
pub(super) fn message_schema(types: &EventTypes) -> Value {
    let mut schema = event(types);
    schema.as_object_mut().map(|schema| schema.remove("anyOf"));
    schema
}

/// An object that holds several events.
fn envelope() -> Value {
    let lists = ["events", "batch", "userEvents"];
    let list = json!({ "type": "array", "items": { "type": "object" } });
    let properties: Map<String, Value> =
        lists.iter().map(|name| ((*name).to_owned(), list.clone())).collect();
    json!({
        "description": "Several events, as other collectors' clients send them: GA4's Measurement Protocol \
            (events), Segment (batch), Google Retail (userEvents).",
        "type": "object",
        "properties": properties,
        "anyOf": lists.map(|name| json!({ "required": [name] })),
    })
}

fn event(types: &EventTypes) -> Value {
    let mut properties = Map::new();
    for names in FIELD_NAMES {
        let first = names[0];
        properties.insert(first.to_owned(), field(first, types));
        for alias in &names[1..] {
            let mut schema = field(first, types);
            schema["description"] = format!("Another name of {first}.").into();
            properties.insert((*alias).to_owned(), schema);
        }
    }
    let examples: Vec<Value> =
        Example::events(types).into_iter().map(|example| example.value).collect();
    json!({
        "description": "One event. A field has several names; two of them with different values are \
            refused (conflicting_alias). Null is the same as absent, and unknown fields become \
            properties. An interaction has userId and itemId or items, a retraction retracts too, \
            a profile its one id.",
        "type": "object",
        "properties": properties,
        "anyOf": names_of("eventType").iter().map(|name| json!({ "required": [name] })).collect::<Vec<_>>(),
        "examples": examples,
    })
}

fn names_of(first: &str) -> &'static [&'static str] {
    FIELD_NAMES.into_iter().find(|names| names[0] == first).unwrap_or_default()
}

/// The schema of a field by the name that weir writes.
fn field(name: &str, types: &EventTypes) -> Value {
    match name {
        "userId" => id("Whom the event is of."),
        "itemId" => id("What it is about."),
        "eventId" => {
            id("Makes the event the same event when it is sent again; a UUIDv7 if absent.")
        }
        "source" => id("The line of business; `default` if absent."),
        "retracts" => id("Of a retraction: the id of the event that is taken back."),
        "items" => lines(),
        "eventType" => event_type(types),
        "timestamp" => json!({
            "description": "When it happened: RFC 3339, or an epoch in s, ms or µs, told apart by its \
                magnitude; from 1990 to 2069. The time of arrival if absent.",
            "type": ["string", "number", "null"],
        }),
        "value" => json!({
            "description": "What it is worth: a price, a rating.", "type": ["number", "null"],
        }),
        "receivedAt" => json!({
            "description": "When weir received it, in ms since 1970; the gateway writes it.",
        }),
        "schemaVersion" => json!({
            "description": "The schema of the event; 1 if absent.",
            "type": ["integer", "null"], "minimum": 1,
        }),
        "properties" => object("Whatever else there is to say, bounded in depth, keys and bytes."),
        "context" => object("What is known of how it was sent."),
        "receivedFrom" => object("From whom weir received it; the gateway writes it."),
        other => unreachable!("the field {other} has no schema"),
    }
}

fn id(text: &str) -> Value {
    json!({
        "description": format!("{text} 1 to {ID_BYTES} bytes without control characters; integers are taken as text."),
        "type": ["string", "integer", "null"], "minLength": 1, "maxLength": ID_BYTES,
        "pattern": ID_PATTERN,
    })
}

fn object(text: &str) -> Value {
    json!({ "description": text, "type": ["object", "null"] })
}

fn lines() -> Value {
    let mut line = Map::new();
    for name in names_of("itemId") {
        line.insert((*name).to_owned(), id("The item."));
    }
    line.insert("value".to_owned(), json!({ "type": ["number", "null"] }));
    json!({
        "description": "The lines of an order, instead of itemId; each becomes an edge.",
        "type": ["array", "null"], "maxItems": ORDER_LINES,
        "items": { "type": "object", "properties": line },
    })
}

fn event_type(types: &EventTypes) -> Value {
    let names: Vec<&str> = types.iter().map(|(_, spec)| spec.name.as_str()).collect();
    json!({
        "description": format!(
            "What happened; case, spaces, - and _ do not matter. Configured here: {}. The names of GA4, \
             Segment and Google Retail for these are taken too.",
            names.join(", ")
        ),
        "type": ["string", "null"], "examples": names,
    })
}

fn cloud_event(types: &EventTypes) -> Value {
    let text = |text: &str| json!({ "description": text, "type": "string", "minLength": 1 });
    json!({
        "description": "CloudEvents 1.0, structured: id, source, time and type are those of the event, \
            subject the item where data names none.",
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": text("The event's id."),
            "source": text("The event's source."),
            "type": text("The event type, whole or by its last part (com.shop.viewed)."),
            "time": { "type": "string", "format": "date-time" },
            "subject": text("The item."),
            "datacontenttype": { "type": "string" },
            "data": { "type": "object" },
        },
        "examples": [{
            "specversion": "1.0", "id": "01JD3ZK5T0Q9", "source": "shop", "time": "2026-11-28T12:00:00Z",
            "type": Example::interaction(types)["eventType"], "subject": "i456", "data": { "userId": "u789" },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_every_field_is_a_property() {
        let schema = event(&EventTypes::builtin());
        for name in FIELD_NAMES.into_iter().flatten() {
            let property = &schema["properties"][*name];
            assert!(property["description"].is_string(), "{name}");
        }
        assert_eq!(schema["anyOf"].as_array().map(Vec::len), Some(5));
    }
}
