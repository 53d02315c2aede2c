//! Bytes an edge, with everything that finds it, in a process that does nothing else.

use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};
use weir::event::EventTypes;

use crate::events::{Crowd, Names, graph};
use crate::machine::resident_bytes;
use crate::table::{Line, Report, Target, Unit};

const EDGES: usize = 1_000_000;
const ID_BYTES: usize = 32;
const AT_MOST: f64 = 100.0;

pub fn measure(mut report: Report) -> anyhow::Result<Report> {
    for (uuids, ids) in [(false, "all ids of 32 bytes"), (true, "event ids that are UUIDs")] {
        eprintln!("  {ids}");
        let found = in_another_process(uuids)?;
        let number =
            |key: &str| found[key].as_f64().with_context(|| format!("the probe tells no {key}"));
        let (bytes, resident, edges) = (number("bytes")?, number("resident")?, number("edges")?);
        report.line(
            Line::new(format!("an edge, {ids}"), bytes / edges, Unit::Bytes)
                .target(Target::AtMost(AT_MOST)),
        );
        report.line(
            Line::new(
                format!("an edge, {ids}, as the process grows"),
                resident / edges,
                Unit::Bytes,
            )
            .target(Target::AtMost(AT_MOST)),
        );
    }
    report.note(format!("{EDGES} edges of 100,000 users and 20,000 items; vertices, key index and timelines included"));
    Ok(report)
}

/// What is left of earlier rows would hide the growth.
fn in_another_process(uuids: bool) -> anyhow::Result<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--bench", "--memory-of", &EDGES.to_string()]);
    if uuids {
        command.arg("--uuids");
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("the probe does not run")?;
    serde_json::from_slice(&output.stdout).context("the probe gives no result")
}

/// Fills a graph and tells what it takes.
pub fn probe(edges: usize, uuids: bool) -> Value {
    let types = Arc::new(EventTypes::builtin());
    let crowd = Crowd::new();
    let before = resident_bytes();
    let graph = graph(&types, edges, &crowd, Names { bytes: ID_BYTES, uuids });
    let grown = resident_bytes().zip(before).map(|(after, before)| after.saturating_sub(before));
    json!({ "edges": graph.edge_count(), "bytes": graph.bytes(), "resident": grown })
}
