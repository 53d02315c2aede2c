//! The table of event types: the default set, and its checks.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::check::{Problem, listed, nearest, show_value};
use super::schema::EVENT_TYPES_KEY;
use super::sources::{Merged, Origin, insert};
use crate::event::{Declared, EventTypes, TypeError};
use crate::limits::{EVENT_TYPES, NAME_BYTES, TYPE_ALIASES};

const KINDS: &[&str] =
    &["interaction", "retraction", "user_profile", "item_profile", "user_only", "off"];
const KEYS: &[&str] = &["kind", "collection", "weight", "retracts", "aliases"];
/// Where users and items themselves are.
const VERTEX_COLLECTIONS: [&str; 2] = ["users", "items"];
const HEAVIEST: f64 = 1_000.0;

/// Adds the types that exist out of the box.
pub(super) fn defaults(values: &mut Dict) {
    let mut set = |name: &str, key: &str, value: Value| {
        insert(values, &format!("{EVENT_TYPES_KEY}.{name}.{key}"), value);
    };
    for (name, declared, weight) in EventTypes::builtin_declarations() {
        let kind = match declared {
            Declared::Interaction { collection } => {
                set(&name, "collection", collection.into());
                set(&name, "weight", weight.into());
                "interaction"
            }
            Declared::Retraction { of } => {
                set(&name, "retracts", of.into());
                "retraction"
            }
            Declared::UserProfile => "user_profile",
            Declared::ItemProfile => "item_profile",
            Declared::UserOnly => "user_only",
        };
        set(&name, "kind", kind.into());
    }
}

/// Drops from one layer what cannot be a type, and reports it.
pub(super) fn prune(types: &mut Dict, origin: &Origin, problems: &mut Vec<Problem>) {
    types.retain(|name, entry| {
        let key = format!("{EVENT_TYPES_KEY}.{name}");
        if !is_name(name) {
            let advice = format!("use 1 to {NAME_BYTES} of a-z, 0-9 and _");
            problems.push(Problem::new(
                origin,
                &key,
                "is not a name for an event type".into(),
                advice,
            ));
            return false;
        }
        let Value::Dict(_, inner) = entry else {
            let wrong = format!("is {}, not a table", show_value(entry));
            problems.push(Problem::new(
                origin,
                &key,
                wrong,
                r#"write { kind = "interaction" }"#.into(),
            ));
            return false;
        };
        inner.retain(|part, _| {
            let known = KEYS.contains(&part.as_str());
            if !known {
                let advice = nearest(part, KEYS.iter().copied());
                let key = format!("{key}.{part}");
                problems.push(Problem::new(origin, &key, "is not a key".into(), advice));
            }
            known
        });
        true
    });
}

/// Checks all types and returns each with its canonical values; types that are off are left out.
pub(super) fn check(merged: &Merged, problems: &mut Vec<Problem>) -> Vec<(String, Value)> {
    let Some(Value::Dict(_, types)) = merged.value(EVENT_TYPES_KEY) else {
        return Vec::new();
    };
    let mut checked = Vec::new();
    let mut interactions = Vec::new();
    for (name, entry) in &types {
        let Value::Dict(_, entry) = entry else {
            continue;
        };
        let mut check = Entry { merged, name, given: entry, problems };
        if let Some((key, kind)) = check.kind() {
            if kind == "interaction" {
                interactions.push(name.as_str());
            }
            checked.extend(check.values(key, kind));
        }
    }
    report_shared(merged, &checked, problems);
    report_aliases(merged, &checked, problems);
    for (key, value) in &checked {
        let retracted = value.as_str().filter(|_| key.ends_with(".retracts"));
        if let Some(retracted) = retracted
            && !interactions.contains(&retracted)
        {
            let origin = merged.value(key).map_or(&Origin::Default, |value| merged.origin(&value));
            let wrong = format!("is \"{retracted}\", which is not an interaction's type");
            problems.push(Problem::new(
                origin,
                key,
                wrong,
                nearest(retracted, interactions.iter().copied()),
            ));
        }
    }
    if types.len() > EVENT_TYPES || interactions.is_empty() {
        problems.push(Problem {
            key: Some(EVENT_TYPES_KEY.into()),
            source: "all sources".into(),
            wrong: format!("{} types, {} interactions", types.len(), interactions.len()),
            advice: format!("have at least one interaction and at most {EVENT_TYPES} types"),
        });
    }
    checked
}

/// Reports collections that two interactions would write to.
fn report_shared(merged: &Merged, checked: &[(String, Value)], problems: &mut Vec<Problem>) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let origin =
        |key: &str| merged.value(key).map_or(&Origin::Default, |value| merged.origin(&value));
    for (key, value) in checked.iter().filter(|(key, _)| key.ends_with(".collection")) {
        let Some(before) = value.as_str().and_then(|name| owners.insert(name, key)) else {
            continue;
        };
        // A default is no mistake of anybody.
        let (wrong, right) = match origin(key) {
            Origin::Default => (before, key.as_str()),
            _ => (key.as_str(), before),
        };
        let text = format!("is {}, as {right} is", show_value(value));
        let advice = "give each interaction its own".into();
        problems.push(Problem::new(origin(wrong), wrong, text, advice));
    }
}

