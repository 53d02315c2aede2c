//! From JSON to a [`Draft`]: aliases, normalising, and everything that is wrong at once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::draft::{Draft, Line};
use super::issue::{Issue, Issues};
use super::json::{Bounds, Scalar, ScalarSeed, ValueSeed, insert_bounded};
use super::{EventTime, EventTypes, Id, Kind, TypeIndex, Upcasters};
use crate::limits::{EXACT_INTEGER, ORDER_LINES};

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

/// The fields that have a place of their own, with the names that producers use for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    User,
    Item,
    Lines,
    Type,
    EventId,
    Timestamp,
    Source,
    Value,
    Retracts,
    Received,
    Schema,
    Properties,
}

const FIELDS: usize = Field::Properties as usize + 1;

#[rustfmt::skip]
fn field_of(key: &str) -> Option<(Field, &'static str)> {
    Some(match key {
        "userId" => (Field::User, "/userId"),
        "user_id" => (Field::User, "/user_id"),
        "distinct_id" => (Field::User, "/distinct_id"),
        "visitorId" => (Field::User, "/visitorId"),
        "client_id" => (Field::User, "/client_id"),
        "itemId" => (Field::Item, "/itemId"),
        "item_id" => (Field::Item, "/item_id"),
        "product_id" => (Field::Item, "/product_id"),
        "sku" => (Field::Item, "/sku"),
        "items" => (Field::Lines, "/items"),
        "eventType" => (Field::Type, "/eventType"),
        "event_type" => (Field::Type, "/event_type"),
        "event" => (Field::Type, "/event"),
        "type" => (Field::Type, "/type"),
        "event_name" => (Field::Type, "/event_name"),
        "eventId" => (Field::EventId, "/eventId"),
        "messageId" => (Field::EventId, "/messageId"),
        "insert_id" => (Field::EventId, "/insert_id"),
        "$insert_id" => (Field::EventId, "/$insert_id"),
        "uuid" => (Field::EventId, "/uuid"),
        "timestamp" => (Field::Timestamp, "/timestamp"),
        "occurredAt" => (Field::Timestamp, "/occurredAt"),
        "eventTime" => (Field::Timestamp, "/eventTime"),
        "time" => (Field::Timestamp, "/time"),
        "originalTimestamp" => (Field::Timestamp, "/originalTimestamp"),
        "source" => (Field::Source, "/source"),
        "value" => (Field::Value, "/value"),
        "retracts" => (Field::Retracts, "/retracts"),
        "receivedAt" => (Field::Received, "/receivedAt"),
        "schemaVersion" => (Field::Schema, "/schemaVersion"),
        "properties" => (Field::Properties, "/properties"),
        _ => return None,
    })
}

/// An event as it was written: scalars by field, the rest as properties.
struct Raw<'a> {
    scalars: [Option<(&'static str, Scalar<'a>)>; FIELDS],
    lines: Vec<(Scalar<'a>, Scalar<'a>)>,
    properties: Map<String, Value>,
    issues: Issues,
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
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let raw = RawSeed.deserialize(&mut deserializer).map_err(|error| malformed(&error))?;
        deserializer.end().map_err(|error| malformed(&error))?;
        let found = raw.schema().map_err(|issue| ParseError::Invalid(vec![issue]))?;
        if found == self.upcasters.current() {
            return self.draft(raw, subject_type).map_err(ParseError::Invalid);
        }
        self.parse_older(json, found, subject_type)
    }

    /// Reads a JSON array of events; each element is valid or not for itself.
    pub fn parse_array<'a>(
        &self,
        json: &'a [u8],
    ) -> Result<Vec<Result<Draft<'a>, Issues>>, ParseError> {
        let elements: Vec<&'a serde_json::value::RawValue> =
            serde_json::from_slice(json).map_err(|error| malformed(&error))?;
        Ok(elements
            .into_iter()
            .map(|element| match self.parse(element.get().as_bytes(), None) {
                Ok(draft) => Ok(draft),
                Err(ParseError::Invalid(issues)) => Err(issues),
                Err(error @ ParseError::Malformed { .. }) => {
                    Err(vec![Issue::new("", "malformed_json", error.to_string())])
                }
            })
            .collect())
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
                received_ms,
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

