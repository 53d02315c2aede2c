//! The persisted form of an [`Entry`]: the payload as it was, and `Weir-…` headers. Pure.
//!
//! The form has a number that is never reused. Text is written with `%XX` for everything that a header
//! could not bring back: control characters, what is not ASCII, `%`, and spaces at the ends.

use async_nats::HeaderMap;
use bytes::Bytes;

use crate::stream::entry::{Entry, EntryId};

/// The number of this form.
const FORM: &str = "1";

const FORM_KEY: &str = "Weir-Form";
const ID: &str = "Weir-Entry";
const GENERATION: &str = "Weir-Generation";
const SUBJECT: &str = "Weir-Subject";
const MESSAGE_ID: &str = "Weir-Message-Id";
const EPOCH: &str = "Weir-Epoch";
const SEQUENCE: &str = "Weir-Sequence";
const TIME: &str = "Weir-Time";
const ATTEMPTS: &str = "Weir-Attempts";
const FIRST_FAILED: &str = "Weir-First-Failed";
const REASON: &str = "Weir-Reason";
const ERROR: &str = "Weir-Error";
const CUT: &str = "Weir-Cut-From";

/// An entry as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub entry: Entry,
    /// The length of the whole payload, where only its beginning was kept.
    pub cut_from: Option<u64>,
}

/// Why a message is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the entry has the unknown form {0:?}: a newer weir wrote it, or it is none")]
    UnknownForm(String),
    #[error("the entry has no {0}")]
    Missing(&'static str),
    #[error("the entry's {0} cannot be read")]
    Unreadable(&'static str),
    #[error("the entry's id does not fit what it holds: it was changed")]
    OtherId,
}

/// Writes the headers of an entry; its payload goes beside them as it is, or only its beginning.
pub fn headers(entry: &Entry, cut_from: Option<u64>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |key: &'static str, value: String| headers.insert(key, value.as_str());
    put(FORM_KEY, FORM.to_owned());
    put(ID, entry.id.to_string());
    put(GENERATION, entry.generation.to_string());
    put(SUBJECT, escape(&entry.subject));
    if let Some(id) = &entry.message_id {
        put(MESSAGE_ID, escape(id));
    }
    put(EPOCH, escape(&entry.epoch));
    put(SEQUENCE, entry.sequence.to_string());
    put(TIME, entry.time_ms.to_string());
    put(ATTEMPTS, entry.attempts.to_string());
    put(FIRST_FAILED, entry.first_failed_ms.to_string());
    put(REASON, escape(&entry.reason));
    put(ERROR, escape(&entry.error));
    if let Some(length) = cut_from {
        put(CUT, length.to_string());
    }
    headers
}

/// Reads an entry from headers and payload; other headers do not matter.
pub fn read(headers: Option<&HeaderMap>, payload: &Bytes) -> Result<Read, FormError> {
    let fields = Fields(headers);
    match fields.get(FORM_KEY) {
        Some(FORM) => {}
        other => return Err(FormError::UnknownForm(other.unwrap_or_default().to_owned())),
    }
    let entry = Entry {
        id: fields.parsed(ID)?,
        generation: fields.parsed(GENERATION)?,
        subject: fields.text(SUBJECT)?,
        message_id: fields.get(MESSAGE_ID).map(|_| fields.text(MESSAGE_ID)).transpose()?,
        payload: payload.clone(),
        epoch: fields.text(EPOCH)?,
        sequence: fields.parsed(SEQUENCE)?,
        time_ms: fields.parsed(TIME)?,
        attempts: fields.parsed(ATTEMPTS)?,
        first_failed_ms: fields.parsed(FIRST_FAILED)?,
        reason: fields.text(REASON)?,
        error: fields.text(ERROR)?,
    };
    let cut_from = fields.get(CUT).map(|_| fields.parsed(CUT)).transpose()?;
    if cut_from.is_none() && EntryId::of(entry.origin()) != entry.id {
        return Err(FormError::OtherId);
    }
    Ok(Read { entry, cut_from })
}

struct Fields<'a>(Option<&'a HeaderMap>);