/// Reports aliases that are no names, too many, or mean two types.
fn report_aliases(merged: &Merged, checked: &[(String, Value)], problems: &mut Vec<Problem>) {
    let parts = |key: &str| {
        let (name, part) =
            key.strip_prefix(EVENT_TYPES_KEY)?.strip_prefix('.')?.rsplit_once('.')?;
        Some((name.to_owned(), part.to_owned()))
    };
    let named = |wanted: &'static str| {
        let all = checked.iter().filter_map(move |(key, value)| Some((parts(key)?, value)));
        all.filter(move |((_, part), _)| part == wanted).map(|((name, _), value)| (name, value))
    };
    let types = named("kind").map(|(name, _)| (name, Declared::UserOnly, 0.0)).collect();
    // What is wrong with the types themselves is told elsewhere.
    let Ok(types) = EventTypes::new(types) else { return };
    let aliases = named("aliases").filter_map(|(name, value)| Some((name, listed(value)?)));
    for error in types.with_aliases(aliases).err().into_iter().flatten() {
        let (name, wrong, advice) = match error {
            TypeError::SharedAlias(name, alias, other) => (
                name,
                format!("holds \"{alias}\", which already means {other}"),
                "remove it from one".into(),
            ),
            TypeError::TooManyAliases(name, count) => {
                (name, format!("holds {count} names"), format!("keep at most {TYPE_ALIASES}"))
            }
            TypeError::Alias(name) => (
                name,
                "holds what cannot be a name".into(),
                format!("use 1 to {NAME_BYTES} bytes without control characters"),
            ),
            _ => continue,
        };
        let key = format!("{EVENT_TYPES_KEY}.{name}.aliases");
        let origin = merged.value(&key).map_or(&Origin::Default, |value| merged.origin(&value));
        problems.push(Problem::new(origin, &key, wrong, advice));
    }
}

/// The check of one type.
struct Entry<'a> {
    merged: &'a Merged,
    name: &'a str,
    given: &'a Dict,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Entry<'a> {
    fn key(&self, part: &str) -> String {
        format!("{EVENT_TYPES_KEY}.{}.{part}", self.name)
    }

    fn report(&mut self, part: &str, wrong: String, advice: String) {
        let origin = self
            .given
            .get(part)
            .or_else(|| self.given.values().next_back())
            .map_or(&Origin::Default, |value| self.merged.origin(value));
        let problem = Problem::new(origin, &self.key(part), wrong, advice);
        self.problems.push(problem);
    }

    /// Returns the kind, unless it is off or wrong.
    fn kind(&mut self) -> Option<(String, &'a str)> {
        let Some(kind) = self.given.get("kind") else {
            let advice = format!("set it to one of {}", KINDS.join(", "));
            self.report("kind", "is missing".into(), advice);
            return None;
        };
        match kind.as_str().filter(|kind| KINDS.contains(kind)) {
            Some("off") => None,
            Some(kind) => Some((self.key("kind"), kind)),
            None => {
                let wrong = format!("is {}", show_value(kind));
                let advice = nearest(kind.as_str().unwrap_or(""), KINDS.iter().copied());
                self.report("kind", wrong, advice);
                None
            }
        }
    }

    fn values(&mut self, kind_key: String, kind: &str) -> Vec<(String, Value)> {
        let fitting: &[&str] = match kind {
            "interaction" => &["collection", "weight", "aliases"],
            "retraction" => &["retracts", "aliases"],
            _ => &["aliases"],
        };
        for part in &KEYS[1..] {
            // What a default leaves behind under another kind is no mistake of anybody.
            let set = self
                .given
                .get(*part)
                .is_some_and(|value| !matches!(self.merged.origin(value), Origin::Default));
            if set && !fitting.contains(part) {
                self.report(part, format!("means nothing for kind \"{kind}\""), "remove it".into());
            }
        }
        let mut values = vec![(kind_key, Value::from(kind))];
        if kind == "interaction" {
            values.push((self.key("collection"), self.collection()));
            values.push((self.key("weight"), self.weight()));
        }
        if kind == "retraction" {
            match self.given.get("retracts").and_then(Value::as_str) {
                Some(retracted) => values.push((self.key("retracts"), retracted.into())),
                None => self.report(
                    "retracts",
                    "is missing or not text".into(),
                    "name the type of the interaction that it takes back".into(),
                ),
            }
        }
        values.extend(self.aliases().map(|aliases| (self.key("aliases"), aliases)));
        values
    }

    fn aliases(&mut self) -> Option<Value> {
        let value = self.given.get("aliases")?;
        let aliases = listed(value);
        if aliases.is_none() {
            let wrong = format!("is {}, not a list of names", show_value(value));
            self.report("aliases", wrong, r#"write ["Product Viewed", "view"]"#.into());
        }
        aliases.map(Value::from)
    }

    fn collection(&mut self) -> Value {
        let given = self.given.get("collection");
        let fallback = Value::from(self.name);
        let value = given.unwrap_or(&fallback);
        if value.as_str().is_none_or(|name| !is_collection(name)) {
            let wrong = format!("is {}, not a name for a collection", show_value(value));
            let advice = format!(
                "use 1 to {NAME_BYTES} of a-z, 0-9 and _, a letter first, and neither users nor items"
            );
            self.report("collection", wrong, advice);
        }
        value.clone()
    }

    fn weight(&mut self) -> Value {
        let Some(value) = self.given.get("weight") else {
            return 1.0.into();
        };
        let number = match value {
            Value::Num(_, number) => {
                number.to_f64().or_else(|| number.to_i128().map(|number| number as f64))
            }
            Value::String(_, text) => text.parse().ok(),
            _ => None,
        };
        if let Some(weight) = number.filter(|weight| (0.0..=HEAVIEST).contains(weight)) {
            weight.into()
        } else {
            let wrong = format!("is {}, not a weight", show_value(value));
            self.report("weight", wrong, format!("use a number from 0 to {HEAVIEST}"));
            1.0.into()
        }
    }
}

fn is_collection(name: &str) -> bool {
    is_name(name)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !VERTEX_COLLECTIONS.contains(&name)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}
