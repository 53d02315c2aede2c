//! One way in: a method on a path, what it takes, and every answer that it may give.

use serde_json::{Map, Value, json};

use super::components::Schema;
use super::examples::Example;

/// The status and the stable tag of an error answer.
pub type Code = (u16, &'static str);

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Everyone,
    /// Who sends events: a key in the query counts too.
    Producers,
    Readers,
    Operators,
}

/// One operation, as its owner describes it.
#[derive(Debug, Clone)]
pub struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) entry: Entry,
    pub(super) summary: &'static str,
    pub(super) text: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) takes: Vec<(&'static str, Schema, Vec<Example>)>,
    pub(super) answers: Vec<Answer>,
    pub(super) problems: Vec<Code>,
}

/// A parameter of the path, the query or the headers.
#[derive(Debug, Clone)]
pub struct Parameter(pub(super) Value);

/// An answer that is no problem.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) text: &'static str,
    pub(super) content: Option<(&'static str, Schema)>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

impl Operation {
    /// Begins to describe one; `id` is unique in its document.
    pub fn new(method: &'static str, path: &'static str, id: &'static str) -> Self {
        Self {
            method,
            path,
            id,
            tag: "service",
            entry: Entry::Everyone,
            summary: "",
            text: String::new(),
            parameters: Vec::new(),
            takes: Vec::new(),
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Says where it belongs and who may use it.
    #[must_use]
    pub fn of(mut self, tag: &'static str, entry: Entry) -> Self {
        (self.tag, self.entry) = (tag, entry);
        self
    }

    #[must_use]
    pub fn says(mut self, summary: &'static str, text: impl Into<String>) -> Self {
        (self.summary, self.text) = (summary, text.into());
        self
    }

    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Takes a body of this content type.
    #[must_use]
    pub fn takes(mut self, media: &'static str, schema: Schema, examples: Vec<Example>) -> Self {
        self.takes.push((media, schema, examples));
        self
    }

    #[must_use]
    pub fn answers(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// May answer with these problems.
    #[must_use]
    pub fn problems(mut self, codes: &[Code]) -> Self {
        self.problems.extend_from_slice(codes);
        self
    }
}

impl Parameter {
    pub fn path(name: &str, schema: &Value, text: &str) -> Self {
        Self::new(name, "path", schema, text)
    }

    pub fn query(name: &str, schema: &Value, text: &str) -> Self {
        Self::new(name, "query", schema, text)
    }

    pub fn header(name: &str, schema: &Value, text: &str) -> Self {
        Self::new(name, "header", schema, text)
    }

    fn new(name: &str, place: &str, schema: &Value, text: &str) -> Self {
        let required = place == "path";
        Self(json!({
            "name": name, "in": place, "required": required, "description": text, "schema": schema,
        }))
    }
}

impl Answer {
    /// Answers with the JSON of a type.
    pub fn json(status: u16, text: &'static str, schema: Schema) -> Self {
        Self::of(status, text, Some(("application/json", schema)))
    }

    /// Answers without a body.
    pub fn empty(status: u16, text: &'static str) -> Self {
        Self::of(status, text, None)
    }

    pub fn of(status: u16, text: &'static str, content: Option<(&'static str, Schema)>) -> Self {
        Self { status, text, content, headers: Vec::new() }
    }

    /// Carries a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, text: &'static str) -> Self {
        self.headers.push((name, text));
        self
    }
}

/// Headers as a document holds them.
pub(super) fn headers<'h>(all: impl IntoIterator<Item = &'h (&'h str, &'h str)>) -> Value {
    let header = |text: &str| json!({ "description": text, "schema": { "type": "string" } });
    let map: Map<String, Value> =
        all.into_iter().map(|(name, text)| ((*name).to_owned(), header(text))).collect();
    Value::Object(map)
}
