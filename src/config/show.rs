//! The effective settings for people and machines, secrets hidden, each with its source.

use std::fs;

use serde::Serialize;

use super::check::Problem;
use super::secrets::Found;
use super::settings::Settings;

/// Files that are read beside those of secrets.
const FILES: [&str; 9] = [
    "tls.cert_file",
    "tls.key_file",
    "admin.tls_cert_file",
    "admin.tls_key_file",
    "admin.client_ca_file",
    "nats.credentials_file",
    "nats.ca_file",
    "arango.ca_file",
    "access.jwt.jwks_file",
];

/// The settings and where each came from.
#[derive(Clone, Debug)]
pub struct Effective {
    pub settings: Settings,
    pub(super) rows: Vec<Row>,
    /// The secrets that are kept in files.
    pub(super) secrets: Vec<Found>,
}

/// One key as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    key: String,
    /// Absent if nothing sets it.
    value: Option<String>,
    source: String,
}

impl Row {
    pub fn new(key: &str, value: String, source: String) -> Self {
        Self { key: key.to_owned(), value: Some(value), source }
    }

    pub fn unset(key: &str) -> Self {
        Self { key: key.to_owned(), value: None, source: "default".into() }
    }
}

impl Effective {
    /// Returns a table of key, value and source.
    pub fn to_text(&self) -> String {
        let shown = |row: &Row| row.value.clone().unwrap_or_else(|| "(not set)".into());
        let key = self.rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
        let value = self.rows.iter().map(|row| shown(row).len()).max().unwrap_or(0);
        self.rows
            .iter()
            .map(|row| format!("{:key$}  {:value$}  {}\n", row.key, shown(row), row.source))
            .collect::<Vec<_>>()
            .concat()
    }

    /// Returns a problem for each file that is named and cannot be read now. Never tells what is in one.
    pub fn unreadable(&self) -> Vec<Problem> {
        let problem = |key: &str, source: &str, wrong: String| Problem {
            key: Some(key.to_owned()),
            source: source.to_owned(),
            wrong: format!("cannot be used: {wrong}"),
            advice: "check the path and who may read it".into(),
        };
        let secrets = self.secrets.iter().filter_map(|found| {
            let error = found.source.read().err()?;
            Some(problem(found.key, &found.place, error.to_string()))
        });
        let others = self.rows.iter().filter(|row| FILES.contains(&row.key.as_str()));
        let others = others.filter_map(|row| {
            let path = row.value.as_deref()?;
            let error = fs::read(path).err()?;
            Some(problem(&row.key, &row.source, format!("{path}: {error}")))
        });
        secrets.chain(others).collect()
    }

    /// Returns the table as JSON: `[{"key", "value", "source"}]`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.rows).expect("strings always serialize")
    }
}
