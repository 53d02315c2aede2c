//! What a database holds and what it recorded of itself, as far as it matters here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A database as it was looked at. Fields that a server does not tell are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Existing {
    /// `single` for OneShard; absent where the server does not say, as a single server.
    pub sharding: Option<String>,
    pub collections: BTreeMap<String, Collection>,
    pub indexes: BTreeMap<String, Vec<Index>>,
    pub graphs: BTreeMap<String, Graph>,
    /// In the order of their numbers.
    pub records: Vec<Record>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Collection {
    /// 2 holds documents, 3 edges.
    #[serde(rename = "type")]
    pub kind: u32,
    #[serde(default)]
    pub number_of_shards: Option<u32>,
    /// A number, or `satellite`.
    #[serde(default)]
    pub replication_factor: Option<Factor>,
    #[serde(default)]
    pub write_concern: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Factor {
    Copies(u32),
    Other(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    /// Plain texts, but for kinds of index that weir does not make.
    #[serde(default)]
    pub fields: Vec<serde_json::Value>,
    #[serde(default)]
    pub stored_values: Vec<serde_json::Value>,
    #[serde(default)]
    pub unique: bool,
    #[serde(default)]
    pub sparse: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    pub edge_definitions: Vec<EdgeDefinition>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EdgeDefinition {
    pub collection: String,
    pub from: Vec<String>,
    pub to: Vec<String>,
}

/// What a database remembers of a step that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub number: u32,
    pub name: String,
    pub checksum: String,
    /// What the step made when it was applied last, in words.
    pub made: Vec<String>,
    /// The version of weir that applied it.
    pub weir: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
}
