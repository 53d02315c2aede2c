//! One canonical encoding of a document's body, and its hash.
//!
//! A tagged binary form of JSON: `0` null, `1` false, `2` true, `3` and eight bytes (an f64, big
//! endian, without a negative zero), `4` a string, `5` an array, `6` an object with sorted keys.
//! Strings, arrays and objects carry a u32 length. Tags are never used twice.

use serde_json::Value;

use super::put::{Body, Edge};
use super::{Collection, encode_id};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NUMBER: u8 = 3;
const STRING: u8 = 4;
const ARRAY: u8 = 5;
const OBJECT: u8 = 6;

/// BLAKE3 of a body's canonical encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// Of a body in its JSON form, whoever wrote it.
    pub fn of_json(body: &Value) -> Self {
        let mut encoded = Vec::with_capacity(256);
        canonical_json(body, &mut encoded);
        Self(*blake3::hash(&encoded).as_bytes())
    }

    /// The first eight bytes as a number, evenly distributed.
    pub fn prefix(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Encodes any JSON value; all numbers are taken as f64.
pub fn canonical_json(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Number(value) => number(value.as_f64().unwrap_or(f64::NAN), out),
        Value::String(value) => string(&[value], out),
        Value::Array(values) => {
            begin(ARRAY, values.len(), out);
            values.iter().for_each(|value| canonical_json(value, out));
        }
        Value::Object(map) => object(map, out),
    }
}

/// Encodes a body exactly as [`canonical_json`] would encode its JSON form.
pub(super) fn canonical_body(body: &Body<'_>, out: &mut Vec<u8>) {
    match body {
        Body::Vertex { id, attrs } => {
            begin(OBJECT, 1 + usize::from(attrs.is_some()), out);
            if let Some(attrs) = attrs {
                key("attrs", out);
                object(attrs, out);
            }
            key("id", out);
            string(&[id], out);
        }
        Body::Edge(edge) => canonical_edge(edge, out),
        Body::Tombstone { user, item } => {
            begin(OBJECT, 4, out);
            ends(user, item, out);
            key("retracted", out);
            out.push(TRUE);
            key("ts", out);
            out.push(NULL);
        }
    }
}

fn canonical_edge(edge: &Edge<'_>, out: &mut Vec<u8>) {
    begin(OBJECT, 5 + usize::from(edge.value.is_some()), out);
    ends(edge.user, edge.item, out);
    key("eventId", out);
    string(&[edge.event_id], out);
    key("source", out);
    string(&[edge.source], out);
    key("ts", out);
    number(edge.at_ms as f64, out);
    if let Some(value) = edge.value {
        key("value", out);
        number(value, out);
    }
}

fn ends(user: &str, item: &str, out: &mut Vec<u8>) {
    key("_from", out);
    string(&[Collection::USERS, "/", &encode_id(user)], out);
    key("_to", out);
    string(&[Collection::ITEMS, "/", &encode_id(item)], out);
}

/// serde_json's map is sorted by key here: nothing turns on its `preserve_order`.
fn object(map: &serde_json::Map<String, Value>, out: &mut Vec<u8>) {
    begin(OBJECT, map.len(), out);
    for (name, value) in map {
        key(name, out);
        canonical_json(value, out);
    }
}

fn begin(tag: u8, length: usize, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(length as u32).to_be_bytes());
}

fn key(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(name.len() as u32).to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

fn string(parts: &[&str], out: &mut Vec<u8>) {
    begin(STRING, parts.iter().map(|part| part.len()).sum(), out);
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

fn number(value: f64, out: &mut Vec<u8>) {
    out.push(NUMBER);
    let value = if value == 0.0 { 0.0 } else { value };
    out.extend_from_slice(&value.to_bits().to_be_bytes());
}
