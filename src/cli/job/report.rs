//! What a verification came to: documents, digests, and what differs (pure).

use super::text::{plain, span};
use crate::cli::status_text::grouped;
use crate::cli::table::table;
use crate::replay::{Found, Report};

/// Most documents that are listed for a person.
const FOUND_SHOWN: usize = 50;

/// Renders a report.
pub(super) fn report_text(report: &Report) -> String {
    let mut text = format!(
        "\ncompared   through {}, in {}\n\
         documents  {} by the log, {} in the graph\n\
         digest     {} by the log\n           {} in the graph\n",
        grouped(report.through),
        span(report.seconds),
        grouped(report.expected_documents),
        grouped(report.found_documents),
        digest(&report.expected_digest),
        digest(&report.found_digest),
    );
    text.push_str(&match report.differences() {
        0 => "same       no document differs from what the log says\n".to_owned(),
        differences => format!(
            "DIFFERS    {}: {} missing, {} extra, {} with another body\n",
            if differences == 1 {
                "1 document".to_owned()
            } else {
                format!("{} documents", grouped(differences))
            },
            grouped(report.missing),
            grouped(report.extra),
            grouped(report.other_body),
        ),
    });
    if report.pending > 0 {
        text.push_str(&format!(
            "pending    {} documents of events that wait to be tried again or are parked\n",
            grouped(report.pending)
        ));
    }
    if report.unprovable > 0 {
        text.push_str(&format!(
            "unprovable {} documents of events that the log does not hold any more\n",
            grouped(report.unprovable)
        ));
    }
    text + &found_lines(report)
}

fn digest(digest: &str) -> String {
    if digest.is_empty() { "-".to_owned() } else { plain(digest) }
}

fn found_lines(report: &Report) -> String {
    if report.found.is_empty() {
        return String::new();
    }
    let head = ["COLLECTION", "KEY", "WHAT", "BY THE LOG", "FOUND", "EVENTS"].map(str::to_owned);
    let shown = report.found.iter().take(FOUND_SHOWN);
    let rows: Vec<_> = std::iter::once(head).chain(shown.map(row)).collect();
    let told = report.differences() + report.pending + report.unprovable;
    let left = told.saturating_sub(rows.len() as u64 - 1);
    let more = if left > 0 {
        format!("and {} more documents; --json tells those that the job keeps\n", grouped(left))
    } else {
        String::new()
    };
    format!("\n{}{more}", table(&rows, &(0..0)))
}

fn row(found: &Found) -> [String; 6] {
    // A version is a hash for the most part: told in hexadecimal, it is told apart.
    let version = |version: Option<u64>| match version {
        Some(version) => format!("{version:016x}"),
        None => "-".to_owned(),
    };
    let sequences: Vec<String> = found.sequences.iter().map(|at| grouped(*at)).collect();
    [
        plain(&found.collection),
        plain(&found.key),
        plain(&found.what.replace('_', " ")),
        version(found.expected_version),
        version(found.found_version),
        if sequences.is_empty() { "-".to_owned() } else { sequences.join(" ") },
    ]
}
