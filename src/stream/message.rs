//! A message as the log holds it.
//!
//! Subject, headers and payload share the memory they were received in; nothing is copied.

use async_nats::{HeaderMap, Subject, header};
use bytes::Bytes;

use crate::stream::position::{Mark, message_hash};

/// A message of the log, with its place and the time the stream gave it.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// The stream's sequence, from 1.
    pub sequence: u64,
    /// The stream's time in milliseconds since 1970.
    pub time_ms: i64,
    /// The message itself.
    pub payload: Bytes,
    subject: Subject,
    headers: Option<HeaderMap>,
}

impl StoredMessage {
    /// Makes a message that did not come from a server, for those who test what they do with one.
    pub fn new(
        sequence: u64,
        time_ms: i64,
        subject: &str,
        message_id: Option<&str>,
        payload: Bytes,
    ) -> Self {
        let headers = message_id.map(|id| {
            let mut headers = HeaderMap::new();
            headers.insert(header::NATS_MESSAGE_ID, id);
            headers
        });
        Self::from_parts(sequence, time_ms, subject.into(), headers, payload)
    }

    pub(super) fn from_parts(
        sequence: u64,
        time_ms: i64,
        subject: Subject,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Self {
        Self { sequence, time_ms, payload, subject, headers }
    }

    /// Returns the subject, which is authoritative for the event's type.
    pub fn subject(&self) -> &str {
        self.subject.as_str()
    }

    /// Returns the `Nats-Msg-Id` header.
    pub fn message_id(&self) -> Option<&str> {
        let value = self.headers.as_ref()?.get(header::NATS_MESSAGE_ID)?;
        Some(value.as_str())
    }

    pub(super) fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_ref()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.as_ref()?.get(name)?.as_str())
    }

    /// Returns the mark by which this place of the log is known again.
    pub fn mark(&self) -> Mark {
        let hash = message_hash(self.subject(), self.message_id(), &self.payload);
        Mark { sequence: self.sequence, hash }
    }

    /// Returns the mark by subject and id alone, for the one who gave the id: copies of one message may differ
    /// in what the id does not cover.
    pub fn id_mark(&self) -> Mark {
        let hash = message_hash(self.subject(), self.message_id(), &[]);
        Mark { sequence: self.sequence, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_its_id_and_its_mark() {
        let message =
            StoredMessage::new(7, 1, "events.viewed", Some("id"), Bytes::from_static(b"{}"));
        assert_eq!(message.message_id(), Some("id"));
        assert_eq!(message.mark().sequence, 7);
        assert_eq!(message.mark().hash, message_hash("events.viewed", Some("id"), b"{}"));
        assert_eq!(message.id_mark().hash, message_hash("events.viewed", Some("id"), b""));
        let without = StoredMessage::new(7, 1, "events.viewed", None, Bytes::from_static(b"{}"));
        assert_eq!(without.message_id(), None);
        assert_ne!(without.mark(), message.mark());
    }
}
