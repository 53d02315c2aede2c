//! Puts as the documents that ArangoDB gets: straight into bytes, nothing in between.

use std::io::Write;

use crate::graph::{Body, Collection, Edge, Key, Put, encode_id};

/// Appends a put as a JSON object: its body with `_key` and `version`, which every document must have.
pub fn encode(put: &Put<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"_key\":\"");
    // Keys are letters, digits, `_`, `-` and `=`: nothing to escape.
    match &put.key {
        Key::Vertex(id) => out.extend_from_slice(encode_id(id).as_bytes()),
        Key::Edge(key) => key.with_text(|text| out.extend_from_slice(text.as_bytes())),
    }
    out.extend_from_slice(b"\",\"version\":");
    write_json(&put.version.0, out);
    match &put.body {
        Body::Vertex { id, attrs } => {
            field("id", *id, out);
            if let Some(attrs) = attrs {
                field("attrs", *attrs, out);
            }
        }
        Body::Tombstone { user, item } => {
            ends(user, item, out);
            out.extend_from_slice(b",\"ts\":null,\"retracted\":true");
        }
        Body::Edge(edge) => encode_edge(edge, out),
    }
    out.push(b'}');
}

fn encode_edge(edge: &Edge<'_>, out: &mut Vec<u8>) {
    ends(edge.user, edge.item, out);
    field("ts", &edge.at_ms, out);
    field("eventId", edge.event_id, out);
    field("source", edge.source, out);
    if let Some(value) = edge.value {
        field("value", &value, out);
    }
}

fn ends(user: &str, item: &str, out: &mut Vec<u8>) {
    for (name, collection, id) in
        [("_from", Collection::USERS, user), ("_to", Collection::ITEMS, item)]
    {
        write!(out, ",\"{name}\":\"{collection}/").expect("a vector takes every write");
        out.extend_from_slice(encode_id(id).as_bytes());
        out.push(b'"');
    }
}

fn field<T: serde::Serialize + ?Sized>(name: &str, value: &T, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_json(value, out);
}

fn write_json<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a vector takes every write, and keys are texts");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::event::TypeIndex;
    use crate::graph::{EdgeKey, Version};

    fn encoded(put: &Put<'_>) -> String {
        let mut out = Vec::new();
        encode(put, &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    fn assert_like_the_body(put: &Put<'_>) {
        let mut expected = put.body.to_json();
        expected["_key"] = put.key.text().into();
        expected["version"] = put.version.0.into();
        let text = encoded(put);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value, expected, "{text}");
        // Equal texts of sorted keys tell -0.0 from 0.0 and 4 from 4.0.
        assert_eq!(value.to_string(), expected.to_string());
        let names = text.matches("\"_key\":").count();
        assert!(names >= 1 && text.starts_with("{\"_key\":\""), "{text}");
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{1,40}",
            "[a-zA-Z][a-z0-9_-]{0,20}",
            "[\\x00-\\x7f\"\\\\/\u{2028}é😀]{1,20}"
        ]
    }

    fn attrs() -> impl Strategy<Value = Map<String, Value>> {
        let number = prop_oneof![
            any::<f64>().prop_filter("JSON", |v| v.is_finite()).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(json!(-0.0)),
            Just(json!(9_007_199_254_740_992u64)),
        ];
        let leaf = prop_oneof![
            number,
            text().prop_map(Value::from),
            Just(Value::Null),
            any::<bool>().prop_map(Value::from)
        ];
        let value = leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text(), inner, 0..4).prop_map(Value::from_iter),
            ]
        });
        prop::collection::btree_map(text(), value, 0..5).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_document_is_the_body_with_key_and_version(
            user in text(), item in text(), event_id in text(), source in text(), attrs in attrs(),
            at_ms in 631_152_000_000i64..3_155_760_000_000, version in any::<u64>(),
            value in prop::option::of(prop_oneof![any::<f64>().prop_filter("JSON", |v| v.is_finite()), Just(-0.0), Just(4.0), Just(1e300)]),
        ) {
            let (user, item, event_id, source) = (user.as_str(), item.as_str(), event_id.as_str(), source.as_str());
            let edge = Edge { user, item, at_ms, event_id, source, value };
            assert_like_the_body(&Put::edge(TypeIndex(7), "rated", edge));
            let key = EdgeKey::new(event_id, source, "rated", user, item);
            assert_like_the_body(&Put::tombstone(TypeIndex(7), key, user, item));
            assert_like_the_body(&Put::bare_user(user));
            assert_like_the_body(&Put::profile(Collection::Items, item, &attrs, at_ms));
            assert_like_the_body(&Put::stored_vertex(Collection::Items, item, Some((&attrs, Version(version)))));
        }
    }

    #[test]
    fn the_form_of_what_is_sent_does_not_change() {
        let edge = Edge {
            user: "u:1",
            item: "i1",
            at_ms: 1_700_000_000_000,
            event_id: "e\"\n",
            source: "shop",
            value: Some(4.0),
        };
        assert_eq!(
            encoded(&Put::edge(TypeIndex(7), "rated", edge))
                .replace(&Put::edge(TypeIndex(7), "rated", edge).key.text()[..], "KEY"),
            format!(
                r#"{{"_key":"KEY","version":{},"_from":"users/=bdTox","_to":"items/i1","ts":1700000000000,"eventId":"e\"\n","source":"shop","value":4.0}}"#,
                Put::edge(TypeIndex(7), "rated", edge).version.0
            )
        );
        assert_eq!(encoded(&Put::bare_item("i1")), r#"{"_key":"i1","version":0,"id":"i1"}"#);
    }
}
