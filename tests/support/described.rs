//! What a weir says of itself, to hold its answers against.

use std::collections::BTreeSet;

use serde_json::Value;

use super::client::{Answer, Client};

/// The OpenAPI document of one listener.
pub struct Described {
    document: Value,
    /// `method path status` of every answer that was looked at.
    seen: BTreeSet<String>,
}

impl Described {
    pub async fn public(client: &Client) -> Self {
        Self::new(client.get("/openapi.json").await.ok())
    }

    pub async fn admin(client: &Client) -> Self {
        let answer = client.send(client.admin_request("GET", "/openapi.json")).await;
        Self::new(answer.expect("an answer").ok())
    }

    fn new(mut document: Value) -> Self {
        close(&mut document);
        Self { document, seen: BTreeSet::new() }
    }

    /// Holds an answer against what is told of the operation.
    #[track_caller]
    pub fn check(&mut self, method: &str, path: &str, answer: &Answer) {
        let told =
            self.document["paths"][path][method]["responses"][answer.status.to_string()].clone();
        let name = format!("{method} {path} {}", answer.status);
        assert!(told.is_object(), "{name} is not described: {:#}", answer.body);
        self.seen.insert(name.clone());
        let carried = told["headers"].as_object().cloned().unwrap_or_default();
        for header in ["retry-after", "allow", "www-authenticate", "accept-post"] {
            let is_told = carried.keys().any(|name| name.eq_ignore_ascii_case(header));
            assert!(
                is_told || answer.header(header).is_empty(),
                "{name} tells nothing of {header}"
            );
        }
        let Some(content) = told["content"].as_object() else {
            assert!(answer.body.is_null(), "{name} has a body: {:#}", answer.body);
            return;
        };
        let media = answer.header("content-type").split(';').next().unwrap_or_default();
        assert!(content.contains_key(media), "{name} is not told to be {media:?}");
        if media.ends_with("json") {
            let pointer = format!(
                "#/paths/{}/{method}/responses/{}/content/{}/schema",
                escaped(path),
                answer.status,
                escaped(media)
            );
            self.check_body(&name, &pointer, &answer.body);
        }
    }

    #[track_caller]
    fn check_body(&self, name: &str, pointer: &str, body: &Value) {
        let mut schema = self.document.clone();
        schema["$ref"] = pointer.into();
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<String> = validator
            .iter_errors(body)
            .map(|error| format!("{}: {:.400}", error.instance_path, error.to_string()))
            .collect();
        assert!(errors.is_empty(), "{name}: {}\n{body:#}", errors.join("\n"));
    }

    /// Whether a body is what an operation is told to take.
    pub fn takes(&self, method: &str, path: &str, media: &str, body: &Value) -> bool {
        let mut schema = self.document.clone();
        let (path, media) = (escaped(path), escaped(media));
        schema["$ref"] =
            format!("#/paths/{path}/{method}/requestBody/content/{media}/schema").into();
        jsonschema::validator_for(&schema).expect("a schema").is_valid(body)
    }

    /// The examples that an operation gives for a content type.
    pub fn examples(&self, method: &str, path: &str, media: &str) -> Vec<Value> {
        let content = &self.document["paths"][path][method]["requestBody"]["content"][media];
        let examples = content["examples"].as_object().expect("examples");
        examples.values().map(|example| example["value"].clone()).collect()
    }

    /// What was looked at, as `method path status`.
    pub fn seen(&self) -> Vec<&str> {
        self.seen.iter().map(String::as_str).collect()
    }

    /// All operations, as method and path.
    pub fn operations(&self) -> Vec<(String, String)> {
        let paths = self.document["paths"].as_object().expect("paths");
        let each = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(move |method| (method.clone(), path.clone()))
        });
        each.collect()
    }
}

/// Has every object hold only what its schema names: what is not described must not be answered.
fn close(document: &mut Value) {
    let mut parts = BTreeSet::new();
    parts_of_others(&document["components"]["schemas"], &mut parts);
    let schemas = document["components"]["schemas"].as_object_mut().expect("schemas");
    for (name, schema) in schemas {
        let is_open =
            ["Event", "Envelope", "CloudEvent"].contains(&name.as_str()) || parts.contains(name);
        if !is_open && schema["properties"].is_object() {
            schema["additionalProperties"] = false.into();
        }
    }
}

/// The names of schemas that others are put together from.
fn parts_of_others(schemas: &Value, found: &mut BTreeSet<String>) {
    match schemas {
        Value::Object(members) => {
            for (name, member) in members {
                if name == "allOf" {
                    let parts = member.as_array().into_iter().flatten();
                    let names = parts.filter_map(|part| part["$ref"].as_str());
                    found.extend(
                        names.filter_map(|name| name.rsplit('/').next()).map(str::to_owned),
                    );
                }
                parts_of_others(member, found);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|each| parts_of_others(each, found)),
        _ => {}
    }
}

/// A name as a part of a pointer in a URI.
fn escaped(name: &str) -> String {
    name.replace('/', "~1").replace('{', "%7B").replace('}', "%7D")
}
