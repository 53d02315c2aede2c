//! Every document of a graph, page by page in the order of keys.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ArangoStore, aql};
use crate::graph::{Collection, Version};
use crate::limits::ARANGO_SCAN_PAGE;
use crate::store::{Document, Failure, Remedy};

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "_key")]
    key: String,
    /// Absent in what weir has not written: any put replaces it, as it would replace the least version.
    #[serde(default)]
    version: u64,
    #[serde(flatten)]
    body: Map<String, Value>,
}

impl ArangoStore {
    pub(super) async fn scan_documents(
        &self,
        each: &mut (dyn FnMut(Document) + Send),
    ) -> Result<(), Failure> {
        for collection in self.collections() {
            self.scan_collection(collection.name(self.types()), each).await?;
        }
        Ok(())
    }

    async fn scan_collection(
        &self,
        name: &str,
        each: &mut (dyn FnMut(Document) + Send),
    ) -> Result<(), Failure> {
        let mut after = String::new();
        loop {
            let binds = json!({ "@collection": name, "after": after, "most": ARANGO_SCAN_PAGE });
            let rows: Vec<Row> = self.database().query(aql::SCAN, binds).await?;
            let last = rows.len() < ARANGO_SCAN_PAGE;
            for row in rows {
                if row.key <= after {
                    return Err(disorder(name, &after, &row.key));
                }
                after.clone_from(&row.key);
                each(document(name, row));
            }
            if last {
                return Ok(());
            }
        }
    }

    /// The collections of the graph, vertices first.
    pub(super) fn collections(&self) -> Vec<Collection> {
        let types = self.types();
        let edges = types.iter().map(|(index, _)| index);
        let edges = edges.filter(|index| types.collection(*index).is_some());
        [Collection::Users, Collection::Items]
            .into_iter()
            .chain(edges.map(Collection::Edges))
            .collect()
    }
}

fn document(collection: &str, row: Row) -> Document {
    let Row { key, version, mut body } = row;
    for own in ["_id", "_rev"] {
        body.remove(own);
    }
    Document {
        collection: collection.to_owned(),
        key,
        version: Version(version),
        body: Value::Object(body),
    }
}

/// Pages follow each other only in the order of the primary index, which is that of bytes. In another order
/// documents could be left out unseen.
fn disorder(collection: &str, after: &str, key: &str) -> Failure {
    Failure {
        remedy: Remedy::Stop,
        code: "scan_order".to_owned(),
        text: format!(
            "ArangoDB gives the keys of {collection} in another order than that of bytes ({key:?} after {after:?}): the scan would be incomplete; a database with one shard a collection (OneShard) keeps the order"
        ),
    }
}
