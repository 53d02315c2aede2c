//! Looks at a database.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::existing::{Existing, Index, Record};
use crate::limits::{ARANGO_LOOKS, ARANGO_SCAN_PAGE};
use crate::store::Failure;
use crate::store::arango::Database;
use crate::store::arango::aql::SCAN;

/// Where a database records its steps.
pub const RECORDS: &str = "weir_migrations";

#[derive(Deserialize)]
struct Current {
    result: CurrentDatabase,
}

#[derive(Deserialize)]
struct CurrentDatabase {
    #[serde(default)]
    sharding: Option<String>,
}

#[derive(Deserialize)]
struct Collections {
    result: Vec<Named>,
}

#[derive(Deserialize)]
struct Graphs {
    graphs: Vec<NamedGraph>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct NamedGraph {
    name: String,
    #[serde(flatten)]
    graph: super::existing::Graph,
}

#[derive(Deserialize)]
struct Indexes {
    indexes: Vec<Index>,
}

/// Looks at everything in a database that steps could make; nothing if there is no such database.
pub async fn inspect(database: &Database) -> Result<Option<Existing>, Failure> {
    let current: Current = match get(database, "_api/database/current").await {
        Ok(current) => current,
        Err(failure) if failure.code == "arango_1228" => return Ok(None),
        Err(failure) => return Err(failure),
    };
    // Every use of a database begins with a look at it: an older server would drop the merge rule without a word.
    database.server().await?;
    let listed: Collections = get(database, "_api/collection?excludeSystem=true").await?;
    let names: Vec<String> = listed.result.into_iter().map(|collection| collection.name).collect();
    let collections: BTreeMap<String, super::existing::Collection> =
        each(&names, |name| get(database, format!("_api/collection/{name}/properties"))).await?;
    let edges: Vec<String> = collections
        .iter()
        .filter(|(_, collection)| collection.kind == 3)
        .map(|(name, _)| name.clone())
        .collect();
    let indexes: BTreeMap<String, Indexes> =
        each(&edges, |name| get(database, format!("_api/index?collection={name}"))).await?;
    let graphs: Graphs = get(database, "_api/gharial").await?;
    let records =
        if collections.contains_key(RECORDS) { records(database).await? } else { Vec::new() };
    Ok(Some(Existing {
        sharding: current.result.sharding,
        collections,
        indexes: indexes.into_iter().map(|(name, found)| (name, found.indexes)).collect(),
        graphs: graphs.graphs.into_iter().map(|found| (found.name, found.graph)).collect(),
        records,
    }))
}

async fn records(database: &Database) -> Result<Vec<Record>, Failure> {
    let binds = json!({ "@collection": RECORDS, "after": "", "most": ARANGO_SCAN_PAGE });
    let mut records: Vec<Record> = database.query(SCAN, binds).await?;
    records.sort_by_key(|record| record.number);
    Ok(records)
}

async fn get<T: DeserializeOwned>(
    database: &Database,
    path: impl AsRef<str>,
) -> Result<T, Failure> {
    Ok(database.ask(Method::GET, path.as_ref(), None).await?)
}

/// Asks about each name, a few at a time.
async fn each<T, F: Future<Output = Result<T, Failure>>>(
    names: &[String],
    ask: impl Fn(&str) -> F,
) -> Result<BTreeMap<String, T>, Failure> {
    let mut told = BTreeMap::new();
    for part in names.chunks(ARANGO_LOOKS) {
        let answers = try_join_all(part.iter().map(|name| ask(name))).await?;
        told.extend(part.iter().cloned().zip(answers));
    }
    Ok(told)
}