/// Which parts an event has.
struct Present {
    user: bool,
    item: bool,
    lines: bool,
    retracts: bool,
}

impl Present {
    fn require(&self, kind: &Kind, issues: &mut Issues) {
        let (needs_user, needs_item) = match kind {
            Kind::Interaction { .. } | Kind::Retraction { .. } => (true, true),
            Kind::UserProfile | Kind::UserOnly => (true, false),
            Kind::ItemProfile => (false, true),
        };
        let retraction = matches!(kind, Kind::Retraction { .. });
        let mut missing = |absent: bool, pointer: &'static str, detail: &'static str| {
            if absent && !issues.iter().any(|issue| issue.pointer == pointer) {
                issues.push(Issue::new(pointer, "missing_field", detail));
            }
        };
        missing(needs_user && !self.user, "/userId", "userId is required");
        missing(needs_item && !self.item && !self.lines, "/itemId", "itemId is required");
        missing(
            retraction && !self.retracts,
            "/retracts",
            "retracts is required: the id of the event that is taken back",
        );
        if self.retracts && !retraction {
            issues.push(Issue::new(
                "/retracts",
                "unexpected_field",
                "only a retraction may name an event it takes back",
            ));
        }
        if self.item && self.lines {
            issues.push(Issue::new(
                "/items",
                "unexpected_field",
                "has itemId as well: send one of the two",
            ));
        }
        if self.lines && matches!(kind, Kind::ItemProfile) {
            issues.push(Issue::new(
                "/items",
                "unexpected_field",
                "a profile is of one item: send itemId",
            ));
        }
    }

    /// With an unknown type, what nearly every type needs.
    fn require_any(&self, issues: &mut Issues) {
        for (absent, pointer, detail) in [
            (!self.user, "/userId", "userId is required"),
            (!self.item && !self.lines, "/itemId", "itemId is required"),
        ] {
            if absent && !issues.iter().any(|issue| issue.pointer == pointer) {
                issues.push(Issue::new(pointer, "missing_field", detail));
            }
        }
    }
}

impl<'a> Raw<'a> {
    fn new() -> Self {
        Self {
            scalars: Default::default(),
            lines: Vec::new(),
            properties: Map::new(),
            issues: Vec::new(),
        }
    }

    /// Takes a field's value; null is the same as absent.
    fn take(&mut self, field: Field) -> Option<(&'static str, Scalar<'a>)> {
        self.scalars[field as usize].take().filter(|(_, value)| *value != Scalar::Null)
    }

    fn set(&mut self, field: Field, pointer: &'static str, value: Scalar<'a>) {
        match &self.scalars[field as usize] {
            Some((before, _)) if *before == pointer => {
                self.issues.push(Issue::new(pointer, "duplicate_key", "stands there twice"));
            }
            Some((before, known))
                if *known != value && value != Scalar::Null && *known != Scalar::Null =>
            {
                let detail = format!("differs from {before}, another name of the same field");
                self.issues.push(Issue::new(pointer, "conflicting_alias", detail));
            }
            Some((_, known)) if *known != Scalar::Null => {}
            _ => self.scalars[field as usize] = Some((pointer, value)),
        }
    }

    fn schema(&self) -> Result<u32, Issue> {
        match &self.scalars[Field::Schema as usize] {
            None | Some((_, Scalar::Null)) => Ok(1),
            Some((_, Scalar::Integer(version))) if (1..=i128::from(u32::MAX)).contains(version) => {
                Ok(*version as u32)
            }
            Some(_) => Err(Issue::new(
                "/schemaVersion",
                "unknown_schema",
                "is no schema version: a whole number from 1",
            )),
        }
    }

