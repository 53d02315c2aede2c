//! Explanations as people and machines read them (pure).

use serde::Serialize;

use super::parked_text::plain;
use super::status_text::grouped;
use crate::app::{Asked, Why};
use crate::replay::{Explained, Explanation, Step};

/// An explanation with the generation that it is of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyView {
    pub generation: String,
    /// Names the projection; the version of weir that it came with stands beside it.
    pub fingerprint: String,
    pub created_by: String,
    #[serde(flatten)]
    pub explanation: Explanation,
}

impl From<Why> for WhyView {
    fn from(why: Why) -> Self {
        Self {
            generation: why.record.id.to_string(),
            fingerprint: why.record.fingerprint,
            created_by: why.record.created_by,
            explanation: why.explanation,
        }
    }
}

pub(super) fn why_text(view: &WhyView) -> String {
    let Explanation { documents, more_documents, .. } = &view.explanation;
    let mut text = format!(
        "{}, projection {} of weir {}, {}\n",
        view.generation,
        view.fingerprint,
        view.created_by,
        log_text(&view.explanation)
    );
    text.extend(documents.iter().map(document_text));
    if *more_documents > 0 {
        text.push_str(&format!(
            "\nand {} more: name one by its key, or give --type\n",
            counted(*more_documents, "document")
        ));
    }
    text
}

/// What to say when no event of the log makes such a document.
pub(super) fn unknown_text(asked: &Asked, view: &WhyView) -> String {
    let (what, advice) = match asked {
        Asked::Edge(key) => (
            format!("the edge {}", plain(key)),
            "the key is whole, as _key or weir verify tells it",
        ),
        Asked::Edges { user, item, .. } => (
            format!("an edge of the user {} and the item {}", plain(user), plain(item)),
            "both ids are written as in events, case included",
        ),
        Asked::User(id) => (
            format!("the user {}", plain(id)),
            "the id is written as in events, case included, and not as a key",
        ),
        Asked::Item(id) => (
            format!("the item {}", plain(id)),
            "the id is written as in events, case included, and not as a key",
        ),
    };
    format!(
        "no event makes {what} in {}: {}\ncheck that {advice}, and that --generation and --nats-url are those \
         that you mean\n",
        view.generation,
        log_text(&view.explanation)
    )
}

fn log_text(explanation: &Explanation) -> String {
    let Explanation { through, read, undecodable, missing, .. } = explanation;
    let mut text =
        format!("{} of the log through {}", counted(*read, "message"), grouped(*through));
    if *undecodable > 0 {
        text.push_str(&format!("\n{} of them can be read as no event", grouped(*undecodable)));
    }
    if explanation.is_truncated() {
        text.push_str(&format!(
            "\nTRUNCATED: {} not in the log any more (it begins at {}), and may have made it too",
            counted(*missing, "message"),
            grouped(explanation.first_sequence)
        ));
    }
    text
}

/// `1 event`, `1,003 events`.
fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn document_text(document: &Explained) -> String {
    let Explained { collection, key, class, version, body, total, events } = document;
    let shown = events.len() as u64;
    let of = counted(*total, "event");
    let left_out = if shown < *total {
        format!(", the newest {shown} of them with the one that decides")
    } else {
        String::new()
    };
    format!(
        "\n{collection}/{key}  {class}, version {version:016x}\n{}\nfrom {of}{left_out}:\n{}",
        plain(&body.to_string()),
        steps_table(events, *version)
    )
}

fn steps_table(steps: &[Step], version: u64) -> String {
    let head = ["SEQUENCE", "STORED", "HAPPENED", "TYPE", "SOURCE", "EVENT", "PUTS", ""];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(steps.iter().map(|step| {
        let outcome = match (step.decides, step.version == version) {
            (true, _) => "decides",
            (false, true) => "says the same",
            (false, false) => "superseded",
        };
        [
            step.sequence.to_string(),
            step.stream_time.clone(),
            step.event_time.clone(),
            step.event_type.clone(),
            plain(&step.source),
            plain(&step.event_id),
            step.class.to_owned(),
            outcome.to_owned(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 8] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let line = |row: &[String; 8]| {
        let cells =
            row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:>width$}"),
                _ => format!("{cell:width$}"),
            });
        format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(sequence: u64, event_type: &str, class: &'static str, version: u64) -> Step {
        Step {
            sequence,
            stream_time: "2026-05-04T10:00:00.000Z".into(),
            event_time: "2026-05-04T09:59:58.000Z".into(),
            event_type: event_type.into(),
            event_id: format!("order-{sequence}\u{1b}[2J"),
            source: "shop".into(),
            class,
            version,
            decides: false,
        }
    }

    fn view(documents: Vec<Explained>, missing: u64) -> WhyView {
        WhyView {
            generation: "g1".into(),
            fingerprint: "5e1f".into(),
            created_by: "0.1.0".into(),
            explanation: Explanation {
                epoch: "e1".into(),
                first_sequence: 1 + missing,
                through: 12_345,
                read: 12_345 - missing,
                undecodable: 2,
                missing,
                documents,
                more_documents: 0,
            },
        }
    }

    fn refunded() -> Explained {
        let (edge, tombstone) = (0x4abc << 48, 2 << 62);
        Explained {
            collection: "purchased".into(),
            key: "=hzPp1cBvX0QJk2mWd8sNfZA".into(),
            class: "tombstone",
            version: tombstone,
            body: json!({"_from": "users/u", "_to": "items/i", "ts": null, "retracted": true}),
            total: 1_003,
            events: vec![
                Step { decides: true, ..step(3, "refunded", "tombstone", tombstone) },
                step(900, "purchased", "edge", edge),
                step(901, "refunded", "tombstone", tombstone),
            ],
        }
    }

    #[test]
    fn an_explanation_is_a_table_for_people() {
        let one = Explained { total: 1, events: vec![step(7, "viewed", "edge", 1)], ..refunded() };
        let mut many = view(vec![refunded(), one], 7);
        many.explanation.more_documents = 4_000;
        insta::assert_snapshot!(why_text(&many));
    }

    #[test]
    fn an_explanation_is_flat_json_for_machines() {
        insta::assert_snapshot!(format!(
            "{:#}",
            serde_json::to_value(view(vec![refunded()], 0)).expect("plain data")
        ));
    }

    #[test]
    fn what_is_unknown_is_told_with_what_to_check() {
        let edges = |of: Option<&str>| {
            let (user, item) = ("u".to_owned(), "i".to_owned());
            Asked::Edges { user, item, of: of.map(str::to_owned) }
        };
        let all = [
            Asked::Edge("=hzPp1cBvX0QJk2mWd8sNfZA".into()),
            edges(None),
            Asked::User("u\n".into()),
            Asked::Item("i".into()),
        ];
        let told: Vec<String> =
            all.iter().map(|asked| unknown_text(asked, &view(Vec::new(), 7))).collect();
        insta::assert_snapshot!(told.join("----\n"));
    }
}
