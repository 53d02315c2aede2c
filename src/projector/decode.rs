//! From a message of the log to an event. Pure.

use std::borrow::Cow;

use crate::event::{Defaults, Event, EventTime, Id, ParseError, Parser, event_type_of};
use crate::limits::EVENT_BYTES;

/// A message as the log holds it.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'m> {
    pub subject: &'m str,
    pub message_id: Option<&'m str>,
    pub payload: &'m [u8],
    pub sequence: u64,
    /// The stream's time, milliseconds since the Unix epoch.
    pub time_ms: i64,
}

/// Why a message is no event. It never will be one, for any reader of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    #[error("the subject names no event type: it must be events.<type>")]
    Subject,
    #[error("the subject names an event type that is not configured")]
    UnknownType,
    #[error("the message has {0} bytes; an event has at most {EVENT_BYTES}")]
    TooLarge(usize),
    #[error("{0}")]
    Parse(#[from] ParseError),
    #[error("the stream's own time is outside the years 1990 to 2069")]
    StreamTime,
}

/// The body says another type than the subject.
const TYPE_MISMATCH: &str = "type_mismatch";

impl Undecodable {
    /// A stable tag, for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::UnknownType => "unknown_type",
            Self::TooLarge(_) => "too_large",
            Self::Parse(ParseError::Malformed { .. }) => "malformed_json",
            Self::Parse(ParseError::Invalid(issues)) => {
                let mismatch = issues.iter().any(|issue| issue.code == TYPE_MISMATCH);
                if mismatch { TYPE_MISMATCH } else { "invalid_event" }
            }
            Self::StreamTime => "stream_time",
        }
    }
}

/// Reads messages of one log.
#[derive(Debug, Clone)]
pub struct Decoder {
    parser: Parser,
}

impl Decoder {
    pub fn new(parser: Parser) -> Self {
        Self { parser }
    }

    pub fn parser(&self) -> &Parser {
        &self.parser
    }

    /// Reads one message. What its body leaves open, the message itself fills: the id is the
    /// `Nats-Msg-Id`, else `x-<epoch>-<sequence>`; the time is the stream's.
    pub fn decode<'m>(
        &self,
        epoch: &str,
        message: &Recorded<'m>,
    ) -> Result<Event<'m>, Undecodable> {
        let name = event_type_of(message.subject).ok_or(Undecodable::Subject)?;
        let event_type = self.parser.types().find(name).ok_or(Undecodable::UnknownType)?;
        if message.payload.len() > EVENT_BYTES {
            return Err(Undecodable::TooLarge(message.payload.len()));
        }
        let draft = self.parser.parse(message.payload, Some(event_type))?;
        let at = match draft.at {
            Some(at) => at,
            None => EventTime::from_ms(message.time_ms).map_err(|_| Undecodable::StreamTime)?,
        };
        let id = || {
            let given = message.message_id.and_then(|id| Id::new(Cow::Borrowed(id)).ok());
            given.unwrap_or_else(|| {
                Id::new(format!("x-{epoch}-{}", message.sequence))
                    .expect("an epoch is a short name")
            })
        };
        if draft.id.is_some() {
            let id = draft.id.clone().expect("checked above");
            return Ok(draft.resolve(|| Defaults { id, at, received_ms: None }));
        }
        Ok(draft.resolve(|| Defaults { id: id(), at, received_ms: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventTypes, Upcasters};
    use std::sync::Arc;

    fn decoder() -> Decoder {
        Decoder::new(Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped()))
    }

    fn recorded<'m>(
        subject: &'m str,
        message_id: Option<&'m str>,
        payload: &'m str,
    ) -> Recorded<'m> {
        Recorded {
            subject,
            message_id,
            payload: payload.as_bytes(),
            sequence: 7,
            time_ms: 1_700_000_000_000,
        }
    }

    #[test]
    fn the_message_fills_what_the_body_leaves_open() {
        let decoder = decoder();
        let body = r#"{"userId":"u","itemId":"i"}"#;
        let event =
            decoder.decode("ep", &recorded("events.viewed", Some("given"), body)).expect("valid");
        assert_eq!((event.id.as_str(), event.at.ms()), ("given", 1_700_000_000_000));
        let event = decoder.decode("ep", &recorded("events.viewed", None, body)).expect("valid");
        assert_eq!(event.id.as_str(), "x-ep-7");
        let body = r#"{"userId":"u","itemId":"i","eventId":"own","timestamp":1600000000}"#;
        let event =
            decoder.decode("ep", &recorded("events.viewed", Some("given"), body)).expect("valid");
        assert_eq!((event.id.as_str(), event.at.ms()), ("own", 1_600_000_000_000));
    }

    #[test]
    fn nonsense_is_named() {
        let decoder = decoder();
        let large =
            format!(r#"{{"userId":"u","itemId":"i","note":"{}"}}"#, "x".repeat(EVENT_BYTES));
        let body = r#"{"userId":"u","itemId":"i"}"#;
        let codes: Vec<&str> = [
            ("events.viewed.x", body),
            ("events.teleported", body),
            ("events.viewed", "{"),
            ("events.viewed", "{}"),
            ("events.viewed", &large),
        ]
        .into_iter()
        .map(|(subject, body)| {
            decoder.decode("ep", &recorded(subject, None, body)).expect_err("nonsense").code()
        })
        .collect();
        assert_eq!(
            codes,
            ["subject", "unknown_type", "malformed_json", "invalid_event", "too_large"]
        );
    }
}
