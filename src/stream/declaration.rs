//! What the stream of events has to be, and what to do where it is not. Pure.
//!
//! The declaration itself is `nats/stream-events.json`, in the server's own words.

use async_nats::jetstream::stream::{
    Compression, Config, DiscardPolicy, RetentionPolicy, StorageType,
};

use crate::stream::findings::{Finding, Severity};
use crate::stream::position::Epoch;

/// The subjects of all events.
pub const EVENT_SUBJECTS: &str = "events.>";

/// The key of the stream's epoch in its metadata.
const EPOCH_KEY: &str = "weir.epoch";

const DECLARATION: &str = include_str!("../../nats/stream-events.json");

/// Returns the declared stream, bounded as its owner wants it and without an epoch.
pub fn declared(max_bytes: Option<i64>, replicas: usize) -> Config {
    let mut config: Config =
        serde_json::from_str(DECLARATION).expect("a test reads the declaration");
    config.max_bytes = max_bytes.unwrap_or(config.max_bytes);
    config.num_replicas = replicas;
    config
}

/// Reads a stream's epoch.
pub fn epoch_of(config: &Config) -> Option<Epoch> {
    config.metadata.get(EPOCH_KEY).cloned().map(Epoch)
}

/// Gives a stream an epoch.
pub fn set_epoch(config: &mut Config, epoch: &Epoch) {
    config.metadata.insert(EPOCH_KEY.to_owned(), epoch.0.clone());
}

/// Returns the stream's settings with everything changed that can be changed, and all that is not ours kept.
pub fn repaired(declared: &Config, found: &Config) -> Config {
    let mut config = found.clone();
    for subject in &declared.subjects {
        if !config.subjects.contains(subject) {
            config.subjects.push(subject.clone());
        }
    }
    config.max_bytes = declared.max_bytes;
    config.max_messages = declared.max_messages;
    config.max_messages_per_subject = declared.max_messages_per_subject;
    config.max_message_size = declared.max_message_size;
    config.max_age = declared.max_age;
    config.discard = declared.discard;
    config.discard_new_per_subject = declared.discard_new_per_subject;
    config.no_ack = declared.no_ack;
    config.duplicate_window = declared.duplicate_window;
    config.compression.clone_from(&declared.compression);
    config.allow_direct = declared.allow_direct;
    config.allow_atomic_publish = declared.allow_atomic_publish;
    config.allow_rollup = declared.allow_rollup;
    config
}

/// Names every setting that differs from the declaration.
pub fn differences(declared: &Config, found: &Config) -> Vec<Finding> {
    let mut findings = Differences(Vec::new());
    compare_promise(&mut findings, declared, found);
    compare_comfort(&mut findings, declared, found);
    findings.0
}

struct Differences(Vec<Finding>);

impl Differences {
    fn check(
        &mut self,
        holds: bool,
        severity: Severity,
        setting: &str,
        found: String,
        expected: String,
    ) {
        if !holds {
            let remedy = format!(
                "`nats stream edit EVENTS`: set {setting} to {expected}; if that is refused, \
                                  the stream has to be made anew and filled from a copy"
            );
            self.0.push(Finding { severity, setting: setting.to_owned(), found, expected, remedy });
        }
    }

    fn equal<T: PartialEq + std::fmt::Debug>(
        &mut self,
        severity: Severity,
        setting: &str,
        found: &T,
        expected: &T,
    ) {
        self.check(
            found == expected,
            severity,
            setting,
            format!("{found:?}"),
            format!("{expected:?}"),
        );
    }
}

