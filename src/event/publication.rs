//! One event on its way into the log: what a WAL entry holds and what the relay publishes.
//!
//! The binary form is `tag, type length, id length (u16 little endian), type, id, payload`.
//! Tags are never used twice; tag 1 is this form.

use bytes::Bytes;

use super::types::is_type_name;

/// Every event's subject is this and its type.
pub const SUBJECT_PREFIX: &str = "events.";

const TAG: u8 = 1;
const HEADER_BYTES: usize = 4;

/// An event to publish on `events.<type>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// 1 to 64 of `a-z0-9_`: a valid last token of a subject.
    pub event_type: String,
    /// What the broker knows duplicates by: printable ASCII without spaces.
    pub message_id: String,
    pub payload: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicationError {
    #[error("the entry is cut short")]
    CutShort,
    #[error("the entry's form {0} is not known to this version")]
    UnknownTag(u8),
    #[error("the entry's event type is no valid name")]
    EventType,
    #[error("the entry's message id is not printable")]
    MessageId,
}

impl Publication {
    pub fn decode(entry: &Bytes) -> Result<Self, PublicationError> {
        let [tag, type_bytes, id_low, id_high, ..] = entry[..] else {
            return Err(PublicationError::CutShort);
        };
        if tag != TAG {
            return Err(PublicationError::UnknownTag(tag));
        }
        let type_end = HEADER_BYTES + usize::from(type_bytes);
        let id_end = type_end + usize::from(u16::from_le_bytes([id_low, id_high]));
        if entry.len() < id_end {
            return Err(PublicationError::CutShort);
        }
        let event_type = std::str::from_utf8(&entry[HEADER_BYTES..type_end])
            .ok()
            .filter(|name| is_type_name(name))
            .ok_or(PublicationError::EventType)?;
        let message_id = std::str::from_utf8(&entry[type_end..id_end])
            .ok()
            .filter(|id| is_message_id(id))
            .ok_or(PublicationError::MessageId)?;
        Ok(Self {
            event_type: event_type.to_owned(),
            message_id: message_id.to_owned(),
            payload: entry.slice(id_end..),
        })
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        Self::begin(&self.event_type, &self.message_id, out);
        out.extend_from_slice(&self.payload);
    }

    /// Writes all but the payload, which the caller appends.
    pub fn begin(event_type: &str, message_id: &str, out: &mut Vec<u8>) {
        debug_assert!(is_type_name(event_type) && is_message_id(message_id));
        out.push(TAG);
        out.push(event_type.len() as u8);
        out.extend_from_slice(&(message_id.len() as u16).to_le_bytes());
        out.extend_from_slice(event_type.as_bytes());
        out.extend_from_slice(message_id.as_bytes());
    }

    pub fn subject(&self) -> String {
        subject(&self.event_type)
    }
}

/// The subject of a type.
pub fn subject(event_type: &str) -> String {
    format!("{SUBJECT_PREFIX}{event_type}")
}

/// The type that a subject names; `None` for a subject of another form.
pub fn event_type_of(subject: &str) -> Option<&str> {
    subject.strip_prefix(SUBJECT_PREFIX).filter(|token| is_type_name(token))
}

fn is_message_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_codec_round_trips(
            event_type in "[a-z0-9_]{1,64}", message_id in "[!-~]{1,300}", payload in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let publication = Publication { event_type, message_id, payload: payload.into() };
            let mut entry = Vec::new();
            publication.encode(&mut entry);
            prop_assert_eq!(Publication::decode(&entry.into()), Ok(publication));
        }

        #[test]
        fn no_entry_makes_the_decoder_panic(entry in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Publication::decode(&entry.into());
        }
    }

    #[test]
    fn what_is_not_an_entry_is_refused() {
        let decode = |bytes: &'static [u8]| Publication::decode(&Bytes::from_static(bytes));
        assert_eq!(decode(b""), Err(PublicationError::CutShort));
        assert_eq!(decode(&[9, 1, 1, 0, b'a', b'b']), Err(PublicationError::UnknownTag(9)));
        assert_eq!(decode(&[1, 9, 1, 0, b'a', b'b']), Err(PublicationError::CutShort));
        assert_eq!(decode(&[1, 1, 1, 0, b'.', b'b']), Err(PublicationError::EventType));
        assert_eq!(decode(&[1, 1, 1, 0, b'a', b' ']), Err(PublicationError::MessageId));
    }

    #[test]
    fn a_subject_names_a_type() {
        assert_eq!(event_type_of("events.viewed"), Some("viewed"));
        for other in ["events.", "events.a.b", "events.A", "other.viewed"] {
            assert_eq!(event_type_of(other), None, "{other}");
        }
    }
}
