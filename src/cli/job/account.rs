//! The account of a job: what became of every sequence of its range (pure).

use crate::cli::status_text::grouped;
use crate::replay::{Job, Missing, MissingWhy};

/// Most ranges of missing sequences that are listed for a person.
const RANGES_SHOWN: usize = 20;

/// Sequences that the account does not tell of, with the sign of what is left over.
pub(super) fn open(job: &Job) -> i128 {
    i128::from(job.range.len()) - i128::from(job.tally.scanned()) - i128::from(job.tally.missing)
}

/// Renders the account as a table, and whether it closes.
pub(super) fn account_text(job: &Job) -> String {
    let (range, tally) = (job.range, job.tally);
    let lines = [
        ("from", range.from, " (inclusive)"),
        ("to", range.to, " (exclusive)"),
        ("scanned", tally.scanned(), ""),
        ("  applied", tally.applied, ""),
        ("  superseded", tally.superseded, ""),
        ("  filtered", tally.filtered, ""),
        ("  parked", tally.parked, ""),
        ("missing", tally.missing, ""),
    ];
    let width = lines.iter().map(|(_, number, _)| grouped(*number).len()).max().unwrap_or(0);
    let mut text = String::from("\n");
    for (name, number, more) in lines {
        text.push_str(&format!("{name:<13}{:>width$}{more}\n", grouped(number)));
    }
    text.push_str(&missing_lines(&job.missing));
    text + &closing_line(job)
}

fn missing_lines(missing: &[Missing]) -> String {
    let line = |range: &Missing| {
        let count = grouped((range.through + 1).saturating_sub(range.from));
        let why = match range.why {
            MissingWhy::Erased => "erased",
            MissingWhy::Trimmed => "trimmed: before the log's first message",
            MissingWhy::Lost => "lost",
        };
        let (from, through) = (grouped(range.from), grouped(range.through));
        if range.from == range.through {
            format!("  {from}  {why}\n")
        } else {
            format!("  {from} to {through}  ({count})  {why}\n")
        }
    };
    let mut text: String = missing.iter().take(RANGES_SHOWN).map(line).collect();
    if missing.len() > RANGES_SHOWN {
        let more = missing.len() - RANGES_SHOWN;
        text.push_str(&format!("  and {more} more ranges, which --json tells\n"));
    }
    text
}

fn closing_line(job: &Job) -> String {
    let (range, tally) = (job.range, job.tally);
    match open(job) {
        0 => format!(
            "closes       {} = {} scanned + {} missing\n",
            grouped(range.len()),
            grouped(tally.scanned()),
            grouped(tally.missing)
        ),
        left if left > 0 && !job.state.is_over() => {
            format!("open         {} not read yet\n", grouped(left as u64))
        }
        left => format!(
            "DOES NOT CLOSE: of {} sequences {} are told, {} {}\n",
            grouped(range.len()),
            grouped(tally.scanned() + tally.missing),
            grouped(left.unsigned_abs() as u64),
            if left > 0 { "are not" } else { "too many" }
        ),
    }
}
