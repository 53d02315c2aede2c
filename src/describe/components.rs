//! Schemas, and the named ones that they refer to.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The named schemas of a document.
#[derive(Debug, Clone, Default)]
pub struct Components(BTreeMap<String, Value>);

/// A schema where it is used, and what brings its named ones along.
#[derive(Debug, Clone)]
pub struct Schema {
    value: Value,
    put: Option<fn(&mut Components)>,
}

impl Schema {
    /// Refers to the schema of a type that is serialised or parsed.
    pub fn of<T: ToSchema>() -> Self {
        Self { value: refer(&T::name()), put: Some(put::<T>) }
    }

    /// Refers to a schema that the document is given under this name.
    pub fn named(name: &str) -> Self {
        Self { value: refer(name), put: None }
    }

    /// A schema without a name.
    pub fn inline(value: Value) -> Self {
        Self { value, put: None }
    }

    /// Puts what it refers to in its place, and returns the schema itself.
    pub(super) fn settle(self, components: &mut Components) -> Value {
        if let Some(put) = self.put {
            put(components);
        }
        self.value
    }
}

impl Components {
    /// Gives a schema its name.
    pub fn put(&mut self, name: &str, schema: Value) {
        self.0.insert(name.to_owned(), schema);
    }

    pub fn into_json(self) -> Value {
        Value::Object(self.0.into_iter().collect())
    }
}

fn put<T: ToSchema>(components: &mut Components) {
    let mut below = Vec::new();
    T::schemas(&mut below);
    below.push((T::name().into_owned(), T::schema()));
    for (name, schema) in below {
        let mut schema = serde_json::to_value(schema).expect("a schema is plain data");
        widen(&mut schema);
        components.0.insert(name, schema);
    }
}

/// Numbers that cannot be negative have all 64 bits, and the format would take one of them away.
fn widen(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("minimum").is_some() {
                members.remove("format");
            }
            members.values_mut().for_each(widen);
        }
        Value::Array(elements) => elements.iter_mut().for_each(widen),
        _ => {}
    }
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schema of a text that is one of these.
pub fn one_of<I: IntoIterator>(values: I) -> Object
where
    I::Item: AsRef<str>,
{
    let values: Vec<String> = values.into_iter().map(|value| value.as_ref().to_owned()).collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values)).build()
}
