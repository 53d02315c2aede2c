//! From JSON to a [`Draft`]: aliases, normalising, and everything that is wrong at once.

use std::sync::Arc;

use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

use super::convert::{lines, number, wrong_type};
use super::draft::{Draft, Line};
use super::fields::Field;
use super::issue::{Issue, Issues};
use super::json::Scalar;
use super::raw::{Raw, RawSeed};
use super::require::Present;
use super::{EventTypes, Id, TypeIndex, Upcasters};

/// Reads events as producers send them and as the log holds them.
#[derive(Debug, Clone)]
pub struct Parser {
    types: Arc<EventTypes>,
    upcasters: Upcasters,
}

/// Why a text is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON. Line and column begin at 1.
    #[error("malformed JSON at line {line}, column {column}: {detail}")]
    Malformed { line: usize, column: usize, detail: String },
    /// JSON, but no valid event.
    #[error("not a valid event: {}", .0.first().map_or("", |issue| &issue.detail))]
    Invalid(Issues),
}

impl ParseError {
    /// As what is wrong with one event among several.
    pub(super) fn into_issues(self) -> Issues {
        match self {
            Self::Invalid(issues) => issues,
            malformed @ Self::Malformed { .. } => {
                vec![Issue::new("", "malformed_json", malformed.to_string())]
            }
        }
    }
}

impl Parser {
    pub fn new(types: Arc<EventTypes>, upcasters: Upcasters) -> Self {
        Self { types, upcasters }
    }

    pub fn types(&self) -> &Arc<EventTypes> {
        &self.types
    }

    pub fn upcasters(&self) -> &Upcasters {
        &self.upcasters
    }

