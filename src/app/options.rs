//! From settings to the options of each component.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::rules::Rules;
use crate::config::{EventTypeSettings, Settings};
use crate::event::{Declared, EventTypes};
use crate::http::{BodyBudget, BodyLimits, ForwardedBy, Proxies, ServeOptions, TlsFiles};
use crate::pulse::Pulse;
use crate::store::arango::ArangoOptions;
use crate::store::arango::schema::Target;
use crate::stream::{Credentials, NatsOptions};
use crate::{broker, gateway, projector, relay, stream, wal};

/// The type that counts as a purchase for reads, and of which an image forgets nothing.
pub(super) const PURCHASE_TYPE: &str = "purchased";

/// How long after a change the graph is written to its snapshot.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(20);

/// What the server may store beside the streams. The server reserves a stream's bound when the
/// stream is made, so its own bound follows from the stream's, not from the disk of the moment.
const BROKER_SPARE_BYTES: u64 = 1 << 30;

/// What lies where in the data directory.
#[derive(Clone)]
pub(super) struct Layout(PathBuf);

impl Layout {
    pub fn new(settings: &Settings) -> Self {
        Self(settings.data_dir.clone())
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Bytes that can still be written to the data directory's disk.
    pub fn free_bytes(&self) -> std::io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.0)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The lock of one role.
    pub fn lock(&self, role: &str) -> PathBuf {
        self.0.join(format!("weir.{role}.lock"))
    }

    pub fn wal(&self) -> PathBuf {
        self.0.join("wal")
    }

    pub fn broker(&self) -> PathBuf {
        self.0.join("nats")
    }

    /// The file of a graph in memory; one that is bounded has another.
    pub fn snapshot(&self, graph: &str, bounded: bool) -> PathBuf {
        let name = match (graph, bounded) {
            ("g1", true) => "recent.snapshot".to_owned(),
            (graph, true) => format!("{graph}.recent.snapshot"),
            (graph, false) => format!("{graph}.snapshot"),
        };
        self.0.join("graph").join(name)
    }

    /// The keys as they were seen last.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys.json")
    }

    /// The generations as they were seen last.
    pub fn generations(&self) -> PathBuf {
        self.0.join("generations.json")
    }
}

pub(super) fn event_types(settings: &Settings) -> anyhow::Result<EventTypes> {
    let (mut all, mut other_names) = (Vec::new(), Vec::new());
    for (name, kind) in &settings.event_types {
        let (declared, weight, aliases) = match kind {
            EventTypeSettings::Interaction { collection, weight, aliases } => {
                (Declared::Interaction { collection: collection.clone() }, *weight, aliases)
            }
            EventTypeSettings::Retraction { retracts, aliases } => {
                (Declared::Retraction { of: retracts.clone() }, 0.0, aliases)
            }
            EventTypeSettings::UserProfile { aliases } => (Declared::UserProfile, 0.0, aliases),
            EventTypeSettings::ItemProfile { aliases } => (Declared::ItemProfile, 0.0, aliases),
            EventTypeSettings::UserOnly { aliases } => (Declared::UserOnly, 0.0, aliases),
        };
        all.push((name.clone(), declared, weight));
        other_names.push((name.clone(), aliases.clone()));
    }
    EventTypes::new(all).and_then(|types| types.with_aliases(other_names)).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(lines.join("\n")).context("the event types cannot be used")
    })
}

pub(super) fn wal(settings: &Settings, layout: &Layout) -> wal::Options {
    let from = &settings.wal;
    wal::Options {
        dir: layout.wal(),
        segment_bytes: from.segment_bytes,
        segment_age: from.segment_age,
        max_bytes: from.max_bytes,
        grace_bytes: from.grace_bytes,
        grace_age: from.grace_age,
    }
}

pub(super) fn gateway(settings: &Settings) -> gateway::Options {
    let from = &settings.gateway;
    let body = BodyLimits {
        max_bytes: from.body_bytes,
        chunk_deadline: from.chunk_timeout,
        total_deadline: from.body_timeout,
        min_rate: from.min_body_rate,
    };
    gateway::Options {
        body,
        budget: BodyBudget::new(from.max_in_flight_bytes),
        batch_events: from.batch_events,
        ack_timeout: from.ack_timeout,
        hash_key: settings.privacy.hash_key.clone(),
    }
}

pub(super) fn serve(settings: &Settings, name: &'static str) -> ServeOptions {
    let from = &settings.gateway;
    ServeOptions {
        name,
        head_timeout: from.head_timeout,
        drain_deadline: settings.drain_deadline,
        max_connections: from.max_connections,
        max_connections_per_peer: from.max_connections_per_peer,
        proxies: proxies(settings),
        pulse: Pulse::new(if name == "admin" {
            "the admin listener"
        } else {
            "the public listener"
        }),
        ..ServeOptions::default()
    }
}

