//! Where settings come from: the layers, their order, and the name of each value's source.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;

use super::check::{Problem, Problems, check, prune};
use super::event_types;
use super::humane::format_duration;
use super::schema::{Default as FieldDefault, FIELDS, Kind};
use super::secrets::Secrets;
use super::show::Effective;

const PREFIX: &str = "WEIR_";
/// Variables with the prefix that are read elsewhere, or that a container's environment makes up for a
/// service named `weir`.
const NOT_OURS: &[&str] = &[
    "WEIR_CONFIG",
    "WEIR_ROLLOUT_CONFIG",
    "WEIR_ADMIN_URL",
    "WEIR_ADMIN_TOKEN",
    "WEIR_ADMIN_TOKEN_FILE",
    "WEIR_ADMIN_CA_FILE",
    "WEIR_ADMIN_CERT_FILE",
    "WEIR_ADMIN_KEY_FILE",
];
const NOT_OURS_PREFIXES: &[&str] = &["WEIR_SERVICE_", "WEIR_PORT", "WEIR_TEST_"];
const NATS_SERVER: &str = "WEIR_NATS_SERVER";

/// What to read besides the defaults.
#[derive(Clone, Default)]
pub struct Sources {
    /// A TOML file that must exist.
    pub file: Option<PathBuf>,
    /// Variables and values; those without `WEIR_`, or empty, are passed over.
    pub environment: Vec<(String, String)>,
    pub flags: Vec<Flag>,
}

/// The environment holds secrets, of others too.
impl fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sources")
            .field("file", &self.file)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// A setting from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// `--listen`.
    pub name: &'static str,
    /// `gateway.listen`.
    pub key: &'static str,
    pub value: String,
}

/// One source of values; later layers win.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub origin: Origin,
    pub values: Dict,
}

#[derive(Clone, Debug)]
pub(super) enum Origin {
    Default,
    File(PathBuf),
    Environment,
    Flags(Vec<Flag>),
}

impl Origin {
    /// Returns what a person calls the source of `key`.
    pub fn name(&self, key: &str) -> String {
        match self {
            Self::Default => "default".into(),
            Self::File(path) => path.display().to_string(),
            Self::Environment if key == "nats.server" => NATS_SERVER.into(),
            Self::Environment => variable(key),
            Self::Flags(flags) => {
                flags.iter().find(|flag| flag.key == key).map_or("flags", |flag| flag.name).into()
            }
        }
    }
}

/// Reads all sources, checks everything, and returns the settings or all problems.
pub fn load(sources: &Sources) -> Result<Effective, Problems> {
    let mut problems = Vec::new();
    let mut layers = vec![defaults()];
    if let Some(path) = &sources.file {
        match read_file(path) {
            Ok(layer) => layers.push(layer),
            Err(problem) => problems.push(problem),
        }
    }
    layers.push(environment(&sources.environment));
    layers.push(flags(&sources.flags));
    let mut secrets = Secrets::credentials(&sources.environment);
    for layer in &mut layers {
        secrets.take(layer, &mut problems);
        prune(layer, &mut problems);
    }
    let merged = Merged::new(layers);
    match check(&merged, secrets, &mut problems) {
        Some(effective) if problems.is_empty() => Ok(effective),
        _ => Err(Problems(problems)),
    }
}

/// The layers as one, with the source of each value.
pub(super) struct Merged {
    figment: Figment,
    layers: Vec<Layer>,
}

impl Merged {
    fn new(layers: Vec<Layer>) -> Self {
        let figment = layers
            .iter()
            .enumerate()
            .fold(Figment::new(), |figment, (index, layer)| figment.merge(Numbered(index, layer)));
        Self { figment, layers }
    }

    /// Returns the value of `key`, if any layer has one.
    pub fn value(&self, key: &str) -> Option<Value> {
        self.figment.find_value(key).ok()
    }

