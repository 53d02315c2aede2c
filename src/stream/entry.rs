//! An event that could not be applied: what it was, where it came from, and what went wrong. Pure.
//!
//! The same entry waits in RETRY and lies in PARKED. Its persisted form (in `form`) is the event's
//! payload as it was, and headers.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::limits;

/// One event that could not be applied to one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: EntryId,
    /// The number of the generation it could not be applied to.
    pub generation: u64,
    /// The subject it was published on.
    pub subject: String,
    pub message_id: Option<String>,
    /// The message as it was.
    pub payload: Bytes,
    /// The epoch of the log it came from.
    pub epoch: String,
    /// Its sequence there.
    pub sequence: u64,
    /// When the log stored it, in milliseconds since 1970.
    pub time_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it failed first, in milliseconds since 1970.
    pub first_failed_ms: i64,
    /// A stable tag: `arango_1200`, `undecodable`, …
    pub reason: String,
    /// For a person.
    pub error: String,
}

/// Where a message came from, and what makes it the same event as another.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub subject: &'a str,
    pub message_id: Option<&'a str>,
    pub payload: &'a [u8],
    pub epoch: &'a str,
    pub sequence: u64,
}

/// Names an event among the failed: a hash of its subject, its id (or its place, when it has none) and its payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId([u8; 16]);

impl EntryId {
    /// Hashes an event (BLAKE3, first 16 bytes, each part with its length).
    pub fn of(origin: Origin<'_>) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(origin.subject.as_bytes());
        if let Some(id) = origin.message_id {
            part(b"id");
            part(id.as_bytes());
        } else {
            part(b"at");
            part(origin.epoch.as_bytes());
            part(&origin.sequence.to_le_bytes());
        }
        part(origin.payload);
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry's id is 32 hexadecimal digits, in lower case")]
pub struct NoEntryId;

impl FromStr for EntryId {
    type Err = NoEntryId;

    fn from_str(text: &str) -> Result<Self, NoEntryId> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(NoEntryId);
        }
        let mut id = [0; 16];
        for (byte, at) in id.iter_mut().zip((0..32).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| NoEntryId)?;
        }
        Ok(Self(id))
    }
}

impl Entry {
    /// Cuts the error to what an entry may hold, at a character's end.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.error.truncate(self.error.floor_char_boundary(limits::ENTRY_ERROR_BYTES));
        self
    }

    pub(super) fn origin(&self) -> Origin<'_> {
        Origin {
            subject: &self.subject,
            message_id: self.message_id.as_deref(),
            payload: &self.payload,
            epoch: &self.epoch,
            sequence: self.sequence,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        subject: "events.viewed",
        message_id: Some("a"),
        payload: b"{}",
        epoch: "one",
        sequence: 7,
    };

    #[test]
    fn an_event_with_an_id_is_the_same_wherever_it_stands() {
        let id = EntryId::of(ORIGIN);
        assert_eq!(id, EntryId::of(Origin { epoch: "two", sequence: 9, ..ORIGIN }));
        for other in [
            Origin { subject: "events.liked", ..ORIGIN },
            Origin { message_id: Some("b"), ..ORIGIN },
            Origin { message_id: None, ..ORIGIN },
            Origin { payload: b"[]", ..ORIGIN },
        ] {
            assert_ne!(id, EntryId::of(other), "{other:?}");
        }
        let placed = Origin { message_id: None, ..ORIGIN };
        assert_ne!(EntryId::of(placed), EntryId::of(Origin { sequence: 8, ..placed }));
        assert_ne!(EntryId::of(placed), EntryId::of(Origin { epoch: "two", ..placed }));
    }

    #[test]
    fn an_id_is_pinned() {
        assert_eq!(EntryId::of(ORIGIN).to_string().len(), 32);
        assert_eq!(EntryId::of(ORIGIN).to_string(), "40edbbf76f5747d8cd616b0e683ebe93");
    }

    proptest! {
        #[test]
        fn an_id_is_read_as_it_is_shown(bytes in any::<[u8; 16]>()) {
            let id = EntryId(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn other_text_is_no_id(text in "[0-9a-fA-F]{0,40}") {
            let valid = text.len() == 32 && text == text.to_lowercase();
            prop_assert_eq!(text.parse::<EntryId>().is_ok(), valid);
        }
    }
}
