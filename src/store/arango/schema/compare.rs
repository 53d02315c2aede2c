//! One wanted thing against what is there.
//!
//! Pure.

use super::existing::{Existing, Factor, Index};
use super::problem::Problem;
use super::thing::{Sharding, Thing};

/// What a comparison comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Missing,
    /// It is there; what differs without harm is told.
    There(Vec<String>),
    Wrong(Problem),
}

/// Compares a thing with what exists.
pub fn compare(thing: &Thing, existing: &Existing) -> Found {
    match thing {
        Thing::Collection { name, edges, sharding } => {
            compare_collection(name, *edges, *sharding, existing)
        }
        Thing::Index { collection, name, fields, stored_values } => {
            let none = Vec::new();
            let indexes = existing.indexes.get(collection).unwrap_or(&none);
            compare_index(collection, name, fields, stored_values, indexes)
        }
        Thing::Graph { name, edges, from, to } => compare_graph(name, edges, from, to, existing),
    }
}

fn compare_collection(name: &str, edges: bool, wanted: Sharding, existing: &Existing) -> Found {
    let Some(found) = existing.collections.get(name) else { return Found::Missing };
    let says = |edges: bool| if edges { "edges" } else { "documents" };
    if (found.kind == 3) != edges {
        let (found, wanted) = (says(found.kind == 3), says(edges));
        return Found::Wrong(Problem::OtherKind { collection: name.to_owned(), found, wanted });
    }
    // A OneShard database has one shard a collection whatever is asked for.
    let one_shard = existing.sharding.as_deref() == Some("single");
    if let Some(shards) =
        found.number_of_shards.filter(|shards| *shards != wanted.shards && !one_shard)
    {
        let collection = name.to_owned();
        return Found::Wrong(Problem::OtherShards {
            collection,
            found: shards,
            wanted: wanted.shards,
        });
    }
    let mut warnings = Vec::new();
    let copies = found.replication_factor.as_ref().map(|factor| match factor {
        Factor::Copies(copies) => copies.to_string(),
        Factor::Other(text) => text.clone(),
    });
    let concern = found.write_concern.map(|concern| concern.to_string());
    for (what, found, wanted) in [
        ("replication factor", copies, wanted.replication_factor),
        ("write concern", concern, wanted.write_concern),
    ] {
        if let Some(found) = found.filter(|found| *found != wanted.to_string() && !one_shard) {
            warnings.push(format!(
                "{name} has the {what} {found}, configured is {wanted}: change it in ArangoDB if that is meant"
            ));
        }
    }
    Found::There(warnings)
}

fn compare_index(
    collection: &str,
    name: &str,
    fields: &[String],
    stored: &[String],
    indexes: &[Index],
) -> Found {
    let same_fields = |index: &&Index| index.kind == "persistent" && index.fields == fields;
    let usable = |index: &&Index| same_fields(index) && !index.unique && !index.sparse;
    match indexes.iter().find(usable) {
        Some(index) if index.stored_values == stored => Found::There(Vec::new()),
        Some(index) => Found::There(vec![format!(
            "the index {} on {collection} stores [{}] and not [{}], so reads are slower; drop it, then apply again",
            index.name,
            listed(&index.stored_values),
            stored.join(", ")
        )]),
        None => match indexes.iter().find(|index| index.name == name) {
            Some(index) => Found::Wrong(Problem::OtherIndex {
                collection: collection.to_owned(),
                index: name.to_owned(),
                found: listed(&index.fields),
            }),
            None => Found::Missing,
        },
    }
}

fn listed(values: &[serde_json::Value]) -> String {
    let texts = values.iter().map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
    texts.collect::<Vec<_>>().join(", ")
}

/// The graph is for people and traversals: weir's own reads do not name it, so that what differs is no harm.
fn compare_graph(
    name: &str,
    edges: &[String],
    from: &[String],
    to: &[String],
    existing: &Existing,
) -> Found {
    let Some(graph) = existing.graphs.get(name) else { return Found::Missing };
    let right = |collection: &&String| {
        graph.edge_definitions.iter().any(|definition| {
            definition.collection == **collection && definition.from == from && definition.to == to
        })
    };
    let lacking: Vec<&str> = edges.iter().filter(|edge| !right(edge)).map(String::as_str).collect();
    let mut warnings = Vec::new();
    if !lacking.is_empty() {
        warnings.push(format!(
            "the graph {name} lacks or defines otherwise: {}; drop the graph (not its collections), then apply again",
            lacking.join(", ")
        ));
    }
    Found::There(warnings)
}
