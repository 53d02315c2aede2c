//! Puts: what a projection asks a store to hold.

use std::cell::RefCell;

use serde_json::{Map, Value, json};

use super::canonical::{ContentHash, canonical_body};
use super::{EdgeKey, Key, Version, encode_id};
use crate::event::{EventTypes, TypeIndex};

/// A collection of documents: two of vertices, and one of edges an interaction type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    Users,
    Items,
    Edges(TypeIndex),
}

impl Collection {
    pub const USERS: &'static str = "users";
    pub const ITEMS: &'static str = "items";

    /// The collection's name. Edges must be of an interaction type of `types`.
    pub fn name(self, types: &EventTypes) -> &str {
        match self {
            Self::Users => Self::USERS,
            Self::Items => Self::ITEMS,
            Self::Edges(index) => types.collection(index).expect("edges belong to an interaction"),
        }
    }
}

/// An interaction as an edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge<'e> {
    pub user: &'e str,
    pub item: &'e str,
    /// Event time, milliseconds since the Unix epoch.
    pub at_ms: i64,
    pub event_id: &'e str,
    pub source: &'e str,
    pub value: Option<f64>,
}

/// What a document says. Ids are raw; keys appear only in the JSON form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Body<'e> {
    /// Without attributes a vertex is only known to exist.
    Vertex {
        id: &'e str,
        attrs: Option<&'e Map<String, Value>>,
    },
    Edge(Edge<'e>),
    /// An edge that was taken back.
    Tombstone {
        user: &'e str,
        item: &'e str,
    },
}

thread_local! {
    /// Canonical encodings are short-lived and frequent: one buffer a thread.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Body<'_> {
    pub fn content_hash(&self) -> ContentHash {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            canonical_body(self, scratch);
            ContentHash(*blake3::hash(scratch).as_bytes())
        })
    }

    /// The JSON form that a store keeps, without `_key` and `version`.
    pub fn to_json(&self) -> Value {
        let ends = |user: &str, item: &str| {
            (
                format!("{}/{}", Collection::USERS, encode_id(user)),
                format!("{}/{}", Collection::ITEMS, encode_id(item)),
            )
        };
        match *self {
            Self::Vertex { id, attrs: None } => json!({ "id": id }),
            Self::Vertex { id, attrs: Some(attrs) } => json!({ "id": id, "attrs": attrs }),
            Self::Tombstone { user, item } => {
                let (from, to) = ends(user, item);
                json!({ "_from": from, "_to": to, "ts": null, "retracted": true })
            }
            Self::Edge(edge) => {
                let (from, to) = ends(edge.user, edge.item);
                let mut body = json!({
                    "_from": from, "_to": to, "ts": edge.at_ms, "eventId": edge.event_id, "source": edge.source,
                });
                if let Some(value) = edge.value {
                    body["value"] = value.into();
                }
                body
            }
        }
    }
}

/// One document to hold, unless the store holds one of a greater or equal version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Put<'e> {
    pub collection: Collection,
    pub key: Key<'e>,
    pub version: Version,
    pub body: Body<'e>,
    /// The body's hash where making the version has needed it already.
    content: Option<ContentHash>,
}

impl<'e> Put<'e> {
    pub fn bare_user(id: &'e str) -> Self {
        Self::vertex(Collection::Users, id, None, Version::BARE, None)
    }

    pub fn bare_item(id: &'e str) -> Self {
        Self::vertex(Collection::Items, id, None, Version::BARE, None)
    }

    pub fn profile(
        collection: Collection,
        id: &'e str,
        attrs: &'e Map<String, Value>,
        at_ms: i64,
    ) -> Self {
        let content = Body::Vertex { id, attrs: Some(attrs) }.content_hash();
        Self::vertex(collection, id, Some(attrs), Version::profile(at_ms, &content), Some(content))
    }

