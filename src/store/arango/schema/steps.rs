//! The steps that this binary knows, as it read them from its own files.

use std::sync::LazyLock;

use serde::Deserialize;

/// One numbered step. Once released, its file never changes: a new step follows instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// From 1, without gaps.
    pub number: u32,
    pub name: String,
    /// BLAKE3 of the file, in hex.
    pub checksum: String,
    pub make: Make,
}

/// What a step makes. What depends on the configuration is named, not listed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Make {
    DocumentCollections(Vec<String>),
    EdgeCollections(Edges),
    /// On each collection of edges.
    EdgeIndexes(Vec<IndexSpec>),
    /// Over all collections of edges.
    Graph(GraphSpec),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Edges {
    #[serde(rename = "of each interaction type")]
    OfEachInteraction,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IndexSpec {
    pub name: String,
    pub fields: Vec<String>,
    pub stored_values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphSpec {
    pub name: String,
    pub from: Vec<String>,
    pub to: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(rename = "about")]
    _about: String,
    make: Make,
}

const FILES: &[&str] = &[
    include_str!("../../../../migrations/0001_vertices.json"),
    include_str!("../../../../migrations/0002_edges.json"),
    include_str!("../../../../migrations/0003_edge_indexes.json"),
    include_str!("../../../../migrations/0004_graph.json"),
];

/// The steps of this binary, in order.
pub static STEPS: LazyLock<Vec<Step>> = LazyLock::new(|| {
    let numbered = (1..).zip(FILES);
    numbered
        .map(|(number, text)| read(number, text).expect("the files are checked by a test"))
        .collect()
});

/// Reads a step's file.
pub fn read(number: u32, text: &str) -> Result<Step, serde_json::Error> {
    let File { name, make, .. } = serde_json::from_str(text)?;
    let checksum = blake3::hash(text.as_bytes()).to_hex().to_string();
    Ok(Step { number, name, checksum, make })
}
