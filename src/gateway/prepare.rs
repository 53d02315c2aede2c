//! From a body to log entries, with a verdict an event. Pure.

use bytes::Bytes;

use super::shape::Shape;
use crate::event::{
    Defaults, Draft, EventTime, Id, Issue, Issues, ParseError, Parser, Publication, write_event,
};
use crate::graph::encode_id;
use crate::limits::{EVENT_BYTES, FUTURE_MS};

/// What becomes of one event of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Entry number `entry` of [`Prepared::entries`] holds it.
    Valid {
        entry: usize,
        /// What an identical event has too; absent when the gateway filled in what tells events apart.
        identity: Option<u128>,
    },
    Invalid(Issues),
    /// Larger than an event may be, in bytes as it would be stored.
    TooLarge(usize),
}

/// A request's events, ready for the log.
#[derive(Debug, Default)]
pub struct Prepared {
    pub entries: Vec<Bytes>,
    /// One an event, in the order of the request.
    pub verdicts: Vec<Verdict>,
    /// The id of the last valid event: the only one, when the request is one event.
    pub last_id: Option<String>,
}

/// Reads a body. `now_ms` is the receive time, `new_id` makes ids for events that have none.
///
/// Fails only when the whole is malformed; with [`Shape::Lines`] that cannot be.
pub fn prepare(
    parser: &Parser,
    body: &[u8],
    shape: Shape,
    now_ms: i64,
    new_id: impl FnMut() -> String,
) -> Result<Prepared, ParseError> {
    let mut preparer = Preparer {
        parser,
        now_ms,
        new_id,
        buffer: Vec::with_capacity(body.len() * 2),
        ends: Vec::new(),
        payload: Vec::new(),
        prepared: Prepared::default(),
    };
    match shape {
        Shape::Object => match parser.parse(body, None) {
            Ok(draft) => preparer.take(draft),
            Err(ParseError::Invalid(issues)) => {
                preparer.prepared.verdicts.push(Verdict::Invalid(issues));
            }
            Err(malformed) => return Err(malformed),
        },
        Shape::Array => {
            for element in parser.parse_array(body)? {
                preparer.take_or_note(element);
            }
        }
        Shape::Lines => {
            let lines =
                body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            for line in lines {
                let parsed = parser.parse(line, None).map_err(|error| match error {
                    ParseError::Invalid(issues) => issues,
                    malformed @ ParseError::Malformed { .. } => {
                        vec![Issue::new("", "malformed_json", malformed.to_string())]
                    }
                });
                preparer.take_or_note(parsed);
            }
        }
    }
    Ok(preparer.finish())
}

struct Preparer<'p, F> {
    parser: &'p Parser,
    now_ms: i64,
    new_id: F,
    /// All entries, one behind the other: one allocation a request.
    buffer: Vec<u8>,
    ends: Vec<usize>,
    payload: Vec<u8>,
    prepared: Prepared,
}

impl<F: FnMut() -> String> Preparer<'_, F> {
    fn take_or_note(&mut self, parsed: Result<Draft<'_>, Issues>) {
        match parsed {
            Ok(draft) => self.take(draft),
            Err(issues) => self.prepared.verdicts.push(Verdict::Invalid(issues)),
        }
    }

    fn take(&mut self, draft: Draft<'_>) {
        let verdict = self.write(draft);
        self.prepared.verdicts.push(verdict);
    }

    fn write(&mut self, mut draft: Draft<'_>) -> Verdict {
        if draft.at.is_some_and(|at| at.ms() > self.now_ms + FUTURE_MS) {
            return Verdict::Invalid(vec![Issue::new(
                "/timestamp",
                "timestamp_in_future",
                "is more than 24 hours ahead of the gateway's clock",
            )]);
        }
        let Ok(now) = EventTime::from_ms(self.now_ms) else {
            return Verdict::Invalid(vec![Issue::new(
                "",
                "gateway_clock",
                "the gateway's clock is outside the years 1990 to 2069",
            )]);
        };
        let given = draft.id.is_some() && draft.at.is_some();
        // The receive time is the gateway's own, whatever the producer says.
        draft.received_ms = None;
        let at = draft.at.unwrap_or(now);
        let id = draft.id.take().map_or_else(|| (self.new_id)(), |id| id.into_owned().to_string());
        let defaults = Defaults {
            id: Id::new(id).expect("given ids were checked, new ones are UUIDs"),
            at,
            received_ms: Some(self.now_ms),
        };
        let event = draft.resolve(|| defaults);
        self.payload.clear();
        let canonical = write_event(&event, self.parser.types(), &mut self.payload);
        if self.payload.len() > EVENT_BYTES {
            return Verdict::TooLarge(self.payload.len());
        }
        let hash = blake3::hash(&self.payload[..canonical]);
        let message_id = message_id(event.id.as_str(), &hash);
        let type_name = &self.parser.types().spec(event.event_type).name;
        Publication::begin(type_name, &message_id, &mut self.buffer);
        self.buffer.extend_from_slice(&self.payload);
        self.ends.push(self.buffer.len());
        self.prepared.last_id = Some(event.id.to_string());
        let identity = given
            .then(|| u128::from_le_bytes(hash.as_bytes()[..16].try_into().expect("sixteen of 32")));
        Verdict::Valid { entry: self.ends.len() - 1, identity }
    }

    fn finish(mut self) -> Prepared {
        let buffer = Bytes::from(self.buffer);
        let mut start = 0;
        self.prepared.entries = self
            .ends
            .iter()
            .map(|end| {
                let entry = buffer.slice(start..*end);
                start = *end;
                entry
            })
            .collect();
        self.prepared
    }
}

