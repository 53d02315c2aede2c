//! Which consumer is shared, and what it has to be. Pure.
//!
//! The declaration is `nats/consumer-projector.json`, in the server's own words; what depends on the
//! generation or on settings is put over it.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::Config;

const DECLARATION: &str = include_str!("../../../nats/consumer-projector.json");

/// The stream that work comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkStream {
    /// The log.
    Events,
    /// What is due to be tried again.
    Retry,
}

impl WorkStream {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Events => "EVENTS",
            Self::Retry => "RETRY",
        }
    }
}

/// Which work to take part in. Everybody who names the same durable shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkOptions {
    pub stream: WorkStream,
    /// The consumer's name: letters, digits, `-` and `_`.
    pub durable: String,
    /// Only messages of these subjects; `None` for all.
    pub filter: Option<String>,
    /// Where a consumer that does not exist yet begins (inclusive); `None` for the first message.
    pub begins: Option<u64>,
    /// How long a delivery may stay unacknowledged before somebody else gets it.
    pub ack_wait: Duration,
    /// Deliveries without an acknowledgement, of all workers together; the server delivers no more beyond.
    pub max_ack_pending: u32,
}

impl WorkOptions {
    /// Takes part in the work on all events, with the declaration's bounds.
    pub fn events(durable: impl Into<String>) -> Self {
        let declared = declaration();
        Self {
            stream: WorkStream::Events,
            durable: durable.into(),
            filter: None,
            begins: None,
            ack_wait: declared.ack_wait,
            max_ack_pending: u32::try_from(declared.max_ack_pending).unwrap_or(u32::MAX),
        }
    }

    /// The consumer as it has to be.
    pub(super) fn declared(&self) -> Config {
        let declared = declaration();
        let begins = self.begins.map_or(declared.deliver_policy, |sequence| {
            DeliverPolicy::ByStartSequence { start_sequence: sequence.max(1) }
        });
        Config {
            deliver_policy: begins,
            durable_name: Some(self.durable.clone()),
            filter_subject: self.filter.clone().unwrap_or_default(),
            ack_wait: self.ack_wait,
            max_ack_pending: i64::from(self.max_ack_pending),
            ..declared
        }
    }
}

fn declaration() -> Config {
    serde_json::from_str(DECLARATION).expect("a test reads the declaration")
}

/// Returns the consumer with everything changed that can be changed, or `None` if it is as declared.
///
/// Where it begins to deliver cannot be changed, and differs after a reset on an older server.
pub fn repaired(declared: &Config, found: &Config) -> Option<Config> {
    let mut config = found.clone();
    config.description.clone_from(&declared.description);
    config.filter_subject.clone_from(&declared.filter_subject);
    config.filter_subjects.clone_from(&declared.filter_subjects);
    config.ack_wait = declared.ack_wait;
    config.max_deliver = declared.max_deliver;
    config.max_ack_pending = declared.max_ack_pending;
    config.backoff.clone_from(&declared.backoff);
    config.headers_only = declared.headers_only;
    config.inactive_threshold = declared.inactive_threshold;
    config.max_batch = declared.max_batch;
    config.max_bytes = declared.max_bytes;
    config.max_expires = declared.max_expires;
    (config != *found).then_some(config)
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::consumer::AckPolicy;

    use super::*;

    #[test]
    fn the_declaration_is_read_and_delivers_everything_without_end() {
        let config = WorkOptions::events("projector-g1").declared();
        assert_eq!(config.durable_name.as_deref(), Some("projector-g1"));
        assert_eq!((config.ack_policy, config.max_deliver), (AckPolicy::Explicit, -1));
        assert_eq!(config.deliver_policy, DeliverPolicy::All);
        assert_eq!(repaired(&config, &config), None);
    }

    #[test]
    fn a_new_consumer_may_begin_elsewhere() {
        let options = WorkOptions { begins: Some(7), ..WorkOptions::events("projector-g2") };
        let begins = DeliverPolicy::ByStartSequence { start_sequence: 7 };
        assert_eq!(options.declared().deliver_policy, begins);
    }

    #[test]
    fn what_was_changed_is_changed_back_and_the_beginning_is_left_alone() {
        let declared = WorkOptions::events("projector-g1").declared();
        let begins = DeliverPolicy::ByStartSequence { start_sequence: 7 };
        let found = Config {
            max_deliver: 3,
            ack_wait: Duration::from_secs(1),
            deliver_policy: begins,
            max_waiting: 9,
            ..declared.clone()
        };
        let changed = repaired(&declared, &found).expect("it differs");
        assert_eq!((changed.max_deliver, changed.ack_wait), (-1, declared.ack_wait));
        assert_eq!((changed.deliver_policy, changed.max_waiting), (begins, 9));
        assert_eq!(repaired(&declared, &changed), None);
    }
}
