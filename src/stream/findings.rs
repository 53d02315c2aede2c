//! What was found to differ from what the promise needs: data for people, for `weir doctor` and for the log.

use serde::Serialize;

use crate::stream::server::{Server, SyncPolicy};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Could not be found out, or costs only comfort.
    Notice,
    /// Something will not work, or not for long.
    Warning,
    /// Events that were acknowledged can be lost.
    Broken,
}

/// A setting that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// The setting, as the server names it.
    pub setting: String,
    /// What it is.
    pub found: String,
    /// What it has to be.
    pub expected: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// Writes the finding to the log, as loud as it is grave.
    pub fn log(&self) {
        let Self { setting, found, expected, remedy, .. } = self;
        match self.severity {
            Severity::Notice => {
                tracing::info!(setting, found, expected, remedy, "nats: to be checked");
            }
            Severity::Warning => {
                tracing::warn!(setting, found, expected, remedy, "nats: to be changed");
            }
            Severity::Broken => {
                tracing::error!(
                    setting,
                    found,
                    expected,
                    remedy,
                    "nats: the promise of durability does not hold"
                );
            }
        }
    }
}

/// Says what each server's sync policy means; one of several is named.
pub fn of_servers(servers: &[Server]) -> Vec<Finding> {
    let named = |server: &Server| {
        of_sync_policy(&server.sync).map(|finding| match servers.len() {
            1 => finding,
            _ => Finding { setting: format!("{} of {}", finding.setting, server), ..finding },
        })
    };
    servers.iter().filter_map(named).collect()
}

/// Says what a server's sync policy means.
fn of_sync_policy(policy: &SyncPolicy) -> Option<Finding> {
    let (severity, found) = match policy {
        SyncPolicy::Always => return None,
        SyncPolicy::Every(interval) => {
            (Severity::Broken, format!("every {} s", interval.as_secs_f64()))
        }
        SyncPolicy::Unknown(reason) => (Severity::Notice, format!("unknown: {reason}")),
    };
    let remedy = match severity {
        Severity::Broken => {
            "set `sync_interval: always` in the server's jetstream block and restart it"
        }
        _ => {
            "set `http: \"127.0.0.1:8222\"` in the server's configuration and tell weir that address"
        }
    };
    Some(Finding {
        severity,
        setting: "jetstream.sync_interval".into(),
        found,
        expected: "always".into(),
        remedy: remedy.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_a_server_that_syncs_always_is_without_a_finding() {
        assert_eq!(of_sync_policy(&SyncPolicy::Always), None);
        let late = of_sync_policy(&SyncPolicy::Every(Duration::from_mins(2))).unwrap();
        assert_eq!((late.severity, late.found.as_str()), (Severity::Broken, "every 120 s"));
        let unknown = of_sync_policy(&SyncPolicy::Unknown("no address".into())).unwrap();
        assert_eq!(unknown.severity, Severity::Notice);
    }

    #[test]
    fn of_several_servers_each_that_is_wrong_is_named() {
        let server = |name: &str, sync| Server { url: None, name: Some(name.into()), sync };
        let late = || SyncPolicy::Every(Duration::from_mins(2));
        let servers = [server("n1", SyncPolicy::Always), server("n2", late())];
        let settings: Vec<_> = of_servers(&servers).into_iter().map(|f| f.setting).collect();
        assert_eq!(settings, ["jetstream.sync_interval of n2"]);
        let alone = of_servers(&[server("n1", late())]);
        assert_eq!(alone[0].setting, "jetstream.sync_interval");
    }
}
