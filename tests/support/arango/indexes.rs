//! Indexes are kept as they were asked for; nothing is looked up through them.

use serde_json::{Value, json};

use super::answer::{Answer, Trouble};
use super::request::Request;
use super::server::Server;
use super::state::{Collection, locked};

const MOST_STORED_VALUES: usize = 32;

/// What an index is the same by: `storedValues` is not among it.
const IDENTITY: &[&str] = &["type", "fields", "unique", "sparse"];

/// The indexes that every collection has.
pub fn built_in(collection: &str, edges: bool) -> Vec<Value> {
    let primary = json!({
        "id": format!("{collection}/0"), "type": "primary", "name": "primary", "fields": ["_key"],
        "unique": true, "sparse": false,
    });
    let edge = json!({
        "id": format!("{collection}/1"), "type": "edge", "name": "edge", "fields": ["_from", "_to"],
        "unique": false, "sparse": false,
    });
    if edges { vec![primary, edge] } else { vec![primary] }
}

pub fn list(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let collection = of(server, request)?;
    let indexes = locked(&collection.indexes).clone();
    let identifiers: serde_json::Map<String, Value> = indexes
        .iter()
        .map(|index| (index["id"].as_str().unwrap_or_default().to_owned(), index.clone()))
        .collect();
    Ok(Answer::ok(200, json!({"indexes": indexes, "identifiers": identifiers})))
}

pub fn create(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let collection = of(server, request)?;
    let wanted = normalised(request.json()?)?;
    let mut indexes = locked(&collection.indexes);
    let same = |index: &&Value| IDENTITY.iter().all(|field| index[*field] == wanted[*field]);
    if let Some(found) = indexes.iter().find(same) {
        let mut found = found.clone();
        found["isNewlyCreated"] = false.into();
        return Ok(Answer::ok(200, found));
    }
    let number = server.state.tick();
    let mut made = wanted;
    if made["name"].is_null() {
        made["name"] = format!("idx_{number}").into();
    }
    if indexes.iter().any(|index| index["name"] == made["name"]) {
        return Err(Trouble::with_status(409, 1005, "duplicate value for index name"));
    }
    made["id"] = format!("{}/{number}", collection.name).into();
    indexes.push(made.clone());
    made["isNewlyCreated"] = true.into();
    Ok(Answer::ok(201, made))
}

fn of(server: &Server, request: &Request) -> Result<std::sync::Arc<Collection>, Trouble> {
    let name = request.param("collection").unwrap_or_default();
    server.state.database(&request.database)?.collection(name)
}

/// An index with its defaults, or why it cannot be.
fn normalised(body: &Value) -> Result<Value, Trouble> {
    if body["type"] != "persistent" {
        return Err(Trouble::with_status(501, 9, format!("an index of type {}", body["type"])));
    }
    if body["unique"] == true {
        return Err(Trouble::with_status(501, 9, "a unique index"));
    }
    let names = |field: &str| -> Option<Vec<String>> {
        body[field].as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let fields = names("fields").filter(|fields| !fields.is_empty());
    let Some(fields) = fields else {
        return Err(Trouble::new(10, "fields must be a list of attribute names"));
    };
    let mut index = json!({
        "type": "persistent", "fields": fields, "unique": false, "estimates": true,
        "sparse": body["sparse"].as_bool().unwrap_or(false), "name": body["name"],
        "deduplicate": body["deduplicate"].as_bool().unwrap_or(true), "cacheEnabled": false,
    });
    if !body["storedValues"].is_null() {
        let stored = names("storedValues").filter(|names| names.len() <= MOST_STORED_VALUES);
        index["storedValues"] =
            stored.ok_or_else(|| Trouble::new(10, "storedValues must be at most 32 names"))?.into();
    }
    Ok(index)
}
