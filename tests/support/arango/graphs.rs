//! Named graphs: definitions only; nothing is traversed.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{Answer, Trouble};
use super::request::Request;
use super::server::Server;
use super::state::{Database, locked};

pub fn list(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let graphs: Vec<Value> = locked(&database.graphs).values().cloned().collect();
    Ok(Answer::ok(200, json!({"graphs": graphs})))
}

pub fn get(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let graphs = locked(&database.graphs);
    let graph = graphs.get(&request.path[2]).ok_or_else(not_found)?;
    Ok(Answer::ok(200, json!({"graph": graph})))
}

/// Makes a graph and whichever of its collections are missing.
pub fn create(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let body = request.json()?;
    let Some(name) = body["name"].as_str().filter(|name| !name.is_empty()) else {
        return Err(Trouble::new(1927, "graph has no name"));
    };
    if locked(&database.graphs).contains_key(name) {
        return Err(Trouble::new(1925, "graph already exists"));
    }
    let definitions = definitions(body)?;
    let orphans = body["orphanCollections"].as_array().cloned().unwrap_or_default();
    for definition in &definitions {
        ensure(server, &database, &definition["collection"], true, body)?;
        for end in both_ends(definition) {
            ensure(server, &database, end, false, body)?;
        }
    }
    for orphan in &orphans {
        ensure(server, &database, orphan, false, body)?;
    }
    let graph = json!({
        "_key": name, "_id": format!("_graphs/{name}"), "_rev": format!("_{}", server.state.tick()),
        "name": name, "edgeDefinitions": definitions, "orphanCollections": orphans,
    });
    locked(&database.graphs).insert(name.to_owned(), graph.clone());
    let status = if request.flag("waitForSync", false) { 201 } else { 202 };
    Ok(Answer::ok(status, json!({"graph": graph})))
}

pub fn remove(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let graph = locked(&database.graphs).remove(&request.path[2]).ok_or_else(not_found)?;
    if request.flag("dropCollections", false) {
        let mut collections = database.collections.write().expect("no holder panics");
        collections.retain(|name, _| !uses(&graph, name));
    }
    Ok(Answer::ok(202, json!({"removed": true})))
}

/// Tells whether a graph has a collection, as edges, ends or an orphan.
pub fn uses(graph: &Value, name: &str) -> bool {
    let definitions = graph["edgeDefinitions"].as_array().into_iter().flatten();
    let in_definition = |definition: &Value| {
        definition["collection"] == name || both_ends(definition).any(|end| end == name)
    };
    definitions.into_iter().any(in_definition)
        || graph["orphanCollections"].as_array().is_some_and(|all| all.iter().any(|it| it == name))
}

fn both_ends(definition: &Value) -> impl Iterator<Item = &Value> {
    ["from", "to"].into_iter().flat_map(|end| definition[end].as_array().into_iter().flatten())
}

fn definitions(body: &Value) -> Result<Vec<Value>, Trouble> {
    let malformed = || Trouble::new(1923, "malformed edge definition");
    let given = match &body["edgeDefinitions"] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(given) => given,
        _ => return Err(malformed()),
    };
    let mut seen: Vec<&str> = Vec::new();
    for definition in given {
        let name = definition["collection"].as_str().ok_or_else(malformed)?;
        let names = |end: &str| {
            definition[end]
                .as_array()
                .is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string))
        };
        if !names("from") || !names("to") {
            return Err(malformed());
        }
        if seen.contains(&name) {
            return Err(Trouble::new(1920, "multi use of edge collection in edge def"));
        }
        seen.push(name);
    }
    Ok(given.clone())
}

fn ensure(
    server: &Server,
    database: &Arc<Database>,
    name: &Value,
    edges: bool,
    body: &Value,
) -> Result<(), Trouble> {
    let name = name.as_str().unwrap_or_default();
    match database.collection(name) {
        Ok(collection) if edges && !collection.edges => {
            Err(Trouble::with_status(400, 1218, "an edge definition needs an edge collection"))
        }
        Ok(_) => Ok(()),
        Err(_) => super::collections::make(&server.state, database, name, edges, &body["options"])
            .map(|_| ()),
    }
}

fn not_found() -> Trouble {
    Trouble::new(1924, "graph not found")
}
