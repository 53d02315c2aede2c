//! The JSON form of a recorded event: the one that the log holds.
//!
//! Keys are in one fixed order with `receivedAt` and `receivedFrom` last, so that everything before it is the event's
//! canonical payload: the same event received twice differs only behind it.

use std::io::Write;

use super::{Event, EventTypes, Id, ReceivedFrom};

/// Appends the event as JSON and returns the length of its canonical part, in bytes.
///
/// The canonical part is everything but what the gateway adds and the closing brace.
pub fn write_event(event: &Event<'_>, types: &EventTypes, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(b"{\"eventId\":");
    text(out, event.id.as_str());
    if !event.context.is_empty() {
        out.extend_from_slice(b",\"context\":");
        serde_json::to_writer(&mut *out, &event.context).expect("a vector takes every write");
    }
    field(out, "eventType", &types.spec(event.event_type).name);
    if let Some(item) = &event.item {
        field(out, "itemId", item.as_str());
    }
    if !event.lines.is_empty() {
        lines(event, out);
    }
    if !event.properties.is_empty() {
        out.extend_from_slice(b",\"properties\":");
        serde_json::to_writer(&mut *out, &event.properties).expect("a vector takes every write");
    }
    id_field(out, "retracts", event.retracts.as_ref());
    if event.schema > 1 {
        write!(out, ",\"schemaVersion\":{}", event.schema).expect("a vector takes every write");
    }
    field(out, "source", event.source.as_str());
    write!(out, ",\"timestamp\":{}", event.at.ms()).expect("a vector takes every write");
    id_field(out, "userId", event.user.as_ref());
    value_field(out, event.value);
    let canonical = out.len() - start;
    if let Some(received) = event.received_ms {
        write!(out, ",\"receivedAt\":{received}").expect("a vector takes every write");
    }
    if let Some(from) = &event.received_from {
        received_from(out, from);
    }
    out.push(b'}');
    canonical
}

fn received_from(out: &mut Vec<u8>, from: &ReceivedFrom) {
    out.extend_from_slice(b",\"receivedFrom\":{");
    let begin = out.len();
    for (name, value) in [("ip", &from.ip), ("key", &from.key)] {
        if let Some(value) = value {
            field(out, name, value);
        }
    }
    if from.bot {
        out.extend_from_slice(b",\"bot\":true");
    }
    if out.len() > begin {
        // The first has no comma before it.
        out.remove(begin);
    }
    out.push(b'}');
}

fn lines(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"items\":[");
    for (index, line) in event.lines.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"itemId\":" } else { b",{\"itemId\":" });
        text(out, line.item.as_str());
        value_field(out, line.value);
        out.push(b'}');
    }
    out.push(b']');
}

fn value_field(out: &mut Vec<u8>, value: Option<f64>) {
    if let Some(value) = value {
        out.extend_from_slice(b",\"value\":");
        serde_json::to_writer(&mut *out, &value).expect("a vector takes every write");
    }
}

fn id_field(out: &mut Vec<u8>, name: &str, id: Option<&Id<'_>>) {
    if let Some(id) = id {
        field(out, name, id.as_str());
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    text(out, value);
}

/// Writes a JSON string; one without anything to escape is copied whole.
fn text(out: &mut Vec<u8>, value: &str) {
    if value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(&mut *out, value).expect("a vector takes every write");
    }
}