/// Where a difference loses events.
fn compare_promise(findings: &mut Differences, declared: &Config, found: &Config) {
    let broken = Severity::Broken;
    findings.equal(broken, "storage", &found.storage, &StorageType::File);
    findings.equal(broken, "retention", &found.retention, &RetentionPolicy::Limits);
    findings.equal(broken, "discard", &found.discard, &DiscardPolicy::New);
    findings.equal(broken, "no_ack", &found.no_ack, &false);
    findings.equal(broken, "max_age", &found.max_age, &declared.max_age);
    findings.equal(broken, "max_msgs_per_subject", &found.max_messages_per_subject, &-1);
    findings.equal(broken, "allow_rollup_hdrs", &found.allow_rollup, &false);
    findings.equal(broken, "allow_msg_ttl", &found.allow_message_ttl, &false);
    findings.check(
        found.persist_mode.is_none(),
        broken,
        "persist_mode",
        format!("{:?}", found.persist_mode),
        "default".into(),
    );
    for subject in &declared.subjects {
        let held = found.subjects.contains(subject);
        findings.check(held, broken, "subjects", format!("{:?}", found.subjects), subject.clone());
    }
    if found.num_replicas < declared.num_replicas {
        findings.0.push(Finding {
            severity: broken,
            setting: "num_replicas".into(),
            found: found.num_replicas.to_string(),
            expected: declared.num_replicas.to_string(),
            remedy: "`weir streams apply` while as many servers are up: it makes more copies"
                .into(),
        });
    }
}

/// Where a difference costs speed, room or a function.
fn compare_comfort(findings: &mut Differences, declared: &Config, found: &Config) {
    let warning = Severity::Warning;
    findings.equal(warning, "sealed", &found.sealed, &false);
    findings.equal(warning, "max_bytes", &found.max_bytes, &declared.max_bytes);
    findings.equal(warning, "max_msgs", &found.max_messages, &-1);
    let unbounded = found.max_message_size <= 0;
    findings.check(
        unbounded,
        warning,
        "max_msg_size",
        found.max_message_size.to_string(),
        "-1".into(),
    );
    findings.equal(warning, "allow_atomic", &found.allow_atomic_publish, &true);
    findings.equal(
        warning,
        "duplicate_window",
        &found.duplicate_window,
        &declared.duplicate_window,
    );
    findings.equal(warning, "deny_delete", &found.deny_delete, &false);
    let notice = Severity::Notice;
    let compressed = found.compression == Some(Compression::S2);
    findings.check(
        compressed,
        notice,
        "compression",
        format!("{:?}", found.compression),
        "s2".into(),
    );
    findings.equal(notice, "allow_direct", &found.allow_direct, &true);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_declaration_is_read_and_differs_in_nothing_from_itself() {
        let config = declared(None, 1);
        assert_eq!(config.name, "EVENTS");
        assert_eq!(config.subjects, [EVENT_SUBJECTS]);
        assert_eq!(differences(&config, &config), []);
        assert_eq!(repaired(&config, &config), config);
        assert_eq!(epoch_of(&config), None);
    }

    #[test]
    fn what_can_be_changed_is_changed_and_the_rest_is_named() {
        let config = declared(Some(1 << 30), 3);
        let mut found = config.clone();
        let epoch = Epoch("one".into());
        set_epoch(&mut found, &epoch);
        found.subjects = vec!["elsewhere".into()];
        found.max_age = Duration::from_secs(1);
        found.discard = DiscardPolicy::Old;
        found.num_replicas = 1;
        found.storage = StorageType::Memory;
        found.allow_atomic_publish = false;

        let settings: Vec<_> =
            differences(&config, &found).into_iter().map(|finding| finding.setting).collect();
        assert_eq!(
            settings,
            ["storage", "discard", "max_age", "subjects", "num_replicas", "allow_atomic"]
        );

        let repaired = repaired(&config, &found);
        let left: Vec<_> =
            differences(&config, &repaired).into_iter().map(|finding| finding.setting).collect();
        assert_eq!(left, ["storage", "num_replicas"]);
        assert_eq!(repaired.subjects, ["elsewhere", EVENT_SUBJECTS]);
        assert_eq!(epoch_of(&repaired), Some(epoch));
    }
}
