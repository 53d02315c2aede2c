//! Which documents are asked about. Pure.

use crate::event::TypeIndex;
use crate::graph::{Body, Collection, Edge, EdgeKey, Key, Put};

/// Asks why a document is in the graph, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The edge of this key, in whichever collection.
    Edge(EdgeKey),
    /// Every edge of a user and an item, or those of one interaction type.
    Edges { user: String, item: String, of: Option<TypeIndex> },
    /// A user's vertex, by its raw id.
    User(String),
    /// An item's vertex, by its raw id.
    Item(String),
}

impl Question {
    /// Whether a put makes a document that is asked about.
    pub(super) fn touches(&self, put: &Put<'_>) -> bool {
        match (self, put.collection) {
            (Self::Edge(key), Collection::Edges(_)) => put.key == Key::Edge(*key),
            (Self::Edges { user, item, of }, Collection::Edges(made)) => {
                of.is_none_or(|of| of == made) && ends(&put.body) == Some((user, item))
            }
            (Self::User(id), Collection::Users) | (Self::Item(id), Collection::Items) => {
                put.key == Key::Vertex(id)
            }
            _ => false,
        }
    }
}

fn ends<'e>(body: &Body<'e>) -> Option<(&'e str, &'e str)> {
    match *body {
        Body::Edge(Edge { user, item, .. }) | Body::Tombstone { user, item } => Some((user, item)),
        Body::Vertex { .. } => None,
    }
}
