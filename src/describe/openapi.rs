//! The OpenAPI document, put together from operations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::components::{Components, Schema};
use super::examples::Example;
use super::operation::{Answer, Code, Entry, Operation, headers};

/// What every listener answers to a request that is none.
const EVERYWHERE: [Code; 1] = [(400, "host_required")];

const PROBLEM: &str = "application/problem+json";

/// A description of one listener.
#[derive(Debug, Default)]
pub struct Document {
    title: &'static str,
    text: String,
    open: bool,
    operations: Vec<Operation>,
    components: Components,
    problem: Option<Schema>,
}

impl Document {
    /// Begins one; `problem` is the form of every error answer.
    pub fn new(title: &'static str, text: impl Into<String>, problem: Schema) -> Self {
        Self { title, text: text.into(), problem: Some(problem), ..Self::default() }
    }

    /// Says that nobody has to show a key here.
    #[must_use]
    pub fn open(mut self, open: bool) -> Self {
        self.open = open;
        self
    }

    #[must_use]
    pub fn operations(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.operations.extend(operations);
        self
    }

    /// Adds named schemas that operations refer to.
    #[must_use]
    pub fn components(mut self, put: impl FnOnce(&mut Components)) -> Self {
        put(&mut self.components);
        self
    }

    /// Puts it together.
    pub fn build(self, version: &str) -> Value {
        let Self { title, text, open, operations, mut components, problem } = self;
        let problem = problem.map_or(Value::Null, |schema| schema.settle(&mut components));
        let schemes = schemes(&operations);
        let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for operation in operations {
            let (path, method) = (operation.path, operation.method);
            let written = write(operation, open, &problem, &mut components);
            paths.entry(path).or_default().insert(method.to_owned(), written);
        }
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": title, "version": version, "description": text,
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": "/" }],
            "paths": paths,
            "components": { "schemas": components.into_json(), "securitySchemes": schemes },
        })
    }
}

fn write(operation: Operation, open: bool, problem: &Value, components: &mut Components) -> Value {
    let responses = responses(operation.answers, &operation.problems, problem, components);
    let parameters: Vec<Value> = operation.parameters.into_iter().map(|each| each.0).collect();
    let mut written = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": security(operation.entry, open),
        "responses": responses,
    });
    if !operation.text.is_empty() {
        written["description"] = operation.text.into();
    }
    if !parameters.is_empty() {
        written["parameters"] = parameters.into();
    }
    if operation.takes.is_empty() {
        return written;
    }
    let mut content = Map::new();
    for (media, schema, examples) in operation.takes {
        let mut each = json!({ "schema": schema.settle(components) });
        if !examples.is_empty() {
            let examples = examples.into_iter().map(Example::into_member);
            each["examples"] = examples.collect();
        }
        content.insert(media.to_owned(), each);
    }
    written["requestBody"] = json!({ "required": true, "content": content });
    written
}

fn responses(
    answers: Vec<Answer>,
    problems: &[Code],
    problem: &Value,
    components: &mut Components,
) -> BTreeMap<String, Value> {
    let mut told = BTreeMap::new();
    for Answer { status, text, content, headers: carried } in answers {
        let mut each = json!({ "description": text });
        if let Some((media, schema)) = content {
            each["content"] = json!({ media: { "schema": schema.settle(components) } });
        }
        if !carried.is_empty() {
            each["headers"] = headers(&carried);
        }
        told.insert(status.to_string(), each);
    }
    let mut codes: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (status, code) in EVERYWHERE.iter().chain(problems) {
        codes.entry(*status).or_default().push(code);
    }
    for (status, mut codes) in codes {
        codes.sort_unstable();
        codes.dedup();
        told.entry(status.to_string()).or_insert_with(|| refusal(status, &codes, problem));
    }
    told
}

/// A problem of one status, with the codes that it may have.
fn refusal(status: u16, codes: &[&str], problem: &Value) -> Value {
    let schema = json!({
        "allOf": [problem, {
            "type": "object",
            "properties": { "status": { "const": status }, "code": { "enum": codes } },
        }],
    });
    let mut told = json!({
        "description": format!("{}: {}", meaning(status), codes.join(", ")),
        "content": { PROBLEM: { "schema": schema } },
    });
    let carried = carried(status);
    if !carried.is_empty() {
        told["headers"] = headers(carried);
    }
    told
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is not right; the same again is refused again",
        401 => "No valid key was shown",
        403 => "What was shown does not permit this",
        404 => "There is no such thing",
        405 => "The path does not take this method",
        408 => "The request did not arrive in time; it may be sent again",
        409 => "It cannot be done as things are",
        413 => "Something is larger than it may be; the detail names the limit",
        415 => "The content type or encoding is not taken",
        422 => "The batch is well formed, and nothing of it is stored",
        429 => "The key has used up its rate; send the same again after Retry-After",
        _ => "It cannot be done now, and nothing was; send the same again after Retry-After",
    }
}

