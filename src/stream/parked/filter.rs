//! Which parked entries are meant. Pure.

use crate::stream::entry::Entry;

/// Chooses entries; what is absent does not matter, the default chooses all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedFilter {
    /// The subject, or its last part: `events.viewed` and `viewed` are the same.
    pub event_type: Option<String>,
    /// The reason as it is.
    pub reason: Option<String>,
    /// First failed at this moment or later, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// First failed before this moment.
    pub before_ms: Option<i64>,
    /// The id begins with this.
    pub id_prefix: Option<String>,
    /// The error holds this text, in whatever case.
    pub error_text: Option<String>,
}

impl ParkedFilter {
    /// Tells whether an entry is meant.
    pub fn matches(&self, entry: &Entry) -> bool {
        let Self { event_type, reason, since_ms, before_ms, id_prefix, error_text } = self;
        let of_type = |wanted: &String| {
            entry.subject == *wanted || entry.subject.strip_prefix("events.") == Some(wanted)
        };
        let holds = |wanted: &String| entry.error.to_lowercase().contains(&wanted.to_lowercase());
        event_type.as_ref().is_none_or(of_type)
            && reason.as_ref().is_none_or(|reason| entry.reason == *reason)
            && since_ms.is_none_or(|since| entry.first_failed_ms >= since)
            && before_ms.is_none_or(|before| entry.first_failed_ms < before)
            && id_prefix.as_ref().is_none_or(|prefix| entry.id.to_string().starts_with(prefix))
            && error_text.as_ref().is_none_or(holds)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::stream::entry::{EntryId, Origin};

    fn entry() -> Entry {
        let (subject, payload) = ("events.viewed", Bytes::from("{}"));
        let origin =
            Origin { subject, message_id: None, payload: &payload, epoch: "e", sequence: 1 };
        Entry {
            id: EntryId::of(origin),
            generation: 1,
            subject: subject.into(),
            message_id: None,
            payload,
            epoch: "e".into(),
            sequence: 1,
            time_ms: 0,
            attempts: 1,
            first_failed_ms: 1_000,
            reason: "undecodable".into(),
            error: "Expected a Comma".into(),
        }
    }

    #[test]
    fn each_condition_must_hold() {
        let all = ParkedFilter::default;
        let prefix = entry().id.to_string()[..5].to_owned();
        for filter in [
            all(),
            ParkedFilter { event_type: Some("viewed".into()), ..all() },
            ParkedFilter { event_type: Some("events.viewed".into()), ..all() },
            ParkedFilter { reason: Some("undecodable".into()), ..all() },
            ParkedFilter { since_ms: Some(1_000), before_ms: Some(1_001), ..all() },
            ParkedFilter { id_prefix: Some(prefix), ..all() },
            ParkedFilter { error_text: Some("a comma".into()), ..all() },
        ] {
            assert!(filter.matches(&entry()), "{filter:?}");
        }
        for filter in [
            ParkedFilter { event_type: Some("view".into()), ..all() },
            ParkedFilter { reason: Some("undecod".into()), ..all() },
            ParkedFilter { since_ms: Some(1_001), ..all() },
            ParkedFilter { before_ms: Some(1_000), ..all() },
            ParkedFilter { id_prefix: Some("x".into()), ..all() },
            ParkedFilter { error_text: Some("colon".into()), ..all() },
        ] {
            assert!(!filter.matches(&entry()), "{filter:?}");
        }
    }
}