impl<'a> Fields<'a> {
    fn get(&self, key: &'static str) -> Option<&'a str> {
        Some(self.0?.get(key)?.as_str())
    }

    fn text(&self, key: &'static str) -> Result<String, FormError> {
        unescape(self.get(key).ok_or(FormError::Missing(key))?).ok_or(FormError::Unreadable(key))
    }

    fn parsed<T: std::str::FromStr>(&self, key: &'static str) -> Result<T, FormError> {
        let value = self.get(key).ok_or(FormError::Missing(key))?;
        value.parse().map_err(|_| FormError::Unreadable(key))
    }
}

fn escape(text: &str) -> String {
    let last = text.len().saturating_sub(1);
    let plain = |at: usize, byte: u8| match byte {
        b' ' => at != 0 && at != last,
        _ => byte.is_ascii_graphic() && byte != b'%',
    };
    let mut escaped = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        if plain(at, byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = rest.split_at_checked(2)?;
            rest = digits.1;
            let digits = std::str::from_utf8(digits.0).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.contains('+'))?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stream::entry::Origin;

    fn entry(message_id: Option<String>, text: &str, payload: Vec<u8>) -> Entry {
        let payload = Bytes::from(payload);
        let origin = Origin {
            subject: text,
            message_id: message_id.as_deref(),
            payload: &payload,
            epoch: text,
            sequence: u64::MAX,
        };
        let id = EntryId::of(origin);
        Entry {
            id,
            generation: 3,
            subject: text.to_owned(),
            message_id,
            payload,
            epoch: text.to_owned(),
            sequence: u64::MAX,
            time_ms: -5,
            attempts: u32::MAX,
            first_failed_ms: i64::MAX,
            reason: text.to_owned(),
            error: text.to_owned(),
        }
    }

    proptest! {
        #[test]
        fn every_entry_is_read_as_it_was_written(
            message_id in prop::option::of(any::<String>()),
            text in any::<String>(),
            payload in any::<Vec<u8>>(),
        ) {
            let entry = entry(message_id, &text, payload);
            let written = headers(&entry, None);
            prop_assert_eq!(read(Some(&written), &entry.payload), Ok(Read { entry, cut_from: None }));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>()) {
            unescape(&text);
            prop_assert!(escape(&text).bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
        }
    }

    #[test]
    fn a_beginning_is_known_as_one() {
        let entry = entry(None, "events.viewed", b"a long payload".to_vec());
        let begin = Bytes::from("a long");
        let Read { entry: read, cut_from } =
            read(Some(&headers(&entry, Some(14))), &begin).expect("it is an entry");
        assert_eq!((read.id, read.payload, cut_from), (entry.id, begin, Some(14)));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let entry = entry(Some("a".into()), "events.viewed", b"{}".to_vec());
        let unknown = |form: &str| Err(FormError::UnknownForm(form.into()));
        assert_eq!(read(None, &entry.payload), unknown(""));
        let changed = |key: &'static str, value: &str| {
            let mut headers = headers(&entry, None);
            headers.insert(key, value);
            read(Some(&headers), &entry.payload)
        };
        assert_eq!(changed(FORM_KEY, "2"), unknown("2"));
        for (key, value) in [
            (ID, "7"),
            (GENERATION, "-1"),
            (SEQUENCE, ""),
            (TIME, "x"),
            (ATTEMPTS, "4294967296"),
            (FIRST_FAILED, "1.5"),
            (SUBJECT, "%f"),
            (MESSAGE_ID, "%zz"),
            (ERROR, "%+1"),
            (REASON, "%ff"),
            (CUT, "long"),
        ] {
            assert_eq!(changed(key, value), Err(FormError::Unreadable(key)), "{key}: {value}");
        }
        assert_eq!(changed(SUBJECT, "events.other"), Err(FormError::OtherId));
        assert_eq!(
            read(Some(&headers(&entry, None)), &Bytes::from("{ }")),
            Err(FormError::OtherId)
        );
        for key in [ID, GENERATION, SUBJECT, EPOCH, SEQUENCE, TIME, ATTEMPTS, REASON, ERROR] {
            let kept = headers(&entry, None);
            let mut left = HeaderMap::new();
            kept.iter().filter(|(name, _)| name.to_string() != key).for_each(|(name, values)| {
                values.iter().for_each(|value| left.insert(name.clone(), value.clone()));
            });
            assert_eq!(read(Some(&left), &entry.payload), Err(FormError::Missing(key)));
        }
    }
}
