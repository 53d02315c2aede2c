//! Jobs as people read them: a line while one runs, a list, and one whole (pure).

use super::account::account_text;
use super::report::report_text;
use crate::cli::status_text::grouped;
use crate::cli::table::table;
use crate::event::format_ms;
use crate::replay::{Job, Point, Request, State, Verb};

const ABSENT: &str = "-";

/// Text of others cannot move a person's terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// How much of its range is read, as `45.2 %`; none of a job without a range.
pub(super) fn share(job: &Job) -> Option<String> {
    let all = job.range.len();
    (all > 0).then(|| format!("{:.1} %", job.read().min(all) as f64 * 100.0 / all as f64))
}

/// Seconds in the two largest units that fit: `3 h 12 min`.
pub(in crate::cli) fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0 if seconds >= 0.001 => format!("{:.0} ms", seconds * 1e3),
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

fn per_second(rate: f64) -> String {
    format!("{}/s", grouped(rate.round() as u64))
}

/// What keeps it from going on, or from going faster.
fn held_back(job: &Job) -> Option<String> {
    let slowed = job.pace.allowed.filter(|_| job.state.is_runnable()).map(|allowed| {
        match job.control.rate {
            Some(cap) if allowed >= cap as f64 => format!("capped at {}", per_second(allowed)),
            _ => format!("slowed to {} for the live flow", per_second(allowed)),
        }
    });
    let note = job.note.as_deref().map(plain);
    match (slowed, note) {
        (Some(slowed), Some(note)) => Some(format!("{slowed}; {note}")),
        (slowed, note) => slowed.or(note),
    }
}

/// A job that goes on, in one line: state, share, rate, time left, live lag, and what holds it back.
pub(super) fn progress_line(job: &Job) -> String {
    let mut parts = vec![format!("{} {}", job.verb, job.generation), job.state.to_string()];
    parts.extend(share(job));
    if job.state == State::Running {
        parts.push(per_second(job.pace.rate));
        parts.extend(job.pace.seconds_left.map(|left| format!("{} left", span(left))));
    }
    parts.extend(job.pace.live_lag_ms.map(|lag| format!("live lag {lag:.0} ms")));
    parts.extend(held_back(job));
    parts.join("  ")
}

/// The job in a line, with its name: what a command says that has changed it.
pub(super) fn state_line(job: &Job) -> String {
    format!("{}  {}\n", job.id, progress_line(job))
}

/// What to type to go on looking at it, or to end it.
pub(super) fn left_running_text(job: &Job) -> String {
    let id = &job.id;
    format!("{id} goes on without us: weir job watch {id} shows it, weir job cancel {id} ends it\n")
}

/// Renders jobs as a table, in the order that they have.
pub(super) fn list_text(jobs: &[Job]) -> String {
    if jobs.is_empty() {
        return "there is no job yet: weir replay, weir rebuild and their like begin one\n".into();
    }
    let head = ["JOB", "GENERATION", "STATE", "READ", "RATE", "LEFT", "ASKED", "BY", "WHY"];
    let mut rows = vec![head.map(str::to_owned)];
    let absent = || ABSENT.to_owned();
    rows.extend(jobs.iter().map(|job| {
        let running = job.state == State::Running;
        let left = job.pace.seconds_left.filter(|_| running).map(span);
        [
            job.id.to_string(),
            job.generation.to_string(),
            job.state.to_string(),
            share(job).unwrap_or_else(absent),
            if running { per_second(job.pace.rate) } else { absent() },
            left.unwrap_or_else(absent),
            format_ms(job.created_ms),
            job.request.by.as_deref().map_or_else(absent, plain),
            job.request.why.as_deref().map_or_else(absent, plain),
        ]
    }));
    table(&rows, &(3..6))
}

/// Renders a job whole: what was asked for, how it stands, and what it came to.
pub(super) fn show_text(job: &Job) -> String {
    let mut text = format!("{} of {}: {}\n", job.id, job.generation, job.state);
    if let Some(note) = &job.note {
        text.push_str(&format!("because    {}\n", plain(note)));
    }
    text.push_str(&format!("asked      {}{}\n", format_ms(job.created_ms), asked_by(&job.request)));
    let asked = asked_for(&job.request);
    if !asked.is_empty() {
        text.push_str(&format!("asked for  {}\n", asked.join(", ")));
    }
    if !job.state.is_over() {
        text.push_str(&format!("now        {}\n", progress_line(job)));
    }
    text.push_str(&format!("work       {} in all\n", span(job.pace.seconds)));
    if job.verb.applies() {
        text.push_str(&account_text(job));
    }
    if let Some(report) = &job.report {
        text.push_str(&report_text(report));
    }
    if let Some(redriven) = job.redriven {
        text.push_str(&format!(
            "\nparked     {} on the list, {} on their way to be tried again, {} changed by somebody else, \
             {} too large to be tried\n",
            grouped(redriven.listed),
            grouped(redriven.redriven),
            grouped(redriven.passed_over),
            grouped(redriven.cut),
        ));
    }
    text + &what_now(job)
}

fn asked_by(request: &Request) -> String {
    let by = request.by.as_deref().map(|by| format!(" by {}", plain(by)));
    let why = request.why.as_deref().map(|why| format!(": {}", plain(why)));
    by.unwrap_or_default() + &why.unwrap_or_default()
}

fn point(point: &Point) -> String {
    match point {
        Point::Sequence(sequence) => grouped(*sequence),
        Point::Text(text) => plain(text),
    }
}

/// The parts of a request that are not by default.
fn asked_for(request: &Request) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(request.from.as_ref().map(|at| format!("from {}", point(at))));
    parts.extend(request.to.as_ref().map(|at| format!("to {}", point(at))));
    parts.extend(request.as_of.as_ref().map(|at| format!("as of {}", point(at))));
    let filter = &request.filter;
    for (name, values) in [
        ("type", &filter.types),
        ("user", &filter.users),
        ("item", &filter.items),
        ("source", &filter.sources),
    ] {
        if !values.is_empty() {
            parts.push(format!("{name} {}", plain(&values.join(" or "))));
        }
    }
    parts.extend(filter.reason.as_ref().map(|reason| format!("reason {}", plain(reason))));
    let older = filter.older_than_ms.map(|ms| format!("older than {}", span(ms as f64 / 1e3)));
    parts.extend(older);
    parts.extend(filter.id_prefix.as_ref().map(|id| format!("id {}…", plain(id))));
    parts.extend(filter.error_text.as_ref().map(|text| format!("error with {}", plain(text))));
    for (asked, name) in [
        (request.allow_truncated, "a truncated log allowed"),
        (request.unverified, "unverified"),
        (request.promote, "promoted at the end"),
        (request.force, "forced"),
    ] {
        if asked {
            parts.push(name.to_owned());
        }
    }
    parts
}

/// The next thing that a person may want to do.
fn what_now(job: &Job) -> String {
    let (id, generation) = (&job.id, job.generation);
    match (job.verb, job.state) {
        (_, State::Paused) => format!("\nweir job resume {id} goes on\n"),
        (Verb::Rebuild, State::Done) if job.request.as_of.is_some() => {
            format!("\n{generation} is read by its name: ?generation={generation}\n")
        }
        (Verb::Rebuild, State::Done) => format!("\nweir promote {generation} has it answer\n"),
        (Verb::Rebuild | Verb::Promote, State::Promoted | State::Done) => {
            format!("\n{generation} answers; weir rollback goes back\n")
        }
        _ => String::new(),
    }
}