    /// Returns the layer that `value` comes from.
    pub fn origin(&self, value: &Value) -> &Origin {
        self.figment
            .get_metadata(value.tag())
            .and_then(|metadata| metadata.name.parse::<usize>().ok())
            .and_then(|index| self.layers.get(index))
            .map_or(&Origin::Default, |layer| &layer.origin)
    }
}

/// A layer as figment wants it; its number is found again in the metadata of each value.
struct Numbered<'a>(usize, &'a Layer);

impl Provider for Numbered<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.1.values.clone())]))
    }
}

fn defaults() -> Layer {
    let mut values = Dict::new();
    for field in FIELDS {
        let value = match (field.default, field.kind) {
            (FieldDefault::None, _) => continue,
            (FieldDefault::Text(text), _) => Value::from(text),
            (FieldDefault::Bool(truth), _) => Value::from(truth),
            (FieldDefault::Number(time), Kind::Duration(..)) => {
                Value::from(format_duration(Duration::from_millis(time)))
            }
            (FieldDefault::Number(number), _) => Value::from(number),
        };
        insert(&mut values, field.key, value);
    }
    event_types::defaults(&mut values);
    Layer { origin: Origin::Default, values }
}

fn read_file(path: &Path) -> Result<Layer, Problem> {
    let problem = |wrong: String, advice: &str| Problem {
        key: None,
        source: path.display().to_string(),
        wrong,
        advice: advice.into(),
    };
    let text = fs::read_to_string(path)
        .map_err(|error| problem(format!("cannot be read: {error}"), "check the file's path"))?;
    let values = Toml::from_str(&text).map_err(|error| {
        // Without the line itself, which may hold a secret.
        let begin = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.get(..begin).unwrap_or_default().matches('\n').count() + 1;
        problem(format!("is not TOML in line {line}: {}", error.message()), "correct that line")
    })?;
    Ok(Layer { origin: Origin::File(path.to_owned()), values })
}

/// Reads a TOML file of another form than weir's own settings; what is wrong is told with its key.
pub fn read_other<T: DeserializeOwned>(path: &Path) -> Result<T, Problems> {
    let problem = |key: Option<String>, wrong: String, advice: &str| {
        let (source, advice) = (path.display().to_string(), advice.to_owned());
        Problems(vec![Problem { key, source, wrong, advice }])
    };
    let layer = read_file(path).map_err(|problem| Problems(vec![problem]))?;
    let figment = Figment::from(Numbered(0, &layer));
    figment.extract().map_err(|error| {
        let key = (!error.path.is_empty()).then(|| error.path.join("."));
        problem(key, format!("is not valid: {}", error.kind), "correct it there")
    })
}

fn environment(variables: &[(String, String)]) -> Layer {
    let mut values = Dict::new();
    for (name, value) in variables {
        let ours = name.starts_with(PREFIX)
            && !NOT_OURS.contains(&name.as_str())
            && !NOT_OURS_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if !ours || value.is_empty() {
            continue;
        }
        let key = if name == NATS_SERVER {
            "nats.server".to_owned()
        } else {
            name[PREFIX.len()..].to_lowercase().replace("__", ".")
        };
        insert(&mut values, &key, Value::from(value.as_str()));
    }
    Layer { origin: Origin::Environment, values }
}

fn flags(flags: &[Flag]) -> Layer {
    let mut values = Dict::new();
    for flag in flags {
        insert(&mut values, flag.key, Value::from(flag.value.as_str()));
    }
    Layer { origin: Origin::Flags(flags.to_vec()), values }
}

/// Returns the variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Sets `a.b.c` in nested tables; a scalar in the way is replaced.
pub(super) fn insert(values: &mut Dict, key: &str, value: Value) {
    let Some((section, rest)) = key.split_once('.') else {
        values.insert(key.to_owned(), value);
        return;
    };
    let entry = values.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    if !matches!(entry, Value::Dict(..)) {
        *entry = Value::from(Dict::new());
    }
    if let Value::Dict(_, inner) = entry {
        insert(inner, rest, value);
    }
}
