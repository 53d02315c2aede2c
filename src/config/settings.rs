//! The settings as plain data: strings, numbers and durations that were checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::secret::SecretSource;

/// Everything an operator can set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Settings {
    /// Holds the WAL, the snapshots, and the child server's files.
    pub data_dir: PathBuf,
    /// Longest wait for work in flight at the end.
    #[serde(with = "millis")]
    pub drain_deadline: Duration,
    pub gateway: GatewaySettings,
    pub access: AccessSettings,
    #[serde(default)]
    pub cors: CorsSettings,
    #[serde(default)]
    pub privacy: PrivacySettings,
    #[serde(default)]
    pub tls: TlsSettings,
    pub api: ApiSettings,
    pub admin: AdminSettings,
    pub nats: NatsSettings,
    pub arango: ArangoSettings,
    pub projector: ProjectorSettings,
    #[serde(default)]
    pub image: ImageSettings,
    /// What waits to be tried again.
    pub retry: QueueSettings,
    /// What can never work.
    pub parked: QueueSettings,
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
    /// Fewest bytes a second of a body once a piece of it has been waited for; 0 asks for none.
    pub min_body_rate: u64,
    pub body_bytes: usize,
    /// Most bytes of all bodies that are on their way or being worked on.
    pub max_in_flight_bytes: usize,
    pub batch_events: usize,
    /// Longest wait for the stream of a request that asks for it.
    #[serde(with = "millis")]
    pub ack_timeout: Duration,
    /// Who may say for whom it asks, and is no peer of its own.
    #[serde(default, with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// `x-forwarded-for` or `forwarded`: the header to which those add.
    pub forwarded_header: String,
}

/// Who is asked for a key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccessSettings {
    /// `auto` (open in `weir dev` on loopback alone), `keys` or `open`.
    pub mode: String,
    pub jwt: JwtSettings,
}

/// Tokens that others issue; taken once issuer, audience and a source of keys are set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JwtSettings {
    pub issuer: Option<String>,
    pub audience: Option<String>,
    pub algorithms: Vec<String>,
    pub jwks_url: Option<String>,
    pub jwks_file: Option<PathBuf>,
}

/// Pages of which origins may read answers of the public listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct CorsSettings {
    /// `https://host[:port]`, as browsers send them, beside those of the keys.
    #[serde(default)]
    pub origins: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PrivacySettings {
    /// What fields are hashed with that a key has hashed; all gateways need the same.
    #[serde(skip)]
    pub hash_key: Option<SecretSource>,
}

/// The certificate of the public listener; both files are set, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct TlsSettings {
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// The reads of a process that is nothing but an API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ApiSettings {
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AdminSettings {
    /// `host:port`; port 0 takes a free one.
    pub listen: String,
    /// What whoever operates must show; without it, whoever reaches the listener may.
    #[serde(skip)]
    pub token: Option<SecretSource>,
    /// Set together with `tls_key_file`.
    pub tls_cert_file: Option<PathBuf>,
    pub tls_key_file: Option<PathBuf>,
    /// Authorities of the operators' certificates; without it, none are asked for.
    pub client_ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NatsSettings {
    /// The server to use; without it a child is started.
    pub url: Option<String>,
    /// Where the servers of `url` tell their settings, with commas between; a child's is known.
    pub monitor_url: Option<String>,
    /// The program to start as a child; without it, it is searched for.
    pub server: Option<PathBuf>,
    /// Most bytes of the event stream.
    pub max_bytes: u64,
    /// Copies of each stream and bucket, on as many servers of a cluster.
    pub replicas: usize,
    /// Set together with `password`; at most one of user, token and credentials file is.
    pub user: Option<String>,
    #[serde(skip)]
    pub password: Option<SecretSource>,
    #[serde(skip)]
    pub token: Option<SecretSource>,
    /// A JWT and an NKey seed, as `nsc` writes them.
    pub credentials_file: Option<PathBuf>,
    /// Certificates that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ArangoSettings {
    /// `http://host:8529`, without a path.
    pub url: Option<String>,
    pub user: String,
    #[serde(skip)]
    pub password: Option<SecretSource>,
    /// Certificates that are trusted instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// A generation's database is `<prefix>_<generation>`.
    pub database_prefix: String,
    /// Of each collection; a single server knows only one.
    pub shards: u32,
    /// Copies of each shard.
    pub replication_factor: u32,
    /// Copies that must have a write before it is done.
    pub write_concern: u32,
    /// Keeps a whole database on one server.
    pub one_shard: bool,
    #[serde(with = "millis")]
    pub request_timeout: Duration,
    #[serde(with = "millis")]
    pub query_timeout: Duration,
    /// Most requests at once of one process.
    pub max_in_flight: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProjectorSettings {
    /// Workers of one process; more processes may share the work.
    pub workers: usize,
    /// Most events applied at once.
    pub batch_events: usize,
    /// How long an event may take before it is given to another worker.
    #[serde(with = "millis")]
    pub ack_wait: Duration,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ImageSettings {
    /// Days of edges that the graph in memory holds; without it, all.
    pub days: Option<u32>,
}

/// A stream beside the stream of events.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct QueueSettings {
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

/// What the events of one type do; `aliases` is what else producers call it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventTypeSettings {
    /// An edge from the user to the item.
    Interaction {
        collection: String,
        weight: f64,
        #[serde(default)]
        aliases: Vec<String>,
    },
    /// Takes an edge back; `retracts` names an interaction's type.
    Retraction {
        retracts: String,
        #[serde(default)]
        aliases: Vec<String>,
    },
    /// Sets a user's attributes.
    UserProfile {
        #[serde(default)]
        aliases: Vec<String>,
    },
    /// Sets an item's attributes.
    ItemProfile {
        #[serde(default)]
        aliases: Vec<String>,
    },
    /// Has a user and no item.
    UserOnly {
        #[serde(default)]
        aliases: Vec<String>,
    },
}

/// Networks are texts that were checked.
mod networks {
    use ipnet::IpNet;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

/// Durations are whole milliseconds once they are checked.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
