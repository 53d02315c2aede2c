//! The settings as plain data: strings, numbers and durations that were checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Everything an operator can set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Settings {
    /// Holds the WAL, the snapshots, and the child server's files.
    pub data_dir: PathBuf,
    /// Longest wait for work in flight at the end.
    #[serde(with = "millis")]
    pub drain_deadline: Duration,
    pub gateway: GatewaySettings,
    pub admin: AdminSettings,
    pub nats: NatsSettings,
    pub wal: WalSettings,
    pub log: LogSettings,
    /// By the type's name; never empty of interactions, those that are off left out.
    pub event_types: BTreeMap<String, EventTypeSettings>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GatewaySettings {
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
    pub max_connections: usize,
    pub max_connections_per_peer: usize,
    #[serde(with = "millis")]
    pub head_timeout: Duration,
    #[serde(with = "millis")]
    pub chunk_timeout: Duration,
    #[serde(with = "millis")]
    pub body_timeout: Duration,
    pub body_bytes: usize,
    pub batch_events: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AdminSettings {
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NatsSettings {
    /// The server to use; without it a child is started.
    pub url: Option<String>,
    /// Where the server of `url` tells its settings; a child's is known.
    pub monitor_url: Option<String>,
    /// The program to start as a child; without it, it is searched for.
    pub server: Option<PathBuf>,
    /// Most bytes of the event stream.
    pub max_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WalSettings {
    pub segment_bytes: u64,
    #[serde(with = "millis")]
    pub segment_age: Duration,
    pub max_bytes: u64,
    pub grace_bytes: u64,
    #[serde(with = "millis")]
    pub grace_age: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LogSettings {
    /// `text` or `json`.
    pub format: String,
    /// In the syntax of `tracing`.
    pub filter: String,
}

/// What the events of one type do.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventTypeSettings {
    /// An edge from the user to the item.
    Interaction { collection: String, weight: f64 },
    /// Takes an edge back; `retracts` names an interaction's type.
    Retraction { retracts: String },
    /// Sets a user's attributes.
    UserProfile,
    /// Sets an item's attributes.
    ItemProfile,
    /// Has a user and no item.
    UserOnly,
}

/// Durations are whole milliseconds once they are checked.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
