//! An event as it was written, before anything is made of it.
//!
//! Visitors over the JSON text: scalars go to their fields, everything else to the properties, and
//! what is wrong is noted while reading goes on.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::convert::moment;
use super::fields::{FIELDS, Field, field_of};
use super::foreign::{Envelope, Form};
use super::issue::{Issue, Issues};
use super::json::{Bounds, Scalar, ScalarSeed, ValueSeed, insert_bounded};
use super::{EventTime, ReceivedFrom};

/// An event as it was written: scalars by field, the rest as properties.
pub(super) struct Raw<'a> {
    pub scalars: [Option<(&'static str, Scalar<'a>)>; FIELDS],
    pub lines: Vec<(Scalar<'a>, Scalar<'a>)>,
    pub properties: Map<String, Value>,
    pub context: Map<String, Value>,
    pub received_from: Option<ReceivedFrom>,
    /// It is written as another collector's clients write.
    pub form: Option<Form>,
    /// It holds several events: the key, and what stands there.
    pub envelope: Option<(Envelope, &'a RawValue)>,
    pub issues: Issues,
}

impl<'a> Raw<'a> {
    pub fn new() -> Self {
        Self {
            scalars: Default::default(),
            lines: Vec::new(),
            properties: Map::new(),
            context: Map::new(),
            received_from: None,
            form: None,
            envelope: None,
            issues: Vec::new(),
        }
    }

    /// Takes a field's value; null is the same as absent.
    pub fn take(&mut self, field: Field) -> Option<(&'static str, Scalar<'a>)> {
        self.scalars[field as usize].take().filter(|(_, value)| *value != Scalar::Null)
    }

    pub fn set(&mut self, field: Field, pointer: &'static str, value: Scalar<'a>) {
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

    fn put_object(&mut self, field: Field, object: Map<String, Value>, bounds: &Bounds<'_>) {
        match field {
            Field::Context => self.context = object,
            Field::ReceivedFrom => self.received_from = Some(received_from(&object)),
            _ => merge(&mut self.properties, object, bounds),
        }
    }

    /// Knows one of Segment's calls by what stands under `type`.
    fn note_call(&mut self, value: &Scalar<'_>) {
        if let Scalar::Text(text) = value {
            self.form = self.form.or(Form::of_type(text));
        }
    }

    /// Keeps an array as it is for whoever asks for several events; anything else is a property.
    fn put_envelope(
        &mut self,
        key: &str,
        text: &'a RawValue,
        bounds: &Bounds<'_>,
    ) -> Result<(), serde_json::Error> {
        let envelope = Envelope::of_key(key);
        if let Some(envelope) = envelope.filter(|envelope| envelope.list(text).is_some()) {
            if self.envelope.replace((envelope, text)).is_some() {
                self.issues.push(Issue::new("", "duplicate_key", "holds two lists of events"));
            }
            return Ok(());
        }
        self.put_property(key, text, bounds)
    }

    fn put_property(
        &mut self,
        key: &str,
        text: &RawValue,
        bounds: &Bounds<'_>,
    ) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(text.get());
        let value = ValueSeed { bounds, depth: 1 }.deserialize(&mut deserializer)?;
        insert_bounded(&mut self.properties, bounds, key, value);
        Ok(())
    }

    /// Makes a list that looked like one of events a property, once it is known that this is an event itself.
    pub fn settle(&mut self) -> Result<(), serde_json::Error> {
        let Some((envelope, text)) = self.envelope.take() else { return Ok(()) };
        let issues = RefCell::new(Vec::new());
        let bounds = Bounds::new(&issues, "/properties").beside(&self.properties);
        self.put_property(envelope.key(), text, &bounds)?;
        self.issues.append(&mut issues.borrow_mut());
        Ok(())
    }

    /// Tells whether it is an event of ours that merely holds a key of another form.
    pub fn is_ours(&self, form: Form) -> bool {
        if form != Form::Retail {
            return false;
        }
        let own = [Field::Item, Field::Lines, Field::Properties, Field::Retracts];
        let has_marks = ["productDetails", "purchaseTransaction"]
            .iter()
            .any(|key| self.properties.contains_key(*key));
        let has_visitor = matches!(&self.scalars[Field::User as usize], Some((pointer, _)) if *pointer == "/visitorId");
        own.iter().any(|field| self.scalars[*field as usize].is_some())
            || !(has_marks || has_visitor)
            || self.issues.iter().any(|issue| issue.code == "conflicting_alias")
    }