    /// Reads one JSON object. `subject_type` is what the subject says, which the body may not contradict.
    pub fn parse<'a>(
        &self,
        json: &'a [u8],
        subject_type: Option<TypeIndex>,
    ) -> Result<Draft<'a>, ParseError> {
        self.parse_one(read_raw(json)?, json, subject_type)
    }

    /// Makes an event of what was read of it.
    pub(super) fn parse_one<'a>(
        &self,
        mut raw: Raw<'a>,
        json: &'a [u8],
        subject_type: Option<TypeIndex>,
    ) -> Result<Draft<'a>, ParseError> {
        if raw.envelope.is_some() {
            if subject_type.is_none() && !raw.has(Field::Type) {
                return Err(nested());
            }
            raw.settle().map_err(|error| malformed(&error))?;
        }
        if let Some(form) = self.form_of(&raw) {
            return self.parse_foreign(form, json, &Map::new(), subject_type);
        }
        let found = raw.schema().map_err(|issue| ParseError::Invalid(vec![issue]))?;
        if found == self.upcasters.current() {
            return self.draft(raw, subject_type).map_err(ParseError::Invalid);
        }
        self.parse_older(json, found, subject_type)
    }

    fn parse_older<'a>(
        &self,
        json: &[u8],
        found: u32,
        subject_type: Option<TypeIndex>,
    ) -> Result<Draft<'a>, ParseError> {
        let event: Map<String, Value> =
            serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        let lifted = self.upcasters.lift(found, event).map_err(|error| {
            ParseError::Invalid(vec![Issue::new(
                "/schemaVersion",
                "unknown_schema",
                error.to_string(),
            )])
        })?;
        let lifted = Value::Object(lifted).to_string();
        let mut deserializer = serde_json::Deserializer::from_str(&lifted);
        let raw = RawSeed.deserialize(&mut deserializer).map_err(|error| malformed(&error))?;
        self.draft(raw, subject_type).map(own).map_err(ParseError::Invalid)
    }

    pub(super) fn draft<'a>(
        &self,
        mut raw: Raw<'a>,
        subject_type: Option<TypeIndex>,
    ) -> Result<Draft<'a>, Issues> {
        let mut issues = std::mem::take(&mut raw.issues);
        if issues.iter().any(|issue| issue.pointer.is_empty()) {
            return Err(issues);
        }
        let event_type = self.event_type(&mut raw, subject_type, &mut issues);
        let mut id = |field, default| raw.id(field, default, &mut issues);
        let user = id(Field::User, "/userId");
        let item = id(Field::Item, "/itemId");
        let event_id = id(Field::EventId, "/eventId");
        let source = id(Field::Source, "/source");
        let retracts = id(Field::Retracts, "/retracts");
        let at = raw.time(&mut issues);
        let value = raw
            .take(Field::Value)
            .and_then(|(pointer, value)| number(pointer, &value, &mut issues));
        let received_ms = match raw.take(Field::Received) {
            Some((_, Scalar::Integer(ms))) => i64::try_from(ms).ok(),
            _ => None,
        };
        let lines = lines(std::mem::take(&mut raw.lines), &mut issues);
        if let Some(event_type) = event_type {
            let has = Present {
                user: user.is_some(),
                item: item.is_some(),
                lines: !lines.is_empty(),
                retracts: retracts.is_some(),
            };
            has.require(&self.types.spec(event_type).kind, &mut issues);
        } else {
            Present {
                user: user.is_some(),
                item: item.is_some(),
                lines: !lines.is_empty(),
                retracts: false,
            }
            .require_any(&mut issues);
        }
        match event_type {
            Some(event_type) if issues.is_empty() => Ok(Draft {
                id: event_id,
                event_type,
                user,
                item,
                lines,
                at,
                source,
                value,
                retracts,
                properties: raw.properties,
                context: raw.context,
                received_ms,
                received_from: raw.received_from,
                schema: self.upcasters.current(),
            }),
            _ => Err(issues),
        }
    }

    fn event_type(
        &self,
        raw: &mut Raw<'_>,
        subject_type: Option<TypeIndex>,
        issues: &mut Issues,
    ) -> Option<TypeIndex> {
        let (pointer, name) = match raw.take(Field::Type) {
            None => {
                if subject_type.is_none() {
                    issues.push(Issue::new("/eventType", "missing_field", "eventType is required"));
                }
                return subject_type;
            }
            Some((pointer, Scalar::Text(name))) => (pointer, name),
            Some((pointer, other)) => {
                issues.push(wrong_type(pointer, "a string", &other));
                return None;
            }
        };
        let found = self.types.find(&name);
        match (found, subject_type) {
            (None, _) => {
                let detail =
                    format!("is no configured event type; there are {}", self.types.names());
                issues.push(Issue::new(pointer, "unknown_event_type", detail));
                None
            }
            (Some(found), Some(subject)) if found != subject => {
                issues.push(Issue::new(
                    pointer,
                    "type_mismatch",
                    "is not the type that the subject names",
                ));
                None
            }
            (found, _) => found,
        }
    }
}

pub(super) fn read_raw(json: &[u8]) -> Result<Raw<'_>, ParseError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let raw = RawSeed.deserialize(&mut deserializer).map_err(|error| malformed(&error))?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(raw)
}

/// Reads an object whole, under the same bounds as properties.
pub(super) fn nested() -> ParseError {
    ParseError::Invalid(vec![Issue::new(
        "",
        "nested_batch",
        "holds several events where one is expected: send it as a request of its own",
    )])
}

/// What serde_json says, without what it may quote of the payload.
pub(super) fn malformed(error: &serde_json::Error) -> ParseError {
    use serde_json::error::Category;
    let detail = match error.classify() {
        Category::Eof => "the text ends too early",
        Category::Data => "not the expected shape",
        Category::Syntax | Category::Io => "not valid JSON",
    };
    ParseError::Malformed { line: error.line(), column: error.column(), detail: detail.to_owned() }
}

pub(super) fn own(draft: Draft<'_>) -> Draft<'static> {
    Draft {
        id: draft.id.map(Id::into_owned),
        event_type: draft.event_type,
        user: draft.user.map(Id::into_owned),
        item: draft.item.map(Id::into_owned),
        lines: draft
            .lines
            .into_iter()
            .map(|line| Line { item: line.item.into_owned(), value: line.value })
            .collect(),
        at: draft.at,
        source: draft.source.map(Id::into_owned),
        value: draft.value,
        retracts: draft.retracts.map(Id::into_owned),
        properties: draft.properties,
        received_ms: draft.received_ms,
        context: draft.context,
        received_from: draft.received_from,
        schema: draft.schema,
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