    /// A vertex as a store holds it: bare, or with a profile's attributes and version.
    pub fn stored_vertex(
        collection: Collection,
        id: &'e str,
        profile: Option<(&'e Map<String, Value>, Version)>,
    ) -> Self {
        let version = profile.map_or(Version::BARE, |(_, version)| version);
        Self::vertex(collection, id, profile.map(|(attrs, _)| attrs), version, None)
    }

    pub fn edge(event_type: TypeIndex, type_name: &str, edge: Edge<'e>) -> Self {
        let body = Body::Edge(edge);
        let content = body.content_hash();
        let key = EdgeKey::new(edge.event_id, edge.source, type_name, edge.user, edge.item);
        Self {
            collection: Collection::Edges(event_type),
            key: Key::Edge(key),
            version: Version::edge(&content),
            body,
            content: Some(content),
        }
    }

    /// Takes back the edge with this key.
    pub fn tombstone(event_type: TypeIndex, key: EdgeKey, user: &'e str, item: &'e str) -> Self {
        Self {
            collection: Collection::Edges(event_type),
            key: Key::Edge(key),
            version: Version::TOMBSTONE,
            body: Body::Tombstone { user, item },
            content: None,
        }
    }

    fn vertex(
        collection: Collection,
        id: &'e str,
        attrs: Option<&'e Map<String, Value>>,
        version: Version,
        content: Option<ContentHash>,
    ) -> Self {
        Self {
            collection,
            key: Key::Vertex(id),
            version,
            body: Body::Vertex { id, attrs },
            content,
        }
    }

    pub fn content_hash(&self) -> ContentHash {
        self.content.unwrap_or_else(|| self.body.content_hash())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::canonical_json;
    use proptest::prelude::*;

    fn assert_one_encoding(body: &Body<'_>) {
        let (mut fast, mut general) = (Vec::new(), Vec::new());
        canonical_body(body, &mut fast);
        canonical_json(&body.to_json(), &mut general);
        assert_eq!(fast, general, "{body:?}");
        assert_eq!(body.content_hash(), ContentHash::of_json(&body.to_json()));
    }

    proptest! {
        #[test]
        fn the_fast_encoding_is_that_of_the_json_form(
            user in "\\PC{1,40}", item in "[a-z]{1,10}", event_id in "\\PC{1,40}", source in "[a-z]{1,8}",
            at_ms in 631_152_000_000i64..3_155_760_000_000, value in prop::option::of(any::<f64>().prop_filter("JSON", |v| v.is_finite())),
        ) {
            let attrs = json!({"title": event_id.clone(), "year": 1995, "tags": ["a", null, true], "deep": {"x": -0.0}});
            let attrs = attrs.as_object().expect("an object");
            let (user, item, event_id, source) = (user.as_str(), item.as_str(), event_id.as_str(), source.as_str());
            assert_one_encoding(&Body::Edge(Edge { user, item, at_ms, event_id, source, value }));
            assert_one_encoding(&Body::Tombstone { user, item });
            assert_one_encoding(&Body::Vertex { id: user, attrs: None });
            assert_one_encoding(&Body::Vertex { id: user, attrs: Some(attrs) });
        }
    }

    #[test]
    fn the_form_of_documents_does_not_change() {
        let attrs = json!({"title": "Heat", "year": 1995});
        let attrs = attrs.as_object().expect("an object");
        let edge = Edge {
            user: "u:1",
            item: "i1",
            at_ms: 1_700_000_000_000,
            event_id: "e",
            source: "shop",
            value: Some(4.0),
        };
        let puts = [
            Put::bare_user("u:1"),
            Put::profile(Collection::Items, "i1", attrs, 1_700_000_000_000),
            Put::edge(TypeIndex(7), "rated", edge),
            Put::tombstone(
                TypeIndex(7),
                EdgeKey::new("e", "shop", "rated", "u:1", "i1"),
                "u:1",
                "i1",
            ),
        ];
        let shown: Vec<Value> = puts
            .iter()
            .map(|put| json!({ "key": put.key.text(), "version": format!("{:016x}", put.version.0), "body": put.body.to_json() }))
            .collect();
        insta::assert_json_snapshot!(shown);
    }
}
