//! JSON values with bounds: depth, keys, exact numbers, and no key twice.
//!
//! Seeds that note what is wrong and go on, so that a producer hears of everything at once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::issue::{Issue, Issues};
use crate::limits::{
    EXACT_INTEGER, FOREIGN_KEYS, PROPERTY_DEPTH, PROPERTY_KEY_BYTES, PROPERTY_KEYS,
};

/// A JSON value as a field of an event may hold it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Integer(i128),
    Float(f64),
    Null,
    /// What stands there instead of a scalar.
    Other(&'static str),
}

pub(super) struct ScalarSeed;

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(number.into()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(number))
    }
    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other("a boolean"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an array"))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an object"))
    }
}

/// What a bounded value has used of its bounds, and what is wrong with it.
pub(super) struct Bounds<'i> {
    pub issues: &'i RefCell<Issues>,
    pub pointer: &'static str,
    most_keys: usize,
    keys: std::cell::Cell<usize>,
}

impl<'i> Bounds<'i> {
    pub fn new(issues: &'i RefCell<Issues>, pointer: &'static str) -> Self {
        Self { issues, pointer, most_keys: PROPERTY_KEYS, keys: std::cell::Cell::new(0) }
    }

    /// Goes on counting after what is there already.
    pub fn beside(self, object: &Map<String, Value>) -> Self {
        self.keys.set(count_of(object));
        self
    }

    /// The bounds of a whole event of another form, whose lines have keys of their own.
    pub fn of_foreign(issues: &'i RefCell<Issues>) -> Self {
        Self { most_keys: FOREIGN_KEYS, ..Self::new(issues, "") }
    }

    fn note(&self, code: &'static str, detail: impl Into<Cow<'static, str>>) {
        self.issues.borrow_mut().push(Issue::new(self.pointer, code, detail));
    }

    /// Counts one more key or element; the first one too many is noted.
    fn count(&self) -> bool {
        let keys = self.keys.get() + 1;
        self.keys.set(keys);
        let most = self.most_keys;
        if keys == most + 1 {
            self.note("too_many_keys", format!("holds more than {most} keys and elements"));
        }
        keys <= most
    }
}

fn count_of(object: &Map<String, Value>) -> usize {
    object.values().map(|value| 1 + count_within(value)).sum()
}

fn count_within(value: &Value) -> usize {
    match value {
        Value::Object(object) => count_of(object),
        Value::Array(elements) => elements.iter().map(|element| 1 + count_within(element)).sum(),
        _ => 0,
    }
}

pub(super) struct ValueSeed<'b, 'i> {
    pub bounds: &'b Bounds<'i>,
    pub depth: usize,
}

impl ValueSeed<'_, '_> {
    fn deeper(&self) -> Option<Self> {
        if self.depth >= PROPERTY_DEPTH {
            self.bounds.note("too_deep", format!("is nested deeper than {PROPERTY_DEPTH} levels"));
            return None;
        }
        Some(Self { bounds: self.bounds, depth: self.depth + 1 })
    }

    fn integer(&self, fits: bool, number: Number) -> Value {
        if !fits {
            self.bounds.note(
                "number_out_of_range",
                "holds an integer beyond 2^53, which is not exact everywhere: send it as text",
            );
        }
        Value::Number(number)
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(self.integer(number.unsigned_abs() <= EXACT_INTEGER, number.into()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(self.integer(number <= EXACT_INTEGER, number.into()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        let Some(inner) = self.deeper() else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        while let Some(element) = seq.next_element_seed(ValueSeed { ..inner })? {
            if self.bounds.count() {
                elements.push(element);
            }
        }
        Ok(Value::Array(elements))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let Some(inner) = self.deeper() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        };
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let value = map.next_value_seed(ValueSeed { ..inner })?;
            insert_bounded(&mut object, self.bounds, &key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Inserts a member, or notes why it cannot be one.
pub(super) fn insert_bounded(
    object: &mut Map<String, Value>,
    bounds: &Bounds<'_>,
    key: &str,
    value: Value,
) {
    if key.is_empty() || key.len() > PROPERTY_KEY_BYTES || key.chars().any(char::is_control) {
        bounds.note("invalid_key", format!("holds a key that has not 1 to {PROPERTY_KEY_BYTES} bytes without control characters"));
    } else if bounds.count() && object.insert(key.to_owned(), value).is_some() {
        bounds.note("duplicate_key", "holds a key twice");
    }
}
