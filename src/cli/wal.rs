//! `weir wal`: what the write-ahead log holds, for people and machines.

use std::io::{self, Write};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::app;
use crate::config::Settings;
use crate::wal::{LostRange, Status, VerifyReport};

pub(super) fn status(settings: &Settings, json: bool) -> Result<()> {
    let status = app::wal_status(settings)?;
    if json {
        return print(&format!("{:#}\n", serde_json::to_value(&status)?));
    }
    print(&status_text(&status))
}

/// Returns whether everything that the log promises can be read back.
pub(super) fn verify(settings: &Settings, json: bool) -> Result<bool> {
    let bar = ProgressBar::no_length()
        .with_style(ProgressStyle::with_template("{bar:30} segment {pos} of {len}  {msg}")?);
    let report = app::verify(settings, |progress| {
        bar.set_length(progress.segments as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("{} events", progress.entries));
    })?;
    bar.finish_and_clear();
    print(&if json {
        format!("{:#}\n", serde_json::to_value(&report)?)
    } else {
        report_text(&report)
    })?;
    Ok(report.is_sound())
}

pub(super) fn export(settings: &Settings, from: u64) -> Result<()> {
    let report = app::export(settings, from, io::stdout().lock())?;
    eprintln!("{} events written, the next sequence is {}", report.entries, report.next);
    Ok(())
}

fn status_text(status: &Status) -> String {
    let mut text = format!(
        "synced      through {}\npublished   through {}, {} to publish\nkept        from {}, {} segments, {} bytes\n",
        status.high_water,
        status.published,
        status.high_water.saturating_sub(status.published),
        status.oldest,
        status.segments,
        status.bytes,
    );
    if status.quarantined > 0 {
        text.push_str(&format!(
            "damage      {} segments put aside, {} events saved from them, {} lost\n",
            status.quarantined, status.salvaged, status.lost_entries
        ));
    }
    text.push_str(&ranges("lost", &status.lost));
    text
}

fn report_text(report: &VerifyReport) -> String {
    let mut text = format!(
        "{} events in {} records of {} segments\n",
        report.entries, report.records, report.segments
    );
    for fault in &report.faults {
        text.push_str(&format!("fault       segment {}: {}\n", fault.segment, fault.reason));
    }
    text.push_str(&ranges("hole", &report.holes));
    text.push_str(&ranges("lost", &report.lost));
    text.push_str(if report.is_sound() {
        "whole: all that the log promises can be read back\n"
    } else {
        "NOT WHOLE: start weir, it saves what can be read and puts the rest aside\n"
    });
    text
}

fn ranges(name: &str, ranges: &[LostRange]) -> String {
    ranges.iter().map(|range| format!("{name:<12}{} to {}\n", range.first, range.last)).collect()
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::SegmentFault;

    #[test]
    fn a_report_says_what_to_do() {
        let range = LostRange { first: 7, last: 9 };
        let sound =
            VerifyReport { segments: 2, records: 4, entries: 90, ..VerifyReport::default() };
        let fault = SegmentFault { segment: 1, reason: "the file is cut short".to_owned() };
        let broken = VerifyReport { holes: vec![range], faults: vec![fault], ..sound.clone() };
        insta::assert_snapshot!(format!("{}\n{}", report_text(&sound), report_text(&broken)));
    }
}
