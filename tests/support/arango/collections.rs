//! Collections: what they are, without their documents.

use std::sync::{Arc, Mutex, RwLock};

use serde_json::{Map, Value, json};

use super::answer::{Answer, Trouble};
use super::request::Request;
use super::server::Server;
use super::state::{Collection, Database, State, locked};

const LONGEST_NAME: usize = 256;

pub fn list(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let collections = database.collections.read().expect("no holder panics");
    let all: Vec<Value> = collections.values().map(|collection| info(collection)).collect();
    Ok(Answer::ok(200, json!({"result": all})))
}

pub fn create(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let body = request.json()?;
    let name = body["name"].as_str().unwrap_or_default();
    let edges = match &body["type"] {
        Value::Null => false,
        kind if *kind == 2 => false,
        kind if *kind == 3 => true,
        _ => return Err(Trouble::new(1218, "collection type invalid")),
    };
    let collection = make(&server.state, &database, name, edges, body)?;
    Ok(Answer::ok(200, properties_of(&collection)))
}

/// Makes a collection, as a request or a graph asks for it.
pub fn make(
    state: &State,
    database: &Database,
    name: &str,
    edges: bool,
    options: &Value,
) -> Result<Arc<Collection>, Trouble> {
    if !valid_name(name) {
        return Err(Trouble::new(1208, "illegal name"));
    }
    let mut collections = database.collections.write().expect("no holder panics");
    if collections.contains_key(name) {
        return Err(Trouble::new(1207, "duplicate name"));
    }
    let number = |field: &str| options[field].as_u64().unwrap_or(1);
    if number("writeConcern") > number("replicationFactor") && !options["writeConcern"].is_null() {
        return Err(Trouble::new(10, "writeConcern must not exceed replicationFactor"));
    }
    let properties = json!({
        "numberOfShards": number("numberOfShards"),
        "replicationFactor": number("replicationFactor"),
        "writeConcern": number("writeConcern"),
        "keyOptions": {"allowUserKeys": true, "type": "traditional", "lastValue": 0},
        "cacheEnabled": false,
        "shardKeys": ["_key"],
        "schema": null,
        "computedValues": null,
        "statusString": "loaded",
    });
    let id = state.tick().to_string();
    let collection = Arc::new(Collection {
        indexes: Mutex::new(super::indexes::built_in(name, edges)),
        id,
        name: name.to_owned(),
        edges,
        wait_for_sync: options["waitForSync"].as_bool().unwrap_or(false),
        properties: properties.as_object().cloned().unwrap_or_default(),
        documents: RwLock::default(),
    });
    collections.insert(name.to_owned(), Arc::clone(&collection));
    Ok(collection)
}

pub fn get(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    Ok(Answer::ok(200, info(&*named(server, request)?)))
}

pub fn properties(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    Ok(Answer::ok(200, properties_of(&*named(server, request)?)))
}

pub fn count(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let collection = named(server, request)?;
    let mut body = properties_of(&collection);
    body["count"] = collection.documents.read().expect("no holder panics").len().into();
    Ok(Answer::ok(200, body))
}

pub fn remove(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let name = &request.path[2];
    let collection = database.collection(name)?;
    if locked(&database.graphs).values().any(|graph| super::graphs::uses(graph, name)) {
        return Err(Trouble::new(1942, "must not drop collection while part of graph"));
    }
    database.collections.write().expect("no holder panics").remove(name);
    Ok(Answer::ok(200, json!({"id": collection.id})))
}

fn named(server: &Server, request: &Request) -> Result<Arc<Collection>, Trouble> {
    server.state.database(&request.database)?.collection(&request.path[2])
}

fn info(collection: &Collection) -> Value {
    json!({
        "id": collection.id,
        "name": collection.name,
        "status": 3,
        "type": if collection.edges { 3 } else { 2 },
        "isSystem": collection.name.starts_with('_'),
        "globallyUniqueId": format!("h{}/{}", collection.id, collection.name),
    })
}

fn properties_of(collection: &Collection) -> Value {
    let Value::Object(mut fields) = info(collection) else { return Value::Null };
    let more: Map<String, Value> = collection.properties.clone();
    fields.extend(more);
    fields.insert("waitForSync".to_owned(), collection.wait_for_sync.into());
    fields.insert("objectId".to_owned(), collection.id.clone().into());
    Value::Object(fields)
}

fn valid_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
