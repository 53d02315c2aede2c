//! Laws of the parser and of the log's entries, for any bytes.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::{
    Defaults, Event, EventTime, EventTypes, Id, Parser, Publication, Upcasters, write_event,
};

/// A parser of the built-in types; made once, for fuzzers ask a million times.
pub(crate) fn parser() -> Parser {
    static PARSER: LazyLock<Parser> =
        LazyLock::new(|| Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped()));
    PARSER.clone()
}

/// What is an event is written in one way, and is the same event when that is read.
pub(crate) fn json(data: &[u8]) {
    let parser = parser();
    let Ok(draft) = parser.parse(data, None) else { return };
    is_written_in_one_way(&parser, &draft.resolve(defaults));
}

/// What an entry says is written as these bytes again.
pub(crate) fn entry(data: &[u8]) {
    let entry = Bytes::copy_from_slice(data);
    let Ok(publication) = Publication::decode(&entry) else { return };
    let mut again = Vec::new();
    publication.encode(&mut again);
    assert_eq!(again, data, "an entry is written as it was read");
}

/// Fills what a draft leaves open, always alike.
pub(crate) fn defaults<'a>() -> Defaults<'a> {
    let id = Id::new("given-by-the-gateway").expect("a valid constant");
    let at = EventTime::from_ms(1_700_000_000_000).expect("a valid constant");
    Defaults { id, at, received_ms: Some(1_700_000_000_001) }
}

/// Holds that an event is read back as it was written, and written again as it was.
pub(crate) fn is_written_in_one_way(parser: &Parser, event: &Event<'_>) {
    let mut text = Vec::new();
    let canonical = write_event(event, parser.types(), &mut text);
    let draft = parser.parse(&text, Some(event.event_type)).expect("what is written is an event");
    assert!(draft.id.is_some() && draft.at.is_some() && draft.source.is_some(), "nothing is open");
    let read = draft.resolve(defaults);
    let mut again = Vec::new();
    assert_eq!(write_event(&read, parser.types(), &mut again), canonical);
    assert_eq!(again[..canonical], text[..canonical], "the canonical part stays as it is");
    assert!(event.received_ms.is_none() || again == text, "and so does what the gateway adds");
    assert_eq!(Event { received_ms: None, ..read }, Event { received_ms: None, ..event.clone() });
}
