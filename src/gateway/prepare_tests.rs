//! What the preparer makes of bodies: entries, identities, verdicts, and what keys permit.

use std::sync::Arc;

use super::*;
use crate::event::{EventTypes, Upcasters};

const NOW: i64 = 1_700_000_000_000;

fn parser() -> Parser {
    Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped())
}

fn terms() -> Terms {
    Terms::open(EventTime::from_ms(NOW).expect("a time"))
}

fn prepared_under(terms: Terms, body: &str, shape: Shape) -> Prepared {
    let parser = parser();
    let mut preparer = Preparer::new(&parser, terms, body.len(), || "new-id".to_owned());
    preparer.document(body.as_bytes(), shape).expect("well-formed");
    preparer.finish()
}

fn prepared(body: &str, shape: Shape) -> Prepared {
    prepared_under(terms(), body, shape)
}

fn code(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid { .. } => "valid",
        Verdict::Invalid(issues) => issues[0].code,
        Verdict::TooLarge(_) => "too_large",
    }
}

fn identities(prepared: &Prepared) -> Vec<Option<u128>> {
    let of = |verdict: &Verdict| match verdict {
        Verdict::Valid { identity, .. } => *identity,
        other => panic!("{other:?}"),
    };
    prepared.verdicts.iter().map(of).collect()
}

#[test]
fn an_entry_holds_the_resolved_event() {
    let prepared = prepared(
        r#"{"userId":"u789","itemId":"i456","eventType":"Purchased","receivedAt":5}"#,
        Shape::Json,
    );
    let publication = Publication::decode(&prepared.entries[0]).expect("an entry");
    assert_eq!(publication.subject(), "events.purchased");
    insta::assert_snapshot!(
        format!("{}\n{}", publication.message_id, String::from_utf8_lossy(&publication.payload)),
        @r#"
    new-id.48cd86043341cbf0
    {"eventId":"new-id","eventType":"purchased","itemId":"i456","source":"default","timestamp":1700000000000,"userId":"u789","receivedAt":1700000000000}
    "#
    );
}

#[test]
fn only_identical_events_share_an_identity_and_a_message_id() {
    let line = |item: &str, rest: &str| {
        format!(r#"{{"userId":"u","itemId":"{item}","eventType":"viewed"{rest}}}"#)
    };
    let body = [
        line("a", r#","eventId":"e","timestamp":1600000000"#),
        line("a", r#","eventId":"e","timestamp":1600000000000"#),
        line("b", r#","eventId":"e","timestamp":1600000000"#),
        line("a", r#","eventId":"e""#),
        line("a", ""),
    ]
    .join("\n");
    let first = prepared(&body, Shape::Lines);
    let told = identities(&first);
    assert_eq!(told[0], told[1]);
    assert!(told[0].is_some() && told[0] != told[2]);
    assert_eq!(told[4], None);
    let ids: Vec<String> = first
        .entries
        .iter()
        .map(|entry| Publication::decode(entry).expect("an entry").message_id)
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0] != ids[2] && ids[0] != ids[3]);
    // Sent again later, an event that has an id and no time is the same event.
    let later = Terms { now: EventTime::from_ms(NOW + 5).expect("a time"), ..terms() };
    let again = identities(&prepared_under(later, &body, Shape::Lines));
    assert_eq!(again, told);
    assert!(told[3].is_some() && told[3] != told[0]);
}

#[test]
fn each_event_of_a_batch_has_its_verdict() {
    let far = NOW + FUTURE_MS + 1;
    let body = format!(
        "{}\n\n{}\r\n{}\nnonsense\n{}\n",
        r#"{"userId":"u","itemId":"i","eventType":"viewed"}"#,
        r#"{"userId":"u","eventType":"viewed"}"#,
        format_args!(r#"{{"userId":"u","itemId":"i","eventType":"viewed","timestamp":{far}}}"#),
        format_args!(
            r#"{{"userId":"u","itemId":"i","eventType":"viewed","note":[{}]}}"#,
            vec![format!("\"{}\"", "x".repeat(8_000)); 5].join(",")
        ),
    );
    let prepared = prepared(&body, Shape::Lines);
    let codes: Vec<&str> = prepared.verdicts.iter().map(code).collect();
    assert_eq!(
        codes,
        ["valid", "missing_field", "timestamp_in_future", "malformed_json", "too_large"]
    );
    assert_eq!(prepared.entries.len(), 1);
}

#[test]
fn a_repeated_request_gives_each_place_its_id() {
    let event = r#"{"userId":"u","itemId":"i","eventType":"viewed"}"#;
    let body = format!("[{event},{event},7,{event}]");
    let under = |value| {
        let repeat = Some(Repeat::new(None, value));
        prepared_under(Terms { repeat, ..terms() }, &body, Shape::Json)
    };
    let (first, again, other) = (under("a"), under("a"), under("b"));
    assert_eq!(first.entries, again.entries);
    assert_eq!(first.verdicts, again.verdicts);
    assert!(first.entries.iter().all(|entry| !other.entries.contains(entry)));
    let distinct: std::collections::HashSet<_> = first.entries.iter().collect();
    assert_eq!(distinct.len(), 3);
}
