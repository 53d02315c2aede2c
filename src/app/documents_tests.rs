//! The documents are valid, whole, and about the routes and codes that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::describe::{EVENT_CODES, PARAMETER_CODES};

fn documents() -> (Value, Value) {
    documents_of(Roles::DEV, true)
}

fn documents_of(roles: Roles, jobs: bool) -> (Value, Value) {
    let types = EventTypes::builtin();
    let described = Described { roles, types: &types, nats_url: "nats://u:secret@n:4222", jobs };
    (described.public(false), described.admin(false))
}

fn subjects() -> Value {
    let url = Some("nats://u:secret@n:4222".to_owned());
    asyncapi(&Subjects { url }, &EventTypes::builtin(), VERSION)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn check(schema: &str, documents: &[Value]) {
    let text = fs::read_to_string(root().join("tests/fixtures/schemas").join(schema)).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    let errors: Vec<String> = documents
        .iter()
        .flat_map(|document| validator.iter_errors(document))
        .map(|error| format!("{}: {:.300}", error.instance_path, error.to_string()))
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Every `$ref` of a document, as a pointer into it.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str);
            found.extend(own.map(|text| text.trim_start_matches('#').to_owned()));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(elements) => elements.iter().for_each(|each| references(each, found)),
        _ => {}
    }
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |path: &String, methods: &'_ Value| -> Vec<String> {
        let methods = methods.as_object().expect("methods").keys();
        methods.map(|method| format!("{method} {path}")).collect()
    };
    let names = paths.iter().flat_map(|(path, methods)| of(path, methods));
    let each = names.map(|name| {
        let (method, path) = name.split_once(' ').expect("two words");
        let operation = &document["paths"][path][method];
        (name, operation)
    });
    each.collect()
}

#[test]
fn the_documents_are_what_their_specifications_say() {
    let roles = [Roles::DEV, Roles::GATEWAY, Roles::API, Roles::PROJECTOR];
    let each = roles.map(|roles| documents_of(roles, roles == Roles::DEV));
    check("openapi-3.1.json", &each.map(|(public, admin)| [public, admin]).concat());
    check("asyncapi-3.0.0.json", &[subjects()]);
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_one() {
    let (public, admin) = documents();
    for document in [public, admin, subjects()] {
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for pointer in found {
            assert!(document.pointer(&pointer).is_some(), "{pointer}");
        }
        for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
            jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn operations_and_their_answers_are_these() {
    let (public, admin) = documents();
    let mut ids = BTreeSet::new();
    let mut lines = Vec::new();
    for (listener, document) in [("public", &public), ("admin", &admin)] {
        ids.clear();
        for (name, operation) in operations(document) {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id.to_owned()), "{id} stands there twice");
            let answers = operation["responses"].as_object().expect("answers").keys();
            let answers: Vec<&str> = answers.map(String::as_str).collect();
            lines.push(format!("{listener}: {name}: {}", answers.join(" ")));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn nothing_secret_is_told() {
    let (public, admin) = documents();
    for document in [public, admin, subjects()] {
        assert!(!document.to_string().contains("secret@"));
    }
    let types = EventTypes::builtin();
    assert_eq!(asyncapi(&Subjects { url: None }, &types, VERSION)["servers"], json!({}));
}

/// The source without its tests and comments, of all files below a folder of `src`.
fn sources(folder: &str) -> String {
    let mut all = String::new();
    let mut folders = vec![root().join("src").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if path.is_dir() {
                folders.push(path);
            } else if !name.contains("test") && !["describe.rs", "wire.rs"].contains(&&*name) {
                let text = fs::read_to_string(&path).expect("a source");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                all.extend(code.lines().filter(|line| !line.trim().starts_with("//")));
            }
        }
    }
    all
}

/// The texts that follow a word, with nothing but blanks and what `between` allows in front of them.
fn texts_after(source: &str, word: &str, between: fn(char) -> bool) -> BTreeSet<String> {
    let found = source.match_indices(word).filter_map(|(at, _)| {
        let rest =
            source[at + word.len()..].trim_start_matches(|c: char| c.is_whitespace() || between(c));
        let text = rest.strip_prefix('"')?;
        text.split('"').next().map(str::to_owned)
    });
    found.collect()
}

#[test]
fn every_route_is_described_and_no_other() {
    let (public, admin) = documents();
    let of_code: BTreeSet<String> = ["app", "query", "gateway"]
        .iter()
        .flat_map(|folder| texts_after(&sources(folder), ".route(", |_| false))
        .chain(["/ingest", "/pixel.gif", "/openapi.json", "/asyncapi.json"].map(str::to_owned))
        .filter(|path| !path.contains("{*"))
        .collect();
    let told: BTreeSet<String> = [&public, &admin]
        .iter()
        .flat_map(|document| document["paths"].as_object().expect("paths").keys().cloned())
        .collect();
    assert_eq!(told, of_code);
}

#[test]
fn every_code_of_a_problem_is_described() {
    let (public, admin) = documents();
    let (_, elsewhere) = documents_of(Roles::API, false);
    let mut told = BTreeSet::new();
    for document in [&public, &admin, &elsewhere] {
        for (_, operation) in operations(document) {
            for answer in operation["responses"].as_object().expect("answers").values() {
                let codes = &answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]
                    ["code"]["enum"];
                let codes = codes.as_array().into_iter().flatten();
                told.extend(codes.map(|code| code.as_str().expect("a code").to_owned()));
            }
        }
    }
    let is_constant = |c: char| c.is_ascii_uppercase() || "_,():".contains(c);
    let mut written = BTreeSet::new();
    for folder in ["access", "app", "gateway", "http", "query"] {
        if root().join("src").join(folder).is_dir() {
            written.extend(texts_after(&sources(folder), "StatusCode::", is_constant));
            written.extend(texts_after(&sources(folder), "unavailable(", |_| false));
        }
    }
    written.retain(|text| is_code(text));
    assert!(written.len() > 30, "{written:?}");
    let missing: Vec<&String> = written.difference(&told).collect();
    assert!(missing.is_empty(), "no operation tells of {missing:?}");
}

#[test]
fn every_code_of_an_event_is_described() {
    let mut written = BTreeSet::new();
    for folder in ["event", "gateway"] {
        let source = sources(folder);
        for word in ["Issue::new(", ".note(", "code: "] {
            for (at, _) in source.match_indices(word) {
                let arguments: String = source[at..].chars().take(120).collect();
                let texts = arguments.split('"').skip(1).step_by(2);
                written.extend(texts.take(2).map(str::to_owned).find(|text| is_code(text)));
            }
        }
    }
    for code in PARAMETER_CODES {
        written.remove(*code);
    }
    let told: BTreeSet<String> = EVENT_CODES.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(told, written, "EVENT_CODES and the sources hold the same");
}

fn is_code(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
