//! What the server is and whether it keeps what it acknowledges: its version and its sync policy.
//!
//! The version comes with the connection. The sync policy is told only by each server's monitoring
//! address (`GET /varz`), so without one it is unknown.

use std::time::Duration;

use futures_util::future::join_all;
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

/// One server of those that are set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Its monitoring address, if one is set.
    pub url: Option<String>,
    /// Its name, if it answers.
    pub name: Option<String>,
    /// When it syncs.
    pub sync: SyncPolicy,
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.as_deref().or(self.url.as_deref()).unwrap_or("the server"))
    }
}

impl Server {
    fn unknown(url: Option<&str>, why: impl Into<String>) -> Self {
        Self { url: url.map(str::to_owned), name: None, sync: SyncPolicy::Unknown(why.into()) }
    }
}

/// Returns the sync policy that promises least: the longest interval, else what is not known.
pub fn least(servers: Vec<Server>) -> SyncPolicy {
    let rank = |policy: &SyncPolicy| match policy {
        SyncPolicy::Always => (0, Duration::ZERO),
        SyncPolicy::Unknown(_) => (1, Duration::ZERO),
        SyncPolicy::Every(interval) => (2, *interval),
    };
    let policies = servers.into_iter().map(|server| server.sync);
    policies.max_by_key(rank).unwrap_or(SyncPolicy::Unknown("there is no server".into()))
}

#[derive(Deserialize)]
struct Varz {
    #[serde(default)]
    server_name: Option<String>,
    #[serde(default)]
    jetstream: Option<JetStreamVarz>,
}

#[derive(Deserialize)]
struct JetStreamVarz {
    config: Option<JetStreamConfig>,
}

#[derive(Deserialize)]
struct JetStreamConfig {
    #[serde(default)]
    sync_always: bool,
    #[serde(default)]
    sync_interval: u64,
}

/// Reads the answer of `GET /varz`.
fn parse_varz(url: &str, body: &[u8]) -> Server {
    let varz: Varz = match serde_json::from_slice(body) {
        Ok(varz) => varz,
        Err(error) => {
            let why = format!("the monitoring address gave no such answer: {error}");
            return Server::unknown(Some(url), why);
        }
    };
    let sync = match varz.jetstream.and_then(|jetstream| jetstream.config) {
        Some(config) if config.sync_always => SyncPolicy::Always,
        Some(config) => SyncPolicy::Every(Duration::from_nanos(config.sync_interval)),
        None => SyncPolicy::Unknown("JetStream is not enabled there".into()),
    };
    Server { url: Some(url.to_owned()), name: varz.server_name, sync }
}

/// Asks monitoring addresses such as `http://127.0.0.1:8222`, with commas between, all at once; never fails, at
/// most 2 s, and tells of at least one server.
pub async fn servers(monitor_urls: Option<&str>) -> Vec<Server> {
    let urls = monitor_urls.into_iter().flat_map(|urls| urls.split(',')).map(str::trim);
    let asked = join_all(urls.filter(|url| !url.is_empty()).map(server)).await;
    if asked.is_empty() {
        return vec![Server::unknown(None, "no monitoring address is configured")];
    }
    asked
}

async fn server(url: &str) -> Server {
    match fetch_varz(url).await {
        Ok(body) => parse_varz(url, &body),
        Err(error) => Server::unknown(Some(url), format!("{url} does not answer: {error}")),
    }
}

async fn fetch_varz(url: &str) -> Result<bytes::Bytes, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
    let url = format!("{}/varz", url.trim_end_matches('/'));
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
    fn name_and_sync_policy_are_read_from_the_monitor() {
        let read = |body: &str| parse_varz("http://n:8222", body.as_bytes());
        let always = r#"{"server_name":"n1","jetstream":{"config":{"sync_interval":120000000000,"sync_always":true}}}"#;
        let server = read(always);
        assert_eq!((server.to_string().as_str(), server.sync), ("n1", SyncPolicy::Always));
        let every = r#"{"jetstream":{"config":{"sync_interval":120000000000}}}"#;
        assert_eq!(read(every).sync, SyncPolicy::Every(Duration::from_mins(2)));
        assert_eq!(read(every).to_string(), "http://n:8222");
        for unknown in ["{}", r#"{"jetstream":{}}"#, "<html>", ""] {
            assert!(matches!(read(unknown).sync, SyncPolicy::Unknown(_)));
        }
    }

    #[test]
    fn of_several_the_server_that_promises_least_counts() {
        let server = |sync| Server { url: None, name: None, sync };
        let every = |seconds| server(SyncPolicy::Every(Duration::from_secs(seconds)));
        let (always, unknown) = (server(SyncPolicy::Always), Server::unknown(None, "why"));
        assert_eq!(least(vec![always.clone(), always.clone()]), SyncPolicy::Always);
        assert_eq!(least(vec![unknown.clone(), always.clone()]), unknown.sync);
        assert_eq!(least(vec![every(9), always, every(1), unknown]), every(9).sync);
        assert!(matches!(least(Vec::new()), SyncPolicy::Unknown(_)));
    }
}
