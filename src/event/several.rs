//! Several events in one document, and events in the forms of other collectors.
//!
//! Whatever is not in our own form is written anew with our names and read by the same rules; what is wrong with it
//! is pointed to where the producer wrote it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::de::DeserializeSeed;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::TypeIndex;
use super::draft::Draft;
use super::fields::Field;
use super::foreign::{Envelope, Form, from_query};
use super::issue::{Issue, Issues};
use super::json::{Bounds, Scalar, ValueSeed};
use super::parse::{ParseError, Parser, malformed, own, read_raw};
use super::raw::Raw;

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

impl Parser {
    /// Reads one event, an array of events, or an object that holds several as GA4, Segment and Google Retail
    /// send them. Each of several is valid or not for itself.
    pub fn parse_document<'a>(&self, json: &'a [u8]) -> Result<Parsed<'a>, ParseError> {
        if json.trim_ascii_start().starts_with(b"[") {
            let elements: Vec<&'a RawValue> =
                serde_json::from_slice(json).map_err(|error| malformed(&error))?;
            return Ok(Parsed::Many(each(&elements, |text| self.parse(text, None))));
        }
        let mut raw = read_raw(json)?;
        // What names its type is an event itself, whatever lists it holds.
        if raw.has(Field::Type) {
            raw.settle().map_err(|error| malformed(&error))?;
        }
        let list = raw.envelope.and_then(|(envelope, text)| Some((envelope, envelope.list(text)?)));
        let Some((envelope, list)) = list else {
            return self.parse_one(raw, json, None).map(Parsed::One);
        };
        if raw.issues.iter().any(|issue| issue.code == "duplicate_key") {
            return Err(ParseError::Invalid(raw.issues));
        }
        let elements: Vec<&'a RawValue> =
            serde_json::from_str(list.get()).map_err(|error| malformed(&error))?;
        let shared = read_shared(json)?;
        Ok(Parsed::Many(each(&elements, |text| self.parse_element(text, envelope, &shared))))
    }

    /// Reads an event that is written as the query of an address.
    pub fn parse_query<'a>(&self, query: &str) -> Result<Draft<'a>, ParseError> {
        let event = from_query(query).map_err(|issue| ParseError::Invalid(vec![issue]))?;
        self.parse_anew(event, None).map_err(ParseError::Invalid)
    }

    /// The form of an event that is not ours; what is configured, or has what only ours have, is.
    pub(super) fn form_of(&self, raw: &Raw<'_>) -> Option<Form> {
        let form = raw.form?;
        if raw.is_ours(form) || (form == Form::Segment && self.is_type_of_ours(raw)) {
            return None;
        }
        Some(form)
    }

    /// Tells whether what looks like a kind of call is a configured type, and nothing else is named.
    fn is_type_of_ours(&self, raw: &Raw<'_>) -> bool {
        let Some((pointer, Scalar::Text(name))) = &raw.scalars[Field::Type as usize] else {
            return false;
        };
        let conflicts = |issue: &Issue| issue.pointer == "/event" || issue.pointer == "/type";
        *pointer == "/type"
            && !raw.issues.iter().any(conflicts)
            && self.types().iter().any(|(_, spec)| spec.name == *name)
    }

    /// Reads an event of another form; `shared` is what an envelope says of all its events.
    pub(super) fn parse_foreign<'a>(
        &self,
        form: Form,
        json: &[u8],
        shared: &Map<String, Value>,
        subject_type: Option<TypeIndex>,
    ) -> Result<Draft<'a>, ParseError> {
        let event = form.rewrite(read_object(json)?, shared);
        let event = event.map_err(|issue| ParseError::Invalid(vec![issue]))?;
        self.parse_anew(event, subject_type).map_err(|issues| {
            ParseError::Invalid(issues.into_iter().map(|issue| form.point(issue)).collect())
        })
    }

    /// Reads what was written anew with our own names.
    fn parse_anew<'a>(
        &self,
        event: Map<String, Value>,
        subject_type: Option<TypeIndex>,
    ) -> Result<Draft<'a>, Issues> {
        let text = Value::Object(event).to_string();
        let raw = read_raw(text.as_bytes()).map_err(ParseError::into_issues)?;
        self.draft(raw, subject_type).map(own)
    }

    /// Reads one of an envelope's events.
    fn parse_element<'a>(
        &self,
        json: &'a [u8],
        envelope: Envelope,
        shared: &Map<String, Value>,
    ) -> Result<Draft<'a>, ParseError> {
        let raw = read_raw(json)?;
        let form = match envelope {
            // GA4's events have a name; with ours, that is a property.
            Envelope::Events if !raw.has(Field::Type) && raw.properties.contains_key("name") => {
                Some(Form::Ga4)
            }
            Envelope::Batch => self.form_of(&raw),
            _ => None,
        };
        match form {
            Some(form) if raw.envelope.is_none() => self.parse_foreign(form, json, shared, None),
            _ => self.parse_one(raw, json, None),
        }
    }
}

pub(super) fn each<'a>(
    elements: &[&'a RawValue],
    parse: impl Fn(&'a [u8]) -> Result<Draft<'a>, ParseError>,
) -> Vec<Result<Draft<'a>, Issues>> {
    let one =
        |element: &&'a RawValue| parse(element.get().as_bytes()).map_err(ParseError::into_issues);
    elements.iter().map(one).collect()
}

pub(super) fn read_object(json: &[u8]) -> Result<Map<String, Value>, ParseError> {
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

/// Reads what an envelope says of all its events; each of these has bounds of its own.
fn read_shared(json: &[u8]) -> Result<Map<String, Value>, ParseError> {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(json).map_err(|error| malformed(&error))?;
    let issues = RefCell::new(Issues::new());
    let bounds = Bounds::of_foreign(&issues);
    let mut shared = Map::new();
    for (key, text) in members {
        if Envelope::of_key(&key).is_some() {
            continue;
        }
        let mut deserializer = serde_json::Deserializer::from_str(text.get());
        let seed = ValueSeed { bounds: &bounds, depth: 1 };
        let value = seed.deserialize(&mut deserializer).map_err(|error| malformed(&error))?;
        shared.insert(key, value);
    }
    let issues = issues.into_inner();
    if issues.is_empty() { Ok(shared) } else { Err(ParseError::Invalid(issues)) }
}
