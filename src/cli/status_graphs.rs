//! The graphs of a status, a line each, and what is wrong with them (pure).

use serde_json::Value;

use super::status_text::{ABSENT, grouped, number, word};

/// Columns that hold numbers, which stand at the right.
const NUMBERS: std::ops::Range<usize> = 3..8;

/// Renders graphs as a table.
pub(super) fn graph_table(graphs: &[Value]) -> String {
    let head = [
        "GENERATION",
        "STATE",
        "STORE",
        "APPLIED",
        "LAG",
        "RETRYING",
        "PARKED",
        "DOCUMENTS",
        "DIGEST",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(graphs.iter().map(|graph| {
        [
            word(&graph["id"]),
            word(&graph["state"]),
            word(&graph["store"]),
            number(&graph["appliedThrough"]),
            number(&graph["lag"]),
            number(&graph["retrying"]),
            number(&graph["parked"]),
            documents(graph),
            word(&graph["digest"]),
        ]
    }));
    let widths: [usize; 9] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if NUMBERS.contains(&column) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:width$}")
            }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn documents(graph: &Value) -> String {
    graph["documents"].as_object().map_or_else(
        || ABSENT.into(),
        |documents| grouped(documents.values().filter_map(Value::as_u64).sum()),
    )
}

/// Tells what is wrong with a graph, if anything is.
pub(super) fn graph_notes(graph: &Value) -> String {
    let name = || format!("{} in {}", word(&graph["id"]), word(&graph["store"]));
    let waiting = graph["waiting"]
        .as_str()
        .map(|why| format!("\n{} is not written to by this process: {why}\n", name()));
    let open = graph["breakerOpen"].as_bool().filter(|open| *open).map(|_| {
        let last = &graph["lastFailure"];
        format!(
            "\n{} fails so often that it is left alone for a while; events wait in the log. The last failure: {} ({})\n",
            name(),
            word(&last["error"]),
            word(&last["code"]),
        )
    });
    waiting.unwrap_or_default() + &open.unwrap_or_default() + &undecodable(graph)
}

fn undecodable(graph: &Value) -> String {
    let Some(count) = graph["undecodable"].as_u64().filter(|count| *count > 0) else {
        return String::new();
    };
    let last = &graph["lastUndecodable"];
    let last = if last.is_object() {
        format!(
            "; the last is {} on {}: {}",
            number(&last["sequence"]),
            word(&last["subject"]),
            word(&last["reason"])
        )
    } else {
        String::new()
    };
    format!(
        "\n{} messages of the stream were no events{last}\nweir parked list shows what is parked\n",
        grouped(count)
    )
}
