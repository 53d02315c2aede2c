//! What one document does to a collection: keys, edges, the overwrite modes and the version rule.

use std::collections::btree_map::{Entry, VacantEntry};

use serde_json::{Map, Value};

use super::answer::Trouble;
use super::state::Documents;

const LONGEST_KEY: usize = 254;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Conflict,
    Ignore,
    Replace,
    Update,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub mode: Mode,
    /// The attribute that must be greater for a change to happen.
    pub version: Option<String>,
    pub keep_null: bool,
    pub merge_objects: bool,
    pub return_old: bool,
    pub return_new: bool,
}

/// Where a document goes.
pub struct Target<'a> {
    pub collection: &'a str,
    pub edges: bool,
    /// A number that was never given before, for the revision and a key that is missing.
    pub tick: u64,
}

/// What is told of a document that was taken.
#[derive(Debug, PartialEq)]
pub struct Written {
    pub key: String,
    pub rev: String,
    pub old_rev: Option<String>,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// Puts a document in, as the mode says.
pub fn put(
    documents: &mut Documents,
    target: &Target<'_>,
    given: Value,
    options: &Options,
) -> Result<Written, Trouble> {
    let Value::Object(given) = given else {
        return Err(Trouble::new(1227, "invalid document type"));
    };
    let key = key_of(&given, target.tick)?;
    // One way down the tree, whatever is met there.
    match (documents.entry(key.clone()), options.mode) {
        (Entry::Vacant(place), _) => insert(place, target, key, given, options),
        (Entry::Occupied(_), Mode::Conflict) => Err(Trouble::new(
            1210,
            format!(
                "unique constraint violated - in index primary of type primary over '_key'; \
                 conflicting key: {key}"
            ),
        )),
        (Entry::Occupied(found), Mode::Ignore) => {
            let rev = rev_of(found.get());
            Ok(Written { key, rev, old_rev: None, old: None, new: None })
        }
        (Entry::Occupied(found), Mode::Replace | Mode::Update) => {
            change(found.into_mut(), target, key, given, options)
        }
    }
}

fn insert(
    place: VacantEntry<'_, String, Value>,
    target: &Target<'_>,
    key: String,
    mut given: Map<String, Value>,
    options: &Options,
) -> Result<Written, Trouble> {
    check_ends(&given, target)?;
    if options.mode == Mode::Update && !options.keep_null {
        drop_nulls(&mut given);
    }
    let rev = stamp(&mut given, target, &key);
    let document = Value::Object(given);
    let new = options.return_new.then(|| document.clone());
    place.insert(document);
    Ok(Written { key, rev, old_rev: None, old: None, new })
}

/// Replaces or updates a document that is there, if the version rule lets it.
pub fn change(
    found: &mut Value,
    target: &Target<'_>,
    key: String,
    mut given: Map<String, Value>,
    options: &Options,
) -> Result<Written, Trouble> {
    let old_rev = rev_of(found);
    if let Some(attribute) = &options.version
        && outdated(&found[attribute], given.get(attribute))
    {
        let old = options.return_old.then(|| found.clone());
        let new = options.return_new.then(|| found.clone());
        return Ok(Written { key, rev: old_rev.clone(), old_rev: Some(old_rev), old, new });
    }
    if options.mode == Mode::Update {
        let mut merged = found.as_object().cloned().unwrap_or_default();
        merge(&mut merged, given, options.merge_objects);
        if !options.keep_null {
            drop_nulls(&mut merged);
        }
        given = merged;
    }
    check_ends(&given, target)?;
    let rev = stamp(&mut given, target, &key);
    let before = std::mem::replace(found, Value::Object(given));
    let new = options.return_new.then(|| found.clone());
    let old = options.return_old.then_some(before);
    Ok(Written { key, rev, old_rev: Some(old_rev), old, new })
}

/// The version rule: both sides are numbers without a sign, and the new one is not greater.
fn outdated(found: &Value, given: Option<&Value>) -> bool {
    match (version(found), given.and_then(version)) {
        (Some(found), Some(given)) => given <= found,
        _ => false,
    }
}

fn version(value: &Value) -> Option<u64> {
    let whole = |number: f64| (0.0..18_446_744_073_709_551_616.0).contains(&number);
    value.as_u64().or_else(|| value.as_f64().filter(|number| whole(*number)).map(|n| n as u64))
}

pub fn rev_of(document: &Value) -> String {
    document["_rev"].as_str().unwrap_or_default().to_owned()
}

fn stamp(document: &mut Map<String, Value>, target: &Target<'_>, key: &str) -> String {
    let rev = format!("_{:011x}", target.tick);
    let mut id = String::with_capacity(target.collection.len() + 1 + key.len());
    id.push_str(target.collection);
    id.push('/');
    id.push_str(key);
    document.insert("_id".to_owned(), Value::String(id));
    document.insert("_rev".to_owned(), Value::String(rev.clone()));
    document.entry("_key").or_insert_with(|| Value::String(key.to_owned()));
    rev
}

fn key_of(given: &Map<String, Value>, tick: u64) -> Result<String, Trouble> {
    match given.get("_key") {
        None => Ok(tick.to_string()),
        Some(Value::String(key)) if valid_key(key) => Ok(key.clone()),
        Some(_) => Err(Trouble::new(1221, "illegal document key")),
    }
}

pub fn valid_key(key: &str) -> bool {
    (1..=LONGEST_KEY).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.@()+,=;$!*'%:".contains(&byte))
}

fn check_ends(given: &Map<String, Value>, target: &Target<'_>) -> Result<(), Trouble> {
    let valid = |end: &str| {
        given.get(end).and_then(Value::as_str).and_then(|id| id.split_once('/')).is_some_and(
            |(collection, key)| {
                !collection.is_empty()
                    && collection.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
                    && valid_key(key)
            },
        )
    };
    if !target.edges || valid("_from") && valid("_to") {
        return Ok(());
    }
    Err(Trouble::new(
        1233,
        "expecting both `_from` and `_to` attributes to be defined in the edge document and have \
         the format `<collectionName>/<vertexKey>`",
    ))
}

fn merge(into: &mut Map<String, Value>, given: Map<String, Value>, objects: bool) {
    for (name, value) in given {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(value)) if objects => {
                merge(inner, value, objects);
            }
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

fn drop_nulls(document: &mut Map<String, Value>) {
    document.retain(|_, value| !value.is_null());
    for value in document.values_mut() {
        if let Value::Object(inner) = value {
            drop_nulls(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Documents;
    use super::{Mode, Options, Target, Written, put, valid_key};

    fn options(mode: Mode) -> Options {
        Options {
            mode,
            version: None,
            keep_null: true,
            merge_objects: true,
            return_old: false,
            return_new: false,
        }
    }

    fn versioned() -> Options {
        Options { version: Some("version".to_owned()), ..options(Mode::Replace) }
    }

    /// Puts documents one after the other; the last answer and what is there then.
    fn after(all: &[Value], options: &Options) -> (Result<Written, u32>, Documents) {
        let mut documents = Documents::new();
        let mut last = Err(0);
        for (tick, given) in all.iter().enumerate() {
            let target = Target { collection: "c", edges: false, tick: tick as u64 + 1 };
            last = put(&mut documents, &target, given.clone(), options).map_err(|t| t.number);
        }
        (last, documents)
    }

    #[test]
    fn each_mode_meets_a_document_that_is_there_in_its_own_way() {
        let two = [
            json!({"_key": "k", "a": 1, "o": {"x": 1}}),
            json!({"_key": "k", "b": 2, "o": {"y": 2}}),
        ];
        let (last, there) = after(&two, &options(Mode::Conflict));
        assert_eq!((last.unwrap_err(), &there["k"]["a"]), (1210, &json!(1)));
        let (last, there) = after(&two, &options(Mode::Ignore));
        let last = last.unwrap();
        assert_eq!((last.rev.as_str(), last.old_rev), ("_00000000001", None));
        assert_eq!(there["k"]["b"], Value::Null);
        let (last, there) = after(&two, &options(Mode::Replace));
        let last = last.unwrap();
        assert_eq!(
            (last.rev.as_str(), last.old_rev.unwrap().as_str()),
            ("_00000000002", "_00000000001")
        );
        assert_eq!((&there["k"]["a"], &there["k"]["b"]), (&Value::Null, &json!(2)));
        let (_, there) = after(&two, &options(Mode::Update));
        assert_eq!((&there["k"]["a"], &there["k"]["o"]), (&json!(1), &json!({"x": 1, "y": 2})));
    }

    #[test]
    fn a_version_that_is_not_greater_changes_nothing_and_is_no_error() {
        for (old, new, applied) in [
            (json!(5), json!(6), true),
            (json!(5), json!(5), false),
            (json!(5), json!(4), false),
            (json!(u64::MAX - 1), json!(u64::MAX), true),
            (json!(u64::MAX), json!(u64::MAX - 1), false),
            // Where either side is no version, the rule does not hold.
            (json!(5), Value::Null, true),
            (json!(5), json!(-1), true),
            (json!(5), json!("4"), true),
            (json!("9"), json!(4), true),
            (json!(-9), json!(4), true),
        ] {
            let two = [
                json!({"_key": "k", "version": old, "n": 1}),
                json!({"_key": "k", "version": new, "n": 2}),
            ];
            let (last, there) = after(&two, &versioned());
            let last = last.unwrap();
            assert_eq!(there["k"]["n"] == 2, applied, "{old} then {new}");
            assert_eq!(last.old_rev != Some(last.rev), applied);
        }
        let (_, there) = after(
            &[json!({"_key": "k", "version": 5}), json!({"_key": "k", "n": 2})],
            &versioned(),
        );
        assert_eq!(there["k"]["n"], 2);
    }

    #[test]
    fn nulls_are_kept_or_not() {
        let two = [json!({"_key": "k", "a": 1}), json!({"_key": "k", "a": null})];
        let (_, there) = after(&two, &options(Mode::Update));
        assert_eq!(there["k"].get("a"), Some(&Value::Null));
        let (_, there) = after(&two, &Options { keep_null: false, ..options(Mode::Update) });
        assert_eq!(there["k"].get("a"), None);
    }

    #[test]
    fn keys_and_ends_are_checked() {
        assert!(valid_key("=bAZ_-.@()+,=;$!*'%:") && valid_key(&"k".repeat(254)));
        for bad in ["", "a/b", "a b", "ü", "a\"b", &"k".repeat(255)] {
            assert!(!valid_key(bad), "{bad}");
        }
        let number = |given: Value| {
            let target = Target { collection: "e", edges: true, tick: 1 };
            put(&mut Documents::new(), &target, given, &options(Mode::Conflict))
                .err()
                .map(|t| t.number)
        };
        assert_eq!(number(json!({"_key": "k", "_from": "u/1", "_to": "i/1"})), None);
        assert_eq!(number(json!({"_key": "k", "_from": "u/1"})), Some(1233));
        assert_eq!(number(json!({"_key": "k", "_from": "u/1", "_to": "i"})), Some(1233));
        assert_eq!(number(json!({"_key": "k", "_from": "u/1/2", "_to": "i/1"})), Some(1233));
        assert_eq!(number(json!({"_key": 1, "_from": "u/1", "_to": "i/1"})), Some(1221));
        assert_eq!(number(json!([])), Some(1227));
    }
}