    fn id(&mut self, field: Field, pointer: &'static str, issues: &mut Issues) -> Option<Id<'a>> {
        let (pointer, value) =
            self.take(field).map_or((pointer, None), |(pointer, value)| (pointer, Some(value)));
        id(pointer.into(), value?, issues)
    }

    fn time(&mut self, issues: &mut Issues) -> Option<EventTime> {
        let (pointer, value) = self.take(Field::Timestamp)?;
        let time = match &value {
            Scalar::Text(text) => EventTime::parse(text),
            Scalar::Integer(epoch) => EventTime::from_epoch(*epoch as f64),
            Scalar::Float(epoch) => EventTime::from_epoch(*epoch),
            other => {
                issues.push(wrong_type(pointer, "RFC 3339 or an epoch", other));
                return None;
            }
        };
        time.map_err(|error| {
            issues.push(Issue::new(pointer, "invalid_timestamp", error.to_string()));
        })
        .ok()
    }
}

fn id<'a>(pointer: Cow<'static, str>, value: Scalar<'a>, issues: &mut Issues) -> Option<Id<'a>> {
    let text = match value {
        Scalar::Text(text) => text,
        Scalar::Integer(number) => Cow::Owned(number.to_string()),
        other => {
            issues.push(wrong_type(pointer, "a string or an integer", &other));
            return None;
        }
    };
    Id::new(text)
        .map_err(|error| issues.push(Issue::new(pointer, "invalid_id", error.to_string())))
        .ok()
}

fn number(
    pointer: impl Into<Cow<'static, str>>,
    value: &Scalar<'_>,
    issues: &mut Issues,
) -> Option<f64> {
    match value {
        Scalar::Float(number) => Some(*number),
        Scalar::Integer(number) if number.unsigned_abs() <= u128::from(EXACT_INTEGER) => {
            Some(*number as f64)
        }
        Scalar::Integer(_) => {
            issues.push(Issue::new(pointer, "number_out_of_range", "is an integer beyond 2^53"));
            None
        }
        other => {
            issues.push(wrong_type(pointer, "a number", other));
            None
        }
    }
}

fn lines<'a>(raw: Vec<(Scalar<'a>, Scalar<'a>)>, issues: &mut Issues) -> Vec<Line<'a>> {
    if raw.len() > ORDER_LINES {
        issues.push(Issue::new(
            "/items",
            "too_many_lines",
            format!("has more than {ORDER_LINES} lines"),
        ));
        return Vec::new();
    }
    let mut lines = Vec::with_capacity(raw.len());
    for (index, (item, value)) in raw.into_iter().enumerate() {
        let value = match value {
            Scalar::Null => None,
            value => number(format!("/items/{index}/value"), &value, issues),
        };
        let pointer = format!("/items/{index}/itemId");
        if item == Scalar::Null {
            issues.push(Issue::new(pointer, "missing_field", "itemId is required"));
        } else if let Some(item) = id(pointer.into(), item, issues) {
            lines.push(Line { item, value });
        }
    }
    lines
}

fn wrong_type(pointer: impl Into<Cow<'static, str>>, wanted: &str, found: &Scalar<'_>) -> Issue {
    let found = match found {
        Scalar::Text(_) => "a string",
        Scalar::Integer(_) | Scalar::Float(_) => "a number",
        Scalar::Null => "null",
        Scalar::Other(name) => name,
    };
    Issue::new(pointer, "invalid_type", format!("must be {wanted}, not {found}"))
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
        schema: draft.schema,
    }
}

struct RawSeed;

