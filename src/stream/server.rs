//! What the server is and whether it keeps what it acknowledges: its version and its sync policy.
//!
//! The version comes with the connection. The sync policy is told only by the server's monitoring
//! address (`GET /jsz?config=1`), so without one it is unknown.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The oldest server that keeps the promises: message ids inside atomic batches.
pub const MINIMUM_VERSION: (u64, u64, u64) = (2, 12, 1);

/// The server is older than [`MINIMUM_VERSION`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "nats-server {version} is too old: weir needs 2.12.1 or newer, which knows message ids inside \
     atomic batches; install a newer server and start it on the same store directory"
)]
pub struct TooOld {
    /// What the server says it is.
    pub version: String,
}

/// Refuses a server's version that is below [`MINIMUM_VERSION`], or that is none.
pub fn check_version(version: &str) -> Result<(), TooOld> {
    match parse_version(version) {
        Some(parsed) if parsed >= MINIMUM_VERSION => Ok(()),
        _ => Err(TooOld { version: version.to_owned() }),
    }
}

/// Reads `2.12.1` and `v2.12.1-beta.2` alike: a pre-release counts as its release.
fn parse_version(version: &str) -> Option<(u64, u64, u64)> {
    let core = version.trim_start_matches('v').split(['-', '+']).next()?;
    let mut numbers = core.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// When the server syncs what it stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncPolicy {
    /// Before it acknowledges.
    Always,
    /// After it has acknowledged, every so often.
    Every(Duration),
    /// Nobody could be asked; why.
    Unknown(String),
}

impl std::fmt::Display for SyncPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Always => f.write_str("always, before it acknowledges"),
            Self::Every(interval) => {
                write!(f, "every {} s, after it has acknowledged", interval.as_secs())
            }
            Self::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

#[derive(Deserialize)]
struct Jsz {
    config: Option<JszConfig>,
}

#[derive(Deserialize)]
struct JszConfig {
    #[serde(default)]
    sync_always: bool,
    #[serde(default)]
    sync_interval: u64,
}

/// Reads the answer of `GET /jsz?config=1`.
fn parse_jsz(body: &[u8]) -> SyncPolicy {
    match serde_json::from_slice::<Jsz>(body) {
        Ok(Jsz { config: Some(config) }) if config.sync_always => SyncPolicy::Always,
        Ok(Jsz { config: Some(config) }) => {
            SyncPolicy::Every(Duration::from_nanos(config.sync_interval))
        }
        Ok(Jsz { config: None }) => SyncPolicy::Unknown("JetStream is not enabled there".into()),
        Err(error) => {
            SyncPolicy::Unknown(format!("the monitoring address gave no such answer: {error}"))
        }
    }
}

/// Asks a monitoring address such as `http://127.0.0.1:8222`; never fails, at most 2 s.
pub async fn sync_policy(monitor_url: Option<&str>) -> SyncPolicy {
    let Some(url) = monitor_url else {
        return SyncPolicy::Unknown("no monitoring address is configured".into());
    };
    match fetch_jsz(url).await {
        Ok(body) => parse_jsz(&body),
        Err(error) => SyncPolicy::Unknown(format!("{url} does not answer: {error}")),
    }
}

async fn fetch_jsz(url: &str) -> Result<bytes::Bytes, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
    let url = format!("{}/jsz?config=1", url.trim_end_matches('/'));
    client.get(url).send().await?.error_for_status()?.bytes().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_below_the_minimum_are_refused() {
        for new_enough in
            ["2.12.1", "v2.12.1", "2.12.10", "2.13.0", "3.0.0", "2.15.1-RC.2", "2.14.0+meta"]
        {
            assert_eq!(check_version(new_enough), Ok(()), "{new_enough}");
        }
        for too_old in ["2.12.0", "2.9.10", "1.99.99", "", "unknown", "2.12"] {
            assert!(check_version(too_old).is_err(), "{too_old}");
        }
    }

    #[test]
    fn the_sync_policy_is_read_from_the_monitor() {
        let always = br#"{"config":{"sync_interval":120000000000,"sync_always":true}}"#;
        assert_eq!(parse_jsz(always), SyncPolicy::Always);
        let every = br#"{"config":{"sync_interval":120000000000}}"#;
        assert_eq!(parse_jsz(every), SyncPolicy::Every(Duration::from_mins(2)));
        for unknown in [&b"{}"[..], b"<html>", b""] {
            assert!(matches!(parse_jsz(unknown), SyncPolicy::Unknown(_)));
        }
    }
}
