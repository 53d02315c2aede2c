//! What a run found, as a table for people or JSON for machines. Pure.

use serde_json::{Value, json};

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    PerSecond,
    Milliseconds,
    Bytes,
    Seconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "1/s",
            Self::Milliseconds => "ms",
            Self::Bytes => "B",
            Self::Seconds => "s",
        }
    }

    fn text(self, value: f64) -> String {
        match self {
            Self::PerSecond if value >= 1e6 => format!("{:.2}M/s", value / 1e6),
            Self::PerSecond if value >= 1e3 => format!("{:.1}k/s", value / 1e3),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Bytes => format!("{value:.1} B"),
            Self::Seconds => format!("{value:.2} s"),
        }
    }
}

/// What a line has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    RatioAtLeast(f64),
    RatioAtMost(f64),
    AtLeast(f64),
    AtMost(f64),
}

/// What was measured in the same run to compare with.
#[derive(Debug, Clone)]
pub struct Beside {
    pub what: &'static str,
    pub value: f64,
    pub ratio: f64,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Line {
    pub what: String,
    pub value: f64,
    pub unit: Unit,
    pub beside: Option<Beside>,
    pub target: Option<Target>,
}

impl Line {
    pub fn new(what: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self { what: what.into(), value, unit, beside: None, target: None }
    }

    pub fn beside(mut self, what: &'static str, value: f64, ratio: f64) -> Self {
        self.beside = Some(Beside { what, value, ratio });
        self
    }

    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Whether the target was reached; `None` without one, or without the baseline that it needs.
    pub fn reached(&self) -> Option<bool> {
        let ratio = self.beside.as_ref().map(|beside| beside.ratio);
        match self.target? {
            Target::RatioAtLeast(bound) => ratio.map(|ratio| ratio >= bound),
            Target::RatioAtMost(bound) => ratio.map(|ratio| ratio <= bound),
            Target::AtLeast(bound) => Some(self.value >= bound),
            Target::AtMost(bound) => Some(self.value <= bound),
        }
    }

    fn target_text(&self) -> String {
        match self.target {
            None => String::new(),
            Some(Target::RatioAtLeast(bound)) => format!(">= {bound} x"),
            Some(Target::RatioAtMost(bound)) => format!("<= {bound} x"),
            Some(Target::AtLeast(bound)) => format!(">= {}", self.unit.text(bound)),
            Some(Target::AtMost(bound)) => format!("<= {}", self.unit.text(bound)),
        }
    }

    fn cells(&self, row: &str) -> [String; 7] {
        let (beside, ratio) = self.beside.as_ref().map_or_else(Default::default, |beside| {
            (
                format!("{} {}", beside.what, self.unit.text(beside.value)),
                format!("{:.2} x", beside.ratio),
            )
        });
        let reached = match (self.target, self.reached()) {
            (None, _) => "",
            (Some(_), None) => "not measured",
            (Some(_), Some(true)) => "yes",
            (Some(_), Some(false)) => "NO",
        };
        [
            row.to_owned(),
            self.what.clone(),
            self.unit.text(self.value),
            beside,
            ratio,
            self.target_text(),
            reached.to_owned(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "value": self.value,
            "unit": self.unit.name(),
            "beside": self.beside.as_ref().map(|beside| json!({ "what": beside.what, "value": beside.value, "ratio": beside.ratio })),
            "target": self.target.map(|_| self.target_text()),
            "reached": self.reached(),
        })
    }
}

/// What one row found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub row: &'static str,
    pub lines: Vec<Line>,
    pub notes: Vec<String>,
    /// Why the row could not be measured.
    pub failure: Option<String>,
}

impl Report {
    pub fn new(row: &'static str) -> Self {
        Self { row, ..Self::default() }
    }

    pub fn failed(row: &'static str, why: String) -> Self {
        Self { row, failure: Some(why), ..Self::default() }
    }

    pub fn line(&mut self, line: Line) {
        self.lines.push(line);
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

const HEAD: [&str; 7] =
    ["row", "what", "measured", "beside it, in the same run", "ratio", "target", "reached"];
const QUICK: &str = "One short round: enough to see that it runs, not to read figures from.";

/// Returns the table, and under it what each row has to say.
pub fn text(machine: &str, quick: bool, reports: &[Report]) -> String {
    let mut lines = vec![machine.to_owned()];
    lines.extend(quick.then(|| QUICK.to_owned()));
    lines.push(String::new());
    lines.extend(aligned(reports));
    for report in
        reports.iter().filter(|report| !report.notes.is_empty() || report.failure.is_some())
    {
        lines.extend([String::new(), report.row.to_owned()]);
        lines.extend(report.failure.iter().map(|why| format!("  FAILED: {why}")));
        lines.extend(report.notes.iter().map(|note| format!("  {note}")));
    }
    lines.join("\n")
}

/// The lines of all rows under one head, in columns.
fn aligned(reports: &[Report]) -> Vec<String> {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for report in reports {
        rows.extend(report.lines.iter().map(|line| line.cells(report.row)));
    }
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let in_columns = |row: &[String; 7]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(in_columns).collect();
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    lines.insert(1, rules.join("  "));
    lines
}

pub fn json(machine: &str, quick: bool, reports: &[Report]) -> Value {
    let rows: Vec<Value> = reports
        .iter()
        .map(|report| {
            let lines: Vec<Value> = report.lines.iter().map(Line::json).collect();
            json!({ "row": report.row, "lines": lines, "notes": report.notes, "failure": report.failure })
        })
        .collect();
    json!({ "machine": machine, "quick": quick, "rows": rows })
}
