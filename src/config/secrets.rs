//! Secrets: each from one place alone, a file of its own, a variable, or a systemd credential.
//!
//! Values are taken out of the layers before anything else looks at them, so that no problem, table or
//! Debug output can show one. Files are read when they are used, not here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};

use super::check::Problem;
use super::schema;
use super::settings::Settings;
use super::show::Row;
use super::sources::{Layer, Merged, Origin, variable};
use crate::secret::{Secret, SecretSource};

/// Where systemd puts a unit's credentials.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
const HIDDEN: &str = "(hidden)";

/// A secret and what a person calls the place where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub key: &'static str,
    pub place: String,
    pub source: SecretSource,
}

/// What was found of each secret.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Found>);

impl Secrets {
    /// Looks for systemd's credentials, `weir.arango.password` and so on.
    pub fn credentials(environment: &[(String, String)]) -> Self {
        let directory = environment
            .iter()
            .find(|(name, value)| name == CREDENTIALS_DIRECTORY && !value.is_empty());
        let Some((_, directory)) = directory else { return Self::default() };
        let found = schema::secrets().filter_map(|key| {
            let path = Path::new(directory).join(format!("weir.{key}"));
            let place = path.display().to_string();
            path.exists().then_some(Found { key, place, source: SecretSource::File(path) })
        });
        Self(found.collect())
    }

    /// Takes the secrets out of a layer; only the environment may hold any.
    pub fn take(&mut self, layer: &mut Layer, problems: &mut Vec<Problem>) {
        for key in schema::secrets() {
            let Some(value) = remove(&mut layer.values, key) else { continue };
            match (&layer.origin, value.into_string()) {
                (Origin::Environment, Some(secret)) => self.0.push(Found {
                    key,
                    place: variable(key),
                    source: SecretSource::Value(Secret::new(secret)),
                }),
                (origin, _) => {
                    let wrong = "is a secret, which does not belong there".into();
                    let advice = format!("put it into a file of its own and set {}", file_key(key));
                    problems.push(Problem::new(origin, key, wrong, advice));
                }
            }
        }
    }

    /// Adds the files that `<key>_file` names, and keeps one source a secret: two are a problem.
    pub fn settle(mut self, merged: &Merged, problems: &mut Vec<Problem>) -> Settled {
        for key in schema::secrets() {
            let value = merged.value(&file_key(key));
            if let Some((value, path)) =
                value.as_ref().and_then(|value| Some((value, value.as_str()?)))
            {
                let place = format!("{path}, by {}", merged.origin(value).name(&file_key(key)));
                self.0.push(Found { key, place, source: SecretSource::File(PathBuf::from(path)) });
            }
        }
        let mut settled: BTreeMap<&'static str, Found> = BTreeMap::new();
        for found in self.0 {
            match settled.get(found.key) {
                Some(other) if other.source != found.source => problems.push(Problem {
                    key: Some(found.key.into()),
                    source: format!("{} and {}", other.place, found.place),
                    wrong: "comes from two places".into(),
                    advice: "keep one of them".into(),
                }),
                _ => drop(settled.insert(found.key, found)),
            }
        }
        Settled(settled)
    }
}

/// One source of each secret that there is.
#[derive(Debug)]
pub(super) struct Settled(BTreeMap<&'static str, Found>);

impl Settled {
    /// Says where a secret is kept, and nothing of it.
    pub fn row(&self, key: &str) -> Row {
        self.0.get(key).map_or_else(
            || Row::unset(key),
            |found| Row::new(key, HIDDEN.into(), found.place.clone()),
        )
    }

    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Says where a secret is kept; empty if there is none.
    pub fn place_name(&self, key: &str) -> String {
        self.0.get(key).map_or_else(String::new, |found| found.place.clone())
    }

    /// Puts each where it belongs.
    pub fn place(&self, settings: &mut Settings) {
        for (key, found) in &self.0 {
            *place_of(settings, key) = Some(found.source.clone());
        }
    }

    /// Returns the files of secrets, each with its key and its place.
    pub fn into_files(self) -> Vec<Found> {
        let files = self.0.into_values();
        files.filter(|found| matches!(found.source, SecretSource::File(_))).collect()
    }
}

fn place_of<'a>(settings: &'a mut Settings, key: &str) -> &'a mut Option<SecretSource> {
    match key {
        "admin.token" => &mut settings.admin.token,
        "arango.password" => &mut settings.arango.password,
        "nats.password" => &mut settings.nats.password,
        "nats.token" => &mut settings.nats.token,
        "privacy.hash_key" => &mut settings.privacy.hash_key,
        _ => unreachable!("every secret of the schema has a place, as a test holds"),
    }
}

fn file_key(key: &str) -> String {
    format!("{key}_file")
}

fn remove(values: &mut Dict, key: &str) -> Option<Value> {
    match key.split_once('.') {
        Some((section, rest)) => match values.get_mut(section)? {
            Value::Dict(_, inner) => remove(inner, rest),
            _ => None,
        },
        None => values.remove(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn every_secret_has_a_place_in_the_settings_and_a_key_for_its_file() {
        let mut settings = load(&Sources::default()).expect("defaults are valid").settings;
        for key in schema::secrets() {
            assert_eq!(*place_of(&mut settings, key), None, "{key}");
            let file = schema::find(&file_key(key)).expect("a key for the file");
            assert_eq!(file.kind, schema::Kind::Path, "{key}");
        }
    }
}