/// What answers of a status may carry beside their body.
fn carried(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        401 => &[("WWW-Authenticate", "How to show a key.")],
        405 => &[("Allow", "The methods that the path takes.")],
        415 => &[
            ("Accept-Post", "The content types that are taken."),
            ("Accept-Encoding", "The content encodings that are taken."),
        ],
        429 => &[
            ("Retry-After", "Whole seconds to wait."),
            ("RateLimit-Limit", "What the key may send, in its window."),
            ("RateLimit-Remaining", "What is left of it."),
            ("RateLimit-Reset", "Seconds until it is whole again."),
        ],
        503 => &[("Retry-After", "Whole seconds to wait.")],
        _ => &[],
    }
}

/// Any one of these is enough.
fn security(entry: Entry, open: bool) -> Vec<Value> {
    let names: &[&str] = match entry {
        Entry::Everyone => return Vec::new(),
        Entry::Producers => &["bearer", "apiKey", "basic", "queryKey"],
        Entry::Readers => &["bearer", "apiKey", "basic"],
        Entry::Operators => &["adminToken", "bearer"],
    };
    let nobody_asks = open.then(|| json!({}));
    nobody_asks.into_iter().chain(names.iter().map(|name| json!({ *name: [] }))).collect()
}

fn schemes(operations: &[Operation]) -> Value {
    let has = |entry| operations.iter().any(|operation| operation.entry == entry);
    let mut told = Map::new();
    let mut tell = |name: &str, scheme: Value| told.insert(name.to_owned(), scheme);
    if has(Entry::Producers) || has(Entry::Readers) || has(Entry::Operators) {
        let text = "A key of weir (weir keys create), or a JWT where an issuer is configured.";
        tell("bearer", json!({ "type": "http", "scheme": "bearer", "description": text }));
    }
    if has(Entry::Producers) || has(Entry::Readers) {
        tell("apiKey", json!({ "type": "apiKey", "in": "header", "name": "X-Api-Key" }));
        let text = "The key as the user, with any password, or as the password of no user.";
        tell("basic", json!({ "type": "http", "scheme": "basic", "description": text }));
    }
    if has(Entry::Producers) {
        let text = "For who can set no header: pictures and beacons. api_secret is taken too.";
        let scheme = json!({ "type": "apiKey", "in": "query", "name": "key", "description": text });
        tell("queryKey", scheme);
    }
    if has(Entry::Operators) {
        let text = "The token of the operators' listener (admin.token).";
        tell("adminToken", json!({ "type": "http", "scheme": "bearer", "description": text }));
    }
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_of_one_status_are_one_answer_with_all_their_codes() {
        let operation = Operation::new("get", "/x", "x")
            .of("tests", Entry::Readers)
            .answers(Answer::empty(204, "fine"))
            .problems(&[(503, "b"), (503, "a"), (503, "a"), (404, "c")]);
        let problem = Schema::inline(json!({ "type": "object" }));
        let document = Document::new("t", "d", problem).operations([operation]).build("1");
        let answers = &document["paths"]["/x"]["get"]["responses"];
        let told: Vec<&String> = answers.as_object().expect("answers").keys().collect();
        assert_eq!(told, ["204", "400", "404", "503"]);
        let schema = &answers["503"]["content"][PROBLEM]["schema"]["allOf"][1];
        assert_eq!(schema["properties"]["code"]["enum"], json!(["a", "b"]));
        assert!(answers["503"]["headers"]["Retry-After"].is_object());
        assert!(answers["204"].get("content").is_none());
    }

    #[test]
    fn a_key_is_asked_for_unless_the_listener_is_open() {
        assert_eq!(security(Entry::Everyone, false), Vec::<Value>::new());
        assert_eq!(security(Entry::Readers, false)[0], json!({ "bearer": [] }));
        assert_eq!(security(Entry::Readers, true)[0], json!({}));
    }
}