/// The event's id and a hash of all that it says: only identical events share one.
fn message_id(event_id: &str, hash: &blake3::Hash) -> String {
    let hex = hash.to_hex();
    let id = encode_id(event_id);
    let mut message_id = String::with_capacity(id.len() + 17);
    message_id.push_str(&id);
    message_id.push('.');
    message_id.push_str(&hex[..16]);
    message_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventTypes, Upcasters};
    use std::sync::Arc;

    const NOW: i64 = 1_700_000_000_000;

    fn parser() -> Parser {
        Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped())
    }

    fn prepared(body: &str, shape: Shape) -> Prepared {
        prepare(&parser(), body.as_bytes(), shape, NOW, || "new-id".to_owned())
            .expect("well-formed")
    }

    #[test]
    fn an_entry_holds_the_resolved_event() {
        let prepared = prepared(
            r#"{"userId":"u789","itemId":"i456","eventType":"Purchased","receivedAt":5}"#,
            Shape::Object,
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
            format!(
                r#"{{"userId":"u","itemId":"{item}","eventType":"viewed","eventId":"e"{rest}}}"#
            )
        };
        let body = [
            line("a", ",\"timestamp\":1600000000"),
            line("a", ",\"timestamp\":1600000000000"),
            line("b", ",\"timestamp\":1600000000"),
            line("a", ""),
        ]
        .join("\n");
        let prepared = prepared(&body, Shape::Lines);
        let identities: Vec<_> = prepared
            .verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Valid { identity, .. } => *identity,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(identities[0], identities[1]);
        assert_ne!(identities[0], identities[2]);
        assert_eq!(identities[3], None);
        let ids: Vec<String> = prepared
            .entries
            .iter()
            .map(|entry| Publication::decode(entry).expect("an entry").message_id)
            .collect();
        assert_eq!(ids[0], ids[1]);
        assert!(ids[0] != ids[2] && ids[0] != ids[3]);
    }

    #[test]
    fn each_event_of_a_batch_has_its_verdict() {
        let far = NOW + FUTURE_MS + 1;
        let large = "x".repeat(EVENT_BYTES);
        let body = format!(
            "{}\n\n{}\r\n{}\nnonsense\n{}\n",
            r#"{"userId":"u","itemId":"i","eventType":"viewed"}"#,
            r#"{"userId":"u","eventType":"viewed"}"#,
            format_args!(r#"{{"userId":"u","itemId":"i","eventType":"viewed","timestamp":{far}}}"#),
            format_args!(r#"{{"userId":"u","itemId":"i","eventType":"viewed","note":"{large}"}}"#),
        );
        let prepared = prepared(&body, Shape::Lines);
        let codes: Vec<&str> = prepared
            .verdicts
            .iter()
            .map(|verdict| match verdict {
                Verdict::Valid { .. } => "valid",
                Verdict::Invalid(issues) => issues[0].code,
                Verdict::TooLarge(_) => "too_large",
            })
            .collect();
        assert_eq!(
            codes,
            ["valid", "missing_field", "timestamp_in_future", "malformed_json", "too_large"]
        );
        assert_eq!(prepared.entries.len(), 1);
    }
}
