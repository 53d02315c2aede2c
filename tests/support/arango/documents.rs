//! `POST /_api/document/{collection}`: many documents at once, each with an answer of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::{Answer, Trouble};
use super::merge::{self, Mode, Options, Target, Written};
use super::request::Request;
use super::server::Server;
use super::state::Collection;

pub fn insert(server: &Server, request: &Request) -> Result<Answer, Trouble> {
    let name = &request.path[2];
    let collection = server.state.database(&request.database)?.collection(name)?;
    let options = options_of(request)?;
    if !server.wide && options.mode == Mode::Update && request.param("keepNull").is_none() {
        return Err(Trouble::with_status(501, 9, "an update that does not say keepNull"));
    }
    if request.body.trim_ascii_start().first() == Some(&b'[') {
        return many(server, request, &collection, &options);
    }
    if !server.wide {
        return Err(Trouble::with_status(501, 9, "a single document"));
    }
    let written = one(server, request, &collection, request.json()?.clone(), &options)?;
    Ok(single_answer(request, &collection, &written))
}

fn many(
    server: &Server,
    request: &Request,
    collection: &Collection,
    options: &Options,
) -> Result<Answer, Trouble> {
    let given: Vec<Value> = serde_json::from_slice(&request.body)
        .map_err(|error| Trouble::new(600, format!("VPackParser error: {error}")))?;
    let faults = server.faults.of_elements(request);
    let silent = request.flag("silent", false);
    let mut body = Vec::with_capacity(given.len() * 128 + 2);
    let mut errors: BTreeMap<u32, usize> = BTreeMap::new();
    body.push(b'[');
    let mut documents = collection.documents.write().expect("no holder panics");
    for element in given {
        let fault = faults.iter().find_map(|fault| fault.strikes(&collection.name, &element));
        let target = Target {
            collection: &collection.name,
            edges: collection.edges,
            tick: server.state.tick(),
        };
        let result = match fault {
            Some(trouble) => Err(trouble),
            None => merge::put(&mut documents, &target, element, options),
        };
        if silent && result.is_ok() {
            continue;
        }
        if body.len() > 1 {
            body.push(b',');
        }
        match result {
            Ok(written) => write_identity(&mut body, &collection.name, &written),
            Err(trouble) => {
                *errors.entry(trouble.number).or_default() += 1;
                serde_json::to_writer(&mut body, &trouble.element()).expect("it can be written");
            }
        }
    }
    body.push(b']');
    let answer =
        Answer { status: status(request, collection), body, json: true, headers: Vec::new() };
    if errors.is_empty() {
        return Ok(answer);
    }
    let codes: Vec<String> =
        errors.iter().map(|(number, times)| format!("{number}:{times}")).collect();
    Ok(answer.with_header("x-arango-error-codes", codes.join(",")))
}

/// One document, with the faults that are meant for elements.
pub fn one(
    server: &Server,
    request: &Request,
    collection: &Collection,
    given: Value,
    options: &Options,
) -> Result<Written, Trouble> {
    let mut faults = server.faults.of_elements(request).into_iter();
    if let Some(trouble) = faults.find_map(|fault| fault.strikes(&collection.name, &given)) {
        return Err(trouble);
    }
    let target =
        Target { collection: &collection.name, edges: collection.edges, tick: server.state.tick() };
    let mut documents = collection.documents.write().expect("no holder panics");
    merge::put(&mut documents, &target, given, options)
}

pub fn single_answer(request: &Request, collection: &Collection, written: &Written) -> Answer {
    let mut body = Vec::new();
    if request.flag("silent", false) {
        body.extend_from_slice(b"{}");
    } else {
        write_identity(&mut body, &collection.name, written);
    }
    Answer { status: status(request, collection), body, json: true, headers: Vec::new() }
}

/// 201 if the write is on disk, 202 if it is only accepted.
pub fn status(request: &Request, collection: &Collection) -> u16 {
    if request.flag("waitForSync", false) || collection.wait_for_sync { 201 } else { 202 }
}

pub fn options_of(request: &Request) -> Result<Options, Trouble> {
    let mode = match request.param("overwriteMode") {
        None if request.flag("overwrite", false) => Mode::Replace,
        None | Some("conflict") => Mode::Conflict,
        Some("ignore") => Mode::Ignore,
        Some("replace") => Mode::Replace,
        Some("update") => Mode::Update,
        Some(other) => {
            return Err(Trouble::with_status(501, 9, format!("the overwrite mode {other}")));
        }
    };
    Ok(Options {
        mode,
        version: request.param("versionAttribute").map(str::to_owned),
        keep_null: request.flag("keepNull", false),
        merge_objects: request.flag("mergeObjects", true),
        return_old: request.flag("returnOld", false),
        return_new: request.flag("returnNew", false),
    })
}

/// Keys and collection names need no escapes.
fn write_identity(body: &mut Vec<u8>, collection: &str, written: &Written) {
    for part in ["{\"_id\":\"", collection, "/", &written.key, "\",\"_key\":\"", &written.key] {
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(b"\",\"_rev\":\"");
    body.extend_from_slice(written.rev.as_bytes());
    if let Some(old_rev) = &written.old_rev {
        body.extend_from_slice(b"\",\"_oldRev\":\"");
        body.extend_from_slice(old_rev.as_bytes());
    }
    body.push(b'"');
    for (name, document) in [(",\"old\":", &written.old), (",\"new\":", &written.new)] {
        if let Some(document) = document {
            body.extend_from_slice(name.as_bytes());
            serde_json::to_writer(&mut *body, document).expect("a value can be written");
        }
    }
    body.push(b'}');
}
