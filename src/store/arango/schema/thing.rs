//! One thing that a database holds or should hold.

use std::fmt;

use serde::Serialize;

/// What is made, in the order in which it may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Thing {
    Collection { name: String, edges: bool, sharding: Sharding },
    Index { collection: String, name: String, fields: Vec<String>, stored_values: Vec<String> },
    Graph { name: String, edges: Vec<String>, from: Vec<String>, to: Vec<String> },
}

/// How a collection is spread over a cluster. A single server knows one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sharding {
    pub shards: u32,
    pub replication_factor: u32,
    pub write_concern: u32,
}

impl fmt::Display for Thing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collection { name, edges, .. } => {
                let what = if *edges { "edge collection" } else { "collection" };
                write!(formatter, "{what} {name}")
            }
            Self::Index { collection, name, fields, .. } => {
                write!(formatter, "index {name} on {collection} ({})", fields.join(", "))
            }
            Self::Graph { name, edges, .. } => {
                write!(formatter, "graph {name} over {} edge collections", edges.len())
            }
        }
    }
}
