//! What a job would do, as it is told beforehand (pure).

use serde::Deserialize;

use super::text::{plain, span};
use crate::cli::status_text::{grouped, size};
use crate::replay::Range;

/// A plan as the admin listener tells it. What an older or newer weir does not tell is not shown.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Plan {
    verb: Option<String>,
    generation: Option<String>,
    range: Option<Range>,
    /// Messages in the range; of a redrive the parked events.
    events: Option<u64>,
    first_sequence: Option<u64>,
    last_sequence: Option<u64>,
    truncated_at: Option<u64>,
    sampled: Option<u64>,
    undecodable: Option<u64>,
    undecodable_examples: Vec<Undecodable>,
    expected_seconds: Option<f64>,
    expected_bytes: Option<u64>,
    notes: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Undecodable {
    sequence: u64,
    reason: String,
}

impl Plan {
    /// Whether it is known that nothing is meant.
    pub fn is_empty(&self) -> bool {
        self.events == Some(0)
    }

    /// What a person says yes to.
    pub fn question(&self) -> String {
        let verb = self.verb.as_deref().map_or_else(|| "do it".to_owned(), plain);
        match (self.verb.as_deref(), self.events, self.generation.as_deref()) {
            (Some("redrive"), Some(events), _) => format!("{verb} these {}", grouped(events)),
            (_, _, Some(generation)) => format!("{verb} {}", plain(generation)),
            _ => verb,
        }
    }
}

/// Renders a plan.
pub(super) fn plan_text(plan: &Plan) -> String {
    let of = plan.generation.as_deref().map_or_else(String::new, |id| format!(" of {}", plain(id)));
    let verb = plan.verb.as_deref().map_or_else(|| "job".to_owned(), plain);
    let mut text = format!("{verb}{of}: only planned, nothing is done\n");
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("{name:<12}{value}\n"));
        }
    };
    let held = plan.first_sequence.zip(plan.last_sequence);
    let to = |from, to| format!("{} to {}", grouped(from), grouped(to));
    line("log", held.map(|(first, last)| to(first, last)));
    let range = plan.range.filter(|range| range.to > 0);
    line("range", range.map(|range| format!("{} (exclusive)", to(range.from, range.to))));
    line("events", plan.events.map(grouped));
    line("time", plan.expected_seconds.map(|seconds| format!("about {}", span(seconds))));
    line("disk", plan.expected_bytes.map(|bytes| format!("about {}", size(bytes))));
    let sample = plan.sampled.filter(|sampled| *sampled > 0);
    line(
        "undecodable",
        sample.map(|sampled| {
            format!("{} of {} looked at", grouped(plan.undecodable.unwrap_or(0)), grouped(sampled))
        }),
    );
    for example in &plan.undecodable_examples {
        let (at, reason) = (grouped(example.sequence), plain(&example.reason));
        text.push_str(&format!("            {at}: {reason}\n"));
    }
    if let Some(at) = plan.truncated_at {
        text.push_str(&format!(
            "TRUNCATED   the log begins at {} and holds nothing before: refused without --allow-truncated\n",
            grouped(at)
        ));
    }
    text.extend(plan.notes.iter().map(|note| format!("note        {}\n", plain(note))));
    text
}
