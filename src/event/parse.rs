//! From JSON to a [`Draft`]: aliases, normalising, and everything that is wrong at once.

use std::cell::RefCell;
use std::sync::Arc;

use serde::de::DeserializeSeed;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::convert::{lines, number, wrong_type};
use super::draft::{Draft, Line};
use super::fields::Field;
use super::foreign::{
    Attributes, CloudAttributes, Envelope, attributes_of, from_query, rewrite_ga4,
};
use super::issue::{Issue, Issues};
use super::json::{Bounds, Scalar, ValueSeed};
use super::raw::{Raw, RawSeed};
use super::require::Present;
use super::{EventTypes, Id, TypeIndex, Upcasters};

/// Reads events as producers send them and as the log holds them.
#[derive(Debug, Clone)]
pub struct Parser {
    types: Arc<EventTypes>,
    upcasters: Upcasters,
}

/// What a body holds.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the hot one, and lives for a moment"
)]
pub enum Parsed<'a> {
    One(Draft<'a>),
    /// Several, each valid or not for itself.
    Many(Vec<Result<Draft<'a>, Issues>>),
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
        let raw = read_raw(json)?;
        if raw.envelope.is_some() {
            return Err(ParseError::Invalid(vec![Issue::new(
                "",
                "nested_batch",
                "holds several events where one is expected: send it as a request of its own",
            )]));
        }
        self.parse_raw(raw, json, subject_type)
    }

    /// Reads one event, an array of events, or an object that holds several as GA4, Segment and Google Retail
    /// send them. Each of several is valid or not for itself.
    pub fn parse_document<'a>(&self, json: &'a [u8]) -> Result<Parsed<'a>, ParseError> {
        if json.trim_ascii_start().starts_with(b"[") {
            let elements: Vec<&'a RawValue> =
                serde_json::from_slice(json).map_err(|error| malformed(&error))?;
            return Ok(Parsed::Many(self.each(&elements, |parser, text| parser.parse(text, None))));
        }
        let raw = read_raw(json)?;
        let Some((envelope, list)) = raw.envelope else {
            return self.parse_raw(raw, json, None).map(Parsed::One);
        };
        if raw.issues.iter().any(|issue| issue.code == "duplicate_key") {
            return Err(ParseError::Invalid(raw.issues));
        }
        let elements: Vec<&'a RawValue> =
            serde_json::from_str(list.get()).map_err(|error| malformed(&error))?;
        if envelope != Envelope::Events {
            return Ok(Parsed::Many(self.each(&elements, |parser, text| parser.parse(text, None))));
        }
        let shared = read_object(json)?;
        Ok(Parsed::Many(self.each(&elements, |parser, text| parser.parse_ga4(text, &shared))))
    }

    /// Reads an event of CloudEvents 1.0 in structured mode.
    pub fn parse_cloud_event<'a>(&self, json: &[u8]) -> Result<Draft<'a>, ParseError> {
        let mut event = read_object(json)?;
        let attributes = attributes_of(&event).map_err(ParseError::Invalid)?;
        let data =
            Attributes::data(&mut event).map_err(|issue| ParseError::Invalid(vec![issue]))?;
        self.parse_cloud(&attributes, data.as_bytes())
    }

    /// Reads a batch of them.
    pub fn parse_cloud_batch<'a>(&self, json: &'a [u8]) -> Result<Parsed<'a>, ParseError> {
        let elements: Vec<&'a RawValue> =
            serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        Ok(Parsed::Many(self.each(&elements, Self::parse_cloud_event)))
    }

    /// Reads one in binary mode: the attributes are in the headers, and `data` is JSON.
    pub fn parse_cloud_binary<'a>(
        &self,
        attributes: &CloudAttributes,
        data: &[u8],
    ) -> Result<Draft<'a>, ParseError> {
        let attributes = attributes.read().map_err(ParseError::Invalid)?;
        let data = if data.trim_ascii().is_empty() { b"{}" } else { data };
        self.parse_cloud(&attributes, data)
    }

    /// Reads an event that is written as the query of an address.
    pub fn parse_query<'a>(&self, query: &str) -> Result<Draft<'a>, ParseError> {
        let event = from_query(query).map_err(|issue| ParseError::Invalid(vec![issue]))?;
        self.parse_anew(event, None)
    }

    fn each<'a>(
        &self,
        elements: &[&'a RawValue],
        parse: impl Fn(&Self, &'a [u8]) -> Result<Draft<'a>, ParseError>,
    ) -> Vec<Result<Draft<'a>, Issues>> {
        let one = |element: &&'a RawValue| {
            parse(self, element.get().as_bytes()).map_err(|error| match error {
                ParseError::Invalid(issues) => issues,
                malformed @ ParseError::Malformed { .. } => {
                    vec![Issue::new("", "malformed_json", malformed.to_string())]
                }
            })
        };
        elements.iter().map(one).collect()
    }

    fn parse_raw<'a>(
        &self,
        raw: Raw<'a>,
        json: &'a [u8],
        subject_type: Option<TypeIndex>,
    ) -> Result<Draft<'a>, ParseError> {
        if let Some(form) = raw.form {
            let event = form.rewrite(read_object(json)?);
            let event = event.map_err(|issue| ParseError::Invalid(vec![issue]))?;
            return self.parse_anew(event, subject_type);
        }
        let found = raw.schema().map_err(|issue| ParseError::Invalid(vec![issue]))?;
        if found == self.upcasters.current() {
            return self.draft(raw, subject_type).map_err(ParseError::Invalid);
        }
        self.parse_older(json, found, subject_type)
    }

    /// Reads what was written anew with our own names.
    fn parse_anew<'a>(
        &self,
        event: Map<String, Value>,
        subject_type: Option<TypeIndex>,
    ) -> Result<Draft<'a>, ParseError> {
        let text = Value::Object(event).to_string();
        let mut raw = read_raw(text.as_bytes())?;
        raw.form = None;
        self.draft(raw, subject_type).map(own).map_err(ParseError::Invalid)
    }

    fn parse_ga4<'a>(
        &self,
        json: &'a [u8],
        shared: &Map<String, Value>,
    ) -> Result<Draft<'a>, ParseError> {
        let event = read_object(json)?;
        if event.contains_key("name") && !event.contains_key("eventType") {
            return self.parse_anew(rewrite_ga4(event, shared), None);
        }
        self.parse(json, None)
    }

    fn parse_cloud<'a>(
        &self,
        attributes: &Attributes,
        data: &[u8],
    ) -> Result<Draft<'a>, ParseError> {
        let mut raw = read_raw(data)?;
        raw.agree(Field::EventId, "/id", &attributes.id);
        raw.agree(Field::Source, "/source", &attributes.source);
        if let Some(time) = &attributes.time {
            raw.agree(Field::Timestamp, "/time", time);
        }
        if let Some(user) = &attributes.user {
            raw.agree(Field::User, "/userid", user);
        }
        let named = attributes.type_name.as_str();
        let last = named.rsplit('.').next().unwrap_or(named);
        // What names no event type may still carry one in its data.
        match [named, last].into_iter().find(|name| self.types.find(name).is_some()) {
            Some(name) if !raw.has(Field::Type) => raw.agree(Field::Type, "/type", name),
            None if !raw.has(Field::Type) => raw.agree(Field::Type, "/type", named),
            _ => {}
        }
        if let Some(subject) = &attributes.subject
            && !raw.has(Field::Item)
            && raw.lines.is_empty()
        {
            raw.agree(Field::Item, "/subject", subject);
        }
        self.draft(raw, None).map(own).map_err(ParseError::Invalid)
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

    fn draft<'a>(
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

