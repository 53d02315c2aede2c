//! The server's version, and its databases.

#![allow(clippy::unnecessary_wraps, reason = "every handler has the same form")]

use serde_json::{Value, json};

use super::answer::{Answer, Trouble};
use super::request::Request;
use super::server::Server;
use super::state::locked;

const LONGEST_NAME: usize = 64;

/// `GET /`: only its headers are of interest.
pub fn root(_: &Server, _: &Request) -> Result<Answer, Trouble> {
    Ok(Answer::bare(200, "<html>ArangoDB</html>"))
}

pub fn version(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let mut body =
        json!({"server": "arango", "license": "community", "version": *locked(&server.version)});
    if request.flag("details", false) {
        body["details"] = json!({"mode": "server", "role": "SINGLE"});
    }
    Ok(Answer::json(200, &body))
}

pub fn list(server: &Server, _: &Request) -> Result<Answer, Trouble> {
    Ok(Answer::ok(200, json!({"result": server.state.database_names()})))
}

pub fn current(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let database = server.state.database(&request.database)?;
    let id = if database.name == "_system" { "1" } else { "2" };
    let mut result = json!({
        "name": database.name, "id": id, "path": "", "isSystem": database.name == "_system",
    });
    for (name, value) in database.options.as_object().into_iter().flatten() {
        result[name] = value.clone();
    }
    Ok(Answer::ok(200, json!({"result": result})))
}

pub fn create(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let body = from_system(request)?.json()?;
    let name = body["name"].as_str().unwrap_or_default();
    if !valid_name(name) {
        return Err(Trouble::new(1229, "database name invalid"));
    }
    let options = match &body["options"] {
        Value::Object(_) => body["options"].clone(),
        Value::Null => json!({}),
        _ => return Err(Trouble::new(400, "options must be an object")),
    };
    if !["", "single", "flexible"].contains(&options["sharding"].as_str().unwrap_or("")) {
        return Err(Trouble::new(10, "sharding must be single or flexible"));
    }
    if !server.state.create_database(name, options) {
        return Err(Trouble::new(1207, "duplicate database name"));
    }
    Ok(Answer::ok(201, json!({"result": true})))
}

pub fn remove(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let name = &from_system(request)?.path[2];
    if name == "_system" {
        return Err(Trouble::new(11, "cannot drop the system database"));
    }
    if !server.state.drop_database(name) {
        return Err(Trouble::new(1228, "database not found"));
    }
    Ok(Answer::ok(200, json!({"result": true})))
}

fn from_system(request: &Request) -> Result<&Request, Trouble> {
    if request.database == "_system" {
        return Ok(request);
    }
    Err(Trouble::new(1230, "operation only allowed in system database"))
}

fn valid_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