fn proxies(settings: &Settings) -> Proxies {
    let from = &settings.gateway;
    let by = match &*from.forwarded_header {
        "forwarded" => ForwardedBy::Forwarded,
        _ => ForwardedBy::XForwardedFor,
    };
    Proxies::new(from.trusted_proxies.iter().copied(), by)
}

/// The certificate of the public listener, if it has one.
pub(super) fn public_tls(settings: &Settings) -> Option<TlsFiles> {
    let from = &settings.tls;
    Some(TlsFiles { cert: from.cert_file.clone()?, key: from.key_file.clone()?, client_ca: None })
}

/// The same of the operators' listener, and whose certificates it asks for.
pub(super) fn admin_tls(settings: &Settings) -> Option<TlsFiles> {
    let from = &settings.admin;
    Some(TlsFiles {
        cert: from.tls_cert_file.clone()?,
        key: from.tls_key_file.clone()?,
        client_ca: from.client_ca_file.clone(),
    })
}

/// How the NATS server that is set is reached for one purpose; the settings hold one way to log in at most.
pub(super) fn nats(settings: &Settings, url: &str, purpose: &str) -> NatsOptions {
    let from = &settings.nats;
    let credentials = match (&from.user, &from.password, &from.token, &from.credentials_file) {
        (Some(user), Some(password), ..) => {
            Credentials::Password { user: user.clone(), password: password.clone() }
        }
        (_, _, Some(token), _) => Credentials::Token(token.clone()),
        (.., Some(path)) => Credentials::File(path.clone()),
        _ => Credentials::None,
    };
    NatsOptions { credentials, ca_file: from.ca_file.clone(), ..child(url, purpose) }
}

/// How a child is reached: it takes no login, and what is set for another server is not for it.
pub(super) fn child(url: &str, purpose: &str) -> NatsOptions {
    NatsOptions { url: url.to_owned(), name: format!("weir {purpose}"), ..NatsOptions::default() }
}

/// The ArangoDB that is set, if one is.
pub(super) fn arango(settings: &Settings) -> Option<ArangoOptions> {
    let from = &settings.arango;
    Some(ArangoOptions {
        url: from.url.clone()?,
        user: from.user.clone(),
        password: from.password.clone(),
        ca_file: from.ca_file.clone(),
        request_timeout: from.request_timeout,
        query_timeout: from.query_timeout,
        max_in_flight: from.max_in_flight,
    })
}

/// The name of a generation's database.
pub(super) fn database(settings: &Settings, generation: u64) -> String {
    format!("{}_g{generation}", settings.arango.database_prefix)
}

/// What a generation's database must hold.
pub(super) fn schema(settings: &Settings, types: Arc<EventTypes>) -> Target {
    let from = &settings.arango;
    Target {
        types,
        shards: from.shards,
        replication_factor: from.replication_factor,
        write_concern: from.write_concern,
        one_shard: from.one_shard,
    }
}

pub(super) fn parked(settings: &Settings) -> stream::StreamBounds {
    let max_bytes = i64::try_from(settings.parked.max_bytes).ok();
    stream::StreamBounds { max_bytes, replicas: settings.nats.replicas }
}

pub(super) fn retry(settings: &Settings) -> stream::RetryOptions {
    stream::RetryOptions { max_bytes: settings.retry.max_bytes, replicas: settings.nats.replicas }
}

pub(super) fn broker(settings: &Settings, layout: &Layout) -> broker::Options {
    let streams = settings.nats.max_bytes + settings.retry.max_bytes + settings.parked.max_bytes;
    broker::Options {
        server: settings.nats.server.clone(),
        max_file_bytes: Some(streams + BROKER_SPARE_BYTES),
        ..broker::Options::new(layout.broker())
    }
}

pub(super) fn log(settings: &Settings, monitor_url: Option<String>) -> stream::LogOptions {
    let max_bytes = i64::try_from(settings.nats.max_bytes).ok();
    stream::LogOptions { max_bytes, replicas: settings.nats.replicas, monitor_url }
}

pub(super) fn relay(settings: &Settings, layout: &Layout) -> relay::Options {
    relay::Options { drain: settings.drain_deadline, ..relay::Options::new(layout.wal()) }
}

/// How the graph in memory is kept; one that is bounded has a file of its own.
pub(super) fn image(
    settings: &Settings,
    layout: &Layout,
    rules: &Rules,
    graph: &str,
) -> anyhow::Result<projector::Options> {
    let always = rules.types.find(PURCHASE_TYPE);
    let recent = settings.image.days.map(|days| projector::Recent { days, always });
    let snapshot = layout.snapshot(graph, recent.is_some());
    if let Some(folder) = snapshot.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(projector::Options { snapshot, snapshot_every: SNAPSHOT_EVERY, recent, until: None })
}

pub(super) fn workers(settings: &Settings) -> projector::WorkerOptions {
    let from = &settings.projector;
    projector::WorkerOptions {
        workers: from.workers,
        batch: from.batch_events,
        ack_wait: from.ack_wait,
        begins: None,
    }
}