impl<'de> DeserializeSeed<'de> for RawSeed {
    type Value = Raw<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn not_an_object<'a>(found: &str) -> Raw<'a> {
    let mut raw = Raw::new();
    raw.issues.push(Issue::new(
        "",
        "invalid_type",
        format!("an event must be an object, not {found}"),
    ));
    raw
}

impl<'de> Visitor<'de> for RawSeed {
    type Value = Raw<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }
    fn visit_str<E>(self, _: &str) -> Result<Raw<'de>, E> {
        Ok(not_an_object("a string"))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Raw<'de>, E> {
        Ok(not_an_object("a number"))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Raw<'de>, E> {
        Ok(not_an_object("a number"))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Raw<'de>, E> {
        Ok(not_an_object("a number"))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Raw<'de>, E> {
        Ok(not_an_object("a boolean"))
    }
    fn visit_unit<E>(self) -> Result<Raw<'de>, E> {
        Ok(not_an_object("null"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(not_an_object("an array"))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
        let mut raw = Raw::new();
        let issues = RefCell::new(Vec::new());
        let bounds = Bounds::new(&issues, "/properties");
        while let Some(key) = map.next_key_seed(KeySeed)? {
            match field_of(&key) {
                Some((Field::Properties, pointer)) => {
                    let before =
                        raw.scalars[Field::Properties as usize].replace((pointer, Scalar::Null));
                    if before.is_some() {
                        issues.borrow_mut().push(Issue::new(
                            pointer,
                            "duplicate_key",
                            "stands there twice",
                        ));
                    }
                    match map.next_value_seed(ValueSeed { bounds: &bounds, depth: 0 })? {
                        Value::Object(object) => merge(&mut raw.properties, object, &bounds),
                        Value::Null => {}
                        _ => issues.borrow_mut().push(Issue::new(
                            pointer,
                            "invalid_type",
                            "must be an object",
                        )),
                    }
                }
                Some((Field::Lines, pointer)) => {
                    let before =
                        raw.scalars[Field::Lines as usize].replace((pointer, Scalar::Null));
                    if before.is_some() {
                        issues.borrow_mut().push(Issue::new(
                            pointer,
                            "duplicate_key",
                            "stands there twice",
                        ));
                    }
                    match map.next_value_seed(LinesSeed)? {
                        Some(lines) => raw.lines = lines,
                        None => issues.borrow_mut().push(Issue::new(
                            pointer,
                            "invalid_type",
                            "must be an array of objects with itemId",
                        )),
                    }
                }
                Some((field, pointer)) => {
                    let value = map.next_value_seed(ScalarSeed)?;
                    raw.set(field, pointer, value);
                }
                None => {
                    let value = map.next_value_seed(ValueSeed { bounds: &bounds, depth: 1 })?;
                    insert_bounded(&mut raw.properties, &bounds, &key, value);
                }
            }
        }
        raw.issues.append(&mut issues.borrow_mut());
        Ok(raw)
    }
}

/// Puts the members of `properties` beside the unknown fields that came before it.
fn merge(properties: &mut Map<String, Value>, object: Map<String, Value>, bounds: &Bounds<'_>) {
    if properties.is_empty() {
        *properties = object;
        return;
    }
    for (key, value) in object {
        insert_bounded(properties, bounds, &key, value);
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }
    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Reads `[{"itemId", "value"}, …]`; `None` for anything of another shape.
struct LinesSeed;

impl<'de> DeserializeSeed<'de> for LinesSeed {
    type Value = Option<Vec<(Scalar<'de>, Scalar<'de>)>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let elements: Vec<&'de serde_json::value::RawValue> =
            serde::Deserialize::deserialize(deserializer)?;
        Ok(elements.into_iter().map(line).collect())
    }
}

fn line(element: &serde_json::value::RawValue) -> Option<(Scalar<'_>, Scalar<'_>)> {
    let mut deserializer = serde_json::Deserializer::from_str(element.get());
    let mut raw = RawSeed.deserialize(&mut deserializer).ok()?;
    if !raw.issues.is_empty() {
        return None;
    }
    let mut take = |field| raw.take(field).map_or(Scalar::Null, |(_, value)| value);
    Some((take(Field::Item), take(Field::Value)))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
