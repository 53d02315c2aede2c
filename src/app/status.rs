//! What `/admin/status` tells: the whole process at one moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::GENERATION;
use super::fill::Level;
use crate::store::memory::{Counts, MemoryStore};
use crate::stream::{EventLog, LogState, Nats};
use crate::wal::Wal;
use crate::{projector, relay, wal};

/// How long the stream is asked before the answer goes without it.
const ASK_DEADLINE: Duration = Duration::from_secs(1);

/// The parts of a process that can be asked.
#[derive(Clone)]
pub(super) struct Parts {
    pub nats_url: String,
    pub monitor_url: Option<String>,
    pub nats: Nats,
    pub log: EventLog,
    pub wal: Wal,
    pub relay: relay::Handle,
    pub store: MemoryStore,
    pub projector: Arc<projector::Status>,
    pub fingerprint: String,
}

/// One moment of a process.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    version: &'static str,
    nats: NatsState,
    wal: wal::Status,
    relay: relay::Status,
    generations: Vec<Generation>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NatsState {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitor_url: Option<String>,
    connected: bool,
    server_version: Option<String>,
    epoch: Option<String>,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    messages: Option<u64>,
    bytes: Option<u64>,
    max_bytes: Option<i64>,
    /// What is wrong with the room of the stream.
    alarm: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Generation {
    id: &'static str,
    state: &'static str,
    store: &'static str,
    phase: projector::Phase,
    applied_through: u64,
    /// Events of the log that are not applied yet.
    lag: u64,
    digest: String,
    fingerprint: String,
    documents: Counts,
    bytes: usize,
    events: u64,
    superseded_puts: u64,
    undecodable: u64,
    last_undecodable: Option<projector::LastUndecodable>,
}

impl Parts {
    /// Returns one moment, asked in the order of the flow: the WAL and the relay, the stream, the graph. So a
    /// status without a lag anywhere means that everything accepted before it is applied.
    pub async fn snapshot(&self) -> Snapshot {
        let (wal, relay) = (self.wal.status(), self.relay.status());
        let asked = tokio::time::timeout(ASK_DEADLINE, self.log.state()).await;
        let state = asked.ok().and_then(Result::ok);
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            nats: self.nats_state(state.as_ref()),
            wal,
            relay,
            generations: vec![self.generation(state.as_ref())],
        }
    }

    fn nats_state(&self, state: Option<&LogState>) -> NatsState {
        NatsState {
            url: self.nats_url.clone(),
            monitor_url: self.monitor_url.clone(),
            connected: self.nats.link().borrow().connected,
            server_version: self.nats.server().map(|server| server.version),
            epoch: state.and_then(|state| state.epoch.as_ref()).map(ToString::to_string),
            first_seq: state.map(|state| state.first_sequence),
            last_seq: state.map(|state| state.last_sequence),
            messages: state.map(|state| state.messages),
            bytes: state.map(|state| state.bytes),
            max_bytes: state.map(|state| state.max_bytes),
            alarm: state.and_then(|state| Level::of(state.bytes, state.max_bytes).alarm()),
        }
    }

    fn generation(&self, state: Option<&LogState>) -> Generation {
        let status = &self.projector;
        let graph = self.store.read();
        // Read behind the graph's lock: the digest is of at least this place.
        let applied_through = status.applied_through.load(Ordering::Acquire);
        let pending = status.pending.load(Ordering::Relaxed);
        let lag =
            state.map_or(pending, |state| state.last_sequence.saturating_sub(applied_through));
        Generation {
            id: GENERATION,
            state: "active",
            store: "memory",
            phase: status.phase(),
            applied_through,
            lag,
            digest: graph.digest().to_string(),
            fingerprint: self.fingerprint.clone(),
            documents: graph.counts(),
            bytes: graph.bytes(),
            events: status.events.load(Ordering::Relaxed),
            superseded_puts: status.superseded_puts.load(Ordering::Relaxed),
            undecodable: status.undecodable.load(Ordering::Relaxed),
            last_undecodable: status.last_undecodable(),
        }
    }
}