fn read_raw(json: &[u8]) -> Result<Raw<'_>, ParseError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let raw = RawSeed.deserialize(&mut deserializer).map_err(|error| malformed(&error))?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(raw)
}

/// Reads an object whole, under the same bounds as properties.
fn read_object(json: &[u8]) -> Result<Map<String, Value>, ParseError> {
    let issues = RefCell::new(Issues::new());
    let bounds = Bounds::of_foreign(&issues);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let seed = ValueSeed { bounds: &bounds, depth: 0 };
    let value = seed.deserialize(&mut deserializer).map_err(|error| malformed(&error))?;
    deserializer.end().map_err(|error| malformed(&error))?;
    let mut issues = issues.into_inner();
    match value {
        Value::Object(object) if issues.is_empty() => Ok(object),
        Value::Object(_) => Err(ParseError::Invalid(issues)),
        _ => {
            issues.push(Issue::new("", "invalid_type", "an event must be an object"));
            Err(ParseError::Invalid(issues))
        }
    }
}

/// What serde_json says, without what it may quote of the payload.
fn malformed(error: &serde_json::Error) -> ParseError {
    use serde_json::error::Category;
    let detail = match error.classify() {
        Category::Eof => "the text ends too early",
        Category::Data => "not the expected shape",
        Category::Syntax | Category::Io => "not valid JSON",
    };
    ParseError::Malformed { line: error.line(), column: error.column(), detail: detail.to_owned() }
}

fn own(draft: Draft<'_>) -> Draft<'static> {
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