    /// Sets what an attribute around the event says too; both must agree.
    pub fn agree(&mut self, field: Field, pointer: &'static str, text: &'a str) {
        match &self.scalars[field as usize] {
            Some((_, known)) if *known == Scalar::Null || says(field, known, text) => {}
            Some((before, _)) => {
                let detail = format!("differs from {before} in the data");
                self.issues.push(Issue::new(pointer, "conflicting_alias", detail));
                return;
            }
            None => {}
        }
        self.scalars[field as usize] = Some((pointer, Scalar::Text(Cow::Borrowed(text))));
    }

    /// Tells whether a field holds something.
    pub fn has(&self, field: Field) -> bool {
        self.scalars[field as usize].as_ref().is_some_and(|(_, value)| *value != Scalar::Null)
    }

    pub fn schema(&self) -> Result<u32, Issue> {
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
}

/// Reads one event.
pub(super) struct RawSeed;

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
                Some((
                    field @ (Field::Properties | Field::Context | Field::ReceivedFrom),
                    pointer,
                )) => {
                    let before = raw.scalars[field as usize].replace((pointer, Scalar::Null));
                    if before.is_some() {
                        issues.borrow_mut().push(twice(pointer));
                    }
                    let inner = Bounds::new(&issues, pointer);
                    let bounds = if field == Field::Properties { &bounds } else { &inner };
                    match map.next_value_seed(ValueSeed { bounds, depth: 0 })? {
                        Value::Object(object) => raw.put_object(field, object, bounds),
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
                        issues.borrow_mut().push(twice(pointer));
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
                    if pointer == "/type" {
                        raw.note_call(&value);
                    }
                    raw.set(field, pointer, value);
                }
                None if Envelope::of_key(&key).is_some() => {
                    let text: &'de RawValue = map.next_value()?;
                    raw.put_envelope(&key, text, &bounds).map_err(serde::de::Error::custom)?;
                }
                None => {
                    raw.form = raw.form.or(Form::of_key(&key));
                    let value = map.next_value_seed(ValueSeed { bounds: &bounds, depth: 1 })?;
                    insert_bounded(&mut raw.properties, &bounds, &key, value);
                }
            }
        }
        raw.issues.append(&mut issues.borrow_mut());
        Ok(raw)
    }
}

/// Tells whether a value and a text mean the same: one moment or one id may be written in several ways.
fn says(field: Field, known: &Scalar<'_>, text: &str) -> bool {
    match known {
        Scalar::Text(known) if known == text => true,
        known if field == Field::Timestamp => {
            let moment = moment(known).and_then(Result::ok);
            moment.is_some() && moment == EventTime::parse(text).ok()
        }
        Scalar::Integer(number) => number.to_string() == text,
        _ => false,
    }
}

fn twice(pointer: &'static str) -> Issue {
    Issue::new(pointer, "duplicate_key", "stands there twice")
}

/// Reads what the gateway has written of whom an event comes from.
fn received_from(object: &Map<String, Value>) -> ReceivedFrom {
    let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    ReceivedFrom {
        ip: text("ip"),
        bot: object.get("bot") == Some(&Value::Bool(true)),
        key: text("key"),
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
        let elements: Vec<&'de RawValue> = serde::Deserialize::deserialize(deserializer)?;
        Ok(elements.into_iter().map(line).collect())
    }
}

fn line(element: &RawValue) -> Option<(Scalar<'_>, Scalar<'_>)> {
    let mut deserializer = serde_json::Deserializer::from_str(element.get());
    let mut raw = RawSeed.deserialize(&mut deserializer).ok()?;
    if !raw.issues.is_empty() {
        return None;
    }
    let mut take = |field| raw.take(field).map_or(Scalar::Null, |(_, value)| value);
    Some((take(Field::Item), take(Field::Value)))
}
