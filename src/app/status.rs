//! What `/admin/status` tells: the whole process at one moment.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::GENERATION;
use super::fill::Level;
use super::image::ImagePart;
use super::inlet::InletPart;
use super::roles::{Role, Roles};
use super::wire::Wire;
use crate::store::memory::Counts;
use crate::stream::{EventLog, LogState};
use crate::{projector, relay, wal};

/// How long the stream is asked before the answer goes without it.
const ASK_DEADLINE: Duration = Duration::from_secs(1);

/// The parts of a process that can be asked; what its roles do not need is absent.
#[derive(Clone)]
pub(super) struct Parts {
    pub roles: Roles,
    pub wire: Wire,
    /// Over a connection of its own, which waits for nothing else.
    pub log: EventLog,
    pub inlet: Option<InletPart>,
    pub image: Option<ImagePart>,
}

/// One moment of a process; what it has not is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    version: &'static str,
    roles: &'static [Role],
    nats: NatsState,
    #[serde(skip_serializing_if = "Option::is_none")]
    wal: Option<wal::Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<relay::Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generations: Option<Vec<Generation>>,
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
        let inlet = self.inlet.as_ref();
        let (wal, relay) = inlet.map(|inlet| (inlet.wal.status(), inlet.relay.status())).unzip();
        let asked = tokio::time::timeout(ASK_DEADLINE, self.log.state()).await;
        let state = asked.ok().and_then(Result::ok);
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            roles: self.roles.all(),
            nats: self.nats_state(state.as_ref()),
            wal,
            relay,
            generations: self.image.as_ref().map(|image| vec![generation(image, state.as_ref())]),
        }
    }

    fn nats_state(&self, state: Option<&LogState>) -> NatsState {
        NatsState {
            url: self.wire.url().to_owned(),
            monitor_url: self.wire.monitor_url().map(str::to_owned),
            connected: self.log.nats().link().borrow().connected,
            server_version: self.log.nats().server().map(|server| server.version),
            epoch: state.and_then(|state| state.epoch.as_ref()).map(ToString::to_string),
            first_seq: state.map(|state| state.first_sequence),
            last_seq: state.map(|state| state.last_sequence),
            messages: state.map(|state| state.messages),
            bytes: state.map(|state| state.bytes),
            max_bytes: state.map(|state| state.max_bytes),
            alarm: state.and_then(|state| Level::of(state.bytes, state.max_bytes).alarm()),
        }
    }
}

fn generation(image: &ImagePart, state: Option<&LogState>) -> Generation {
    let status = &image.status;
    let graph = image.store.read();
    // Read behind the graph's lock: the digest is of at least this place.
    let applied_through = status.applied_through.load(Ordering::Acquire);
    let pending = status.pending.load(Ordering::Relaxed);
    let lag = state.map_or(pending, |state| state.last_sequence.saturating_sub(applied_through));
    Generation {
        id: GENERATION,
        state: "active",
        store: "memory",
        phase: status.phase(),
        applied_through,
        lag,
        digest: graph.digest().to_string(),
        fingerprint: image.fingerprint.clone(),
        documents: graph.counts(),
        bytes: graph.bytes(),
        events: status.events.load(Ordering::Relaxed),
        superseded_puts: status.superseded_puts.load(Ordering::Relaxed),
        undecodable: status.undecodable.load(Ordering::Relaxed),
        last_undecodable: status.last_undecodable(),
    }
}
