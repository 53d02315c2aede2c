//! Picking values out of what others send.

use serde_json::{Map, Value, json};

use crate::limits::PROPERTY_KEYS;

/// Takes the first of these keys that holds something.
pub(super) fn first(object: &mut Map<String, Value>, keys: &[&str]) -> Option<Value> {
    let key = keys.iter().find(|key| object.get(**key).is_some_and(holds))?;
    object.remove(*key)
}

/// Clients that do not know an id yet send it empty.
fn holds(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

/// Takes an object; anything else under the key stays.
pub(super) fn object(from: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match from.get(key) {
        Some(Value::Object(_)) => match from.remove(key) {
            Some(Value::Object(inner)) => inner,
            _ => Map::new(),
        },
        _ => Map::new(),
    }
}

/// Sets a key, if there is something to set.
pub(super) fn set(object: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value);
    }
}

/// What a line is worth: its price, as often as it is there.
pub(super) fn amount(line: &Map<String, Value>) -> Option<Value> {
    let quantity = number(line, &["quantity"]).unwrap_or(1.0);
    let amount = number(line, &["price"])? * quantity;
    amount.is_finite().then(|| json!(amount))
}

/// Returns the first of these keys that holds a number, or a text that is one.
pub(super) fn worth(object: &Map<String, Value>, keys: &[&str]) -> Option<Value> {
    number(object, keys).map(|number| json!(number))
}

fn number(object: &Map<String, Value>, keys: &[&str]) -> Option<f64> {
    let read = |value: &Value| match value {
        Value::String(text) => text.trim().parse::<f64>().ok().filter(|number| number.is_finite()),
        other => other.as_f64(),
    };
    keys.iter().find_map(|key| read(object.get(*key)?))
}

/// One line with our names.
pub(super) fn line(item: Option<Value>, value: Option<Value>) -> Value {
    let mut line = Map::new();
    set(&mut line, "itemId", item);
    set(&mut line, "value", value);
    Value::Object(line)
}

/// The lines of an order; what is no object among them is left for the parser to refuse.
pub(super) fn lines(products: &[Value], line: impl Fn(&Map<String, Value>) -> Value) -> Value {
    let each = |product: &Value| match product {
        Value::Object(product) => line(product),
        other => other.clone(),
    };
    products.iter().map(each).collect()
}

/// Keeps what else was said of the products, unless that is more than properties should hold.
pub(super) fn keep(properties: &mut Map<String, Value>, key: &str, products: Vec<Value>) {
    let keys: usize =
        products.iter().map(|product| 1 + product.as_object().map_or(0, Map::len)).sum();
    if keys <= PROPERTY_KEYS / 2 {
        properties.insert(key.to_owned(), Value::Array(products));
    }
}

/// Returns the first of these keys that holds something.
pub(super) fn look(object: &Map<String, Value>, keys: &[&str]) -> Option<Value> {
    keys.iter().filter_map(|key| object.get(*key)).find(|value| holds(value)).cloned()
}

/// Puts what is known of the items: one item alone needs no lines.
pub(super) fn put_items(event: &mut Map<String, Value>, lines: Value) {
    let Value::Array(mut all) = lines else { return };
    match all.as_mut_slice() {
        [] => {}
        [Value::Object(only)] => {
            let (item, value) = (only.remove("itemId"), only.remove("value"));
            set(event, "itemId", item);
            if value.is_some() {
                set(event, "value", value);
            }
        }
        _ => set(event, "items", Some(Value::Array(all))),
    }
}
