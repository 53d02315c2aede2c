//! `weir wal reconcile`: what was brought back, for people and machines.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::status_text::grouped;
use crate::app::{self, Reconciling};
use crate::config::Settings;
use crate::relay::reconcile::{Finding, Found, Report, Stage, Told};

/// What is done sooner needs no bar.
const QUICK: Duration = Duration::from_secs(1);

/// Returns whether the stream holds everything that it should.
pub(super) async fn reconcile(settings: &Settings, how: Reconciling, json: bool) -> Result<bool> {
    let mut progress = Progress { begun: Instant::now(), bar: None };
    let mut printed = Ok(());
    let mut tell = |told: Told| match told {
        Told::Progress { stage, done, of } => progress.show(stage, done, of),
        Told::Finding(finding) => {
            let line = if json { json_line(&finding) } else { finding_text(&finding) };
            let print = progress.suspend(|| print(&line));
            printed = std::mem::replace(&mut printed, Ok(())).and(print);
        }
    };
    let report = app::reconcile(settings, how, &mut tell).await?;
    drop(progress);
    printed?;
    let line = if json { json_line(&report) } else { report_text(&report) };
    print(&line)?;
    Ok(report.is_whole())
}

/// A bar on standard error, once it has taken a while.
struct Progress {
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    fn show(&mut self, stage: Stage, done: u64, of: Option<u64>) {
        if self.begun.elapsed() < QUICK {
            return;
        }
        let bar = self.bar.get_or_insert_with(ProgressBar::no_length);
        let (template, what) = match stage {
            Stage::Disk => ("{spinner} {msg} {pos}", "entries read of the log on disk:"),
            Stage::Stream => ("{bar:30} {msg} {pos} of {len}", "the stream is read:"),
            Stage::Publish => ("{bar:30} {msg} {pos} of {len}", "missing entries:"),
        };
        bar.set_style(ProgressStyle::with_template(template).expect("our own templates are valid"));
        bar.set_length(of.unwrap_or(done));
        bar.set_position(done);
        bar.set_message(what);
    }

    fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn json_line(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data") + "\n"
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One entry in a line.
fn finding_text(finding: &Finding) -> String {
    let Finding { found, wal_sequence, subject, message_id, sequence } = finding;
    let at = sequence.map_or_else(String::new, |at| format!(" seq {at}"));
    let what = match found {
        Found::Healed => format!("healed{at} for lost"),
        Found::Published => format!("published{at} for not yet published"),
        Found::Held => format!("there{at} after all"),
        Found::Lost => "lost".to_owned(),
        Found::NotYetPublished => "not yet published".to_owned(),
        Found::Erased => "erased, stays away".to_owned(),
        Found::MayHaveBeenErased => "may have been erased, stays away".to_owned(),
    };
    format!("{what} {wal_sequence} of the log on disk ({subject} {message_id})\n")
}

fn report_text(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |name: &str, count: u64, more: &str| {
        if count > 0 {
            text.push_str(&format!("{name:<14}{:>12}  {more}\n", grouped(count)));
        }
    };
    line("entries", report.entries, "in the log on disk");
    line("copies", report.copies, "with the id of another one");
    line("undecodable", report.undecodable, "that are no events, passed over");
    line("held", report.held, "in the stream");
    line("trimmed", report.trimmed, "before the stream's first message, stay away");
    line("erased", report.erased, "deleted at the server, stay away");
    line(
        "perhaps",
        report.may_have_been_erased,
        "may have been erased or lost: --include-erased publishes them",
    );
    line("lost", report.lost, "that the stream should hold");
    line("unpublished", report.not_yet_published, "not yet published");
    let open = report.lost + report.not_yet_published;
    if report.planned && open > 0 {
        text.push_str(&format!("only planned: {} would be published\n", grouped(open)));
    } else if open > 0 {
        text.push_str(&format!("{} of them are in the stream now\n", grouped(report.stored)));
    }
    text.push_str(match report {
        Report { entries: 0, .. } => "the log on disk is empty\n",
        report if report.is_whole() => "whole: the stream holds all that it should\n",
        Report { may_have_been_erased: 0, .. } => "",
        _ => "NOT TOLD APART: some may have been erased, or lost\n",
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Found; 7] = [
        Found::Healed,
        Found::Published,
        Found::Held,
        Found::Lost,
        Found::NotYetPublished,
        Found::Erased,
        Found::MayHaveBeenErased,
    ];

    #[test]
    fn each_entry_is_a_line_for_people_and_machines() {
        let finding = |found: Found| Finding {
            found,
            wal_sequence: 12,
            subject: "events.viewed".into(),
            message_id: "e1-5e1f".into(),
            sequence: matches!(found, Found::Healed | Found::Published | Found::Held).then_some(90),
        };
        let lines: Vec<String> = ALL.map(|found| finding_text(&finding(found))).into();
        insta::assert_snapshot!(lines.concat() + &json_line(&finding(Found::Healed)));
    }

    #[test]
    fn the_end_says_whether_all_is_there() {
        let whole =
            Report { entries: 1_220, held: 1_200, trimmed: 19, erased: 1, ..Report::default() };
        let planned = Report { planned: true, lost: 100, not_yet_published: 3, ..whole.clone() };
        let healed =
            Report { planned: false, stored: 103, copies: 2, undecodable: 1, ..planned.clone() };
        let perhaps = Report { may_have_been_erased: 4, ..whole.clone() };
        let all = [&whole, &planned, &healed, &perhaps, &Report::default()];
        let texts: Vec<String> = all.map(report_text).into();
        insta::assert_snapshot!(texts.join("----\n") + &json_line(&healed));
        assert_eq!(all.map(Report::is_whole), [true, false, true, false, true]);
    }
}
