//! The effective settings for people and machines, secrets hidden, each with its source.

use serde::Serialize;

use super::settings::Settings;

/// The settings and where each came from.
#[derive(Clone, Debug)]
pub struct Effective {
    pub settings: Settings,
    pub(super) rows: Vec<Row>,
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

    /// Returns the same as JSON: `[{"key", "value", "source"}]`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.rows).expect("strings always serialize")
    }
}
