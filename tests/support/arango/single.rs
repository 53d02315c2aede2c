//! Single documents, for foreign clients: this project sends none.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{Answer, Trouble};
use super::documents::{options_of, single_answer, status};
use super::merge::{self, Mode, Options, Target, rev_of};
use super::request::Request;
use super::server::Server;
use super::state::Collection;

pub fn read(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let collection = of(server, request)?;
    let documents = collection.documents.read().expect("no holder panics");
    let found = documents.get(&request.path[3]).ok_or_else(not_found)?;
    Ok(Answer::json(200, found))
}

pub fn replace(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let options = Options { mode: Mode::Replace, ..options_of(request)? };
    change(server, request, &options)
}

pub fn update(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let keep_null = request.flag("keepNull", true);
    let options = Options { mode: Mode::Update, keep_null, ..options_of(request)? };
    change(server, request, &options)
}

fn change(server: &Server, request: &Request, options: &Options) -> Result<Answer, Trouble> {
    let collection = of(server, request)?;
    let key = request.path[3].clone();
    let Value::Object(mut given) = request.json()?.clone() else {
        return Err(Trouble::new(1227, "invalid document type"));
    };
    let mut documents = collection.documents.write().expect("no holder panics");
    let found = documents.get_mut(&key).ok_or_else(not_found)?;
    let meant = given.get("_rev").and_then(Value::as_str);
    if !request.flag("ignoreRevs", true) && meant.is_some_and(|rev| rev != rev_of(found)) {
        return Err(Trouble::with_status(412, 1200, "conflict, _rev values do not match"));
    }
    given.insert("_key".to_owned(), key.clone().into());
    let target =
        Target { collection: &collection.name, edges: collection.edges, tick: server.state.tick() };
    let written = merge::change(found, &target, key, given, options)?;
    Ok(single_answer(request, &collection, &written))
}

pub fn remove(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let collection = of(server, request)?;
    let key = &request.path[3];
    let mut documents = collection.documents.write().expect("no holder panics");
    let found = documents.remove(key).ok_or_else(not_found)?;
    let mut body = json!({"_id": found["_id"], "_key": key, "_rev": found["_rev"]});
    if request.flag("returnOld", false) {
        body["old"] = found;
    }
    let code = if status(request, &collection) == 201 { 200 } else { 202 };
    Ok(Answer::json(code, &body))
}

fn of(server: &Server, request: &Request) -> Result<Arc<Collection>, Trouble> {
    server.state.database(&request.database)?.collection(&request.path[2])
}

fn not_found() -> Trouble {
    Trouble::new(1202, "document not found")
}
