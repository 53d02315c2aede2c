//! What `/admin/status` tells: the whole process at one moment.

use std::time::Duration;

use serde::Serialize;

use super::fill::Level;
use super::graph_status::{self, Graph};
use super::graphs::GraphsPart;
use super::inlet::InletPart;
use super::roles::{Role, Roles};
use super::wire::Wire;
use crate::stream::{EventLog, LogState};
use crate::{relay, wal};

/// How long the stream is asked before the answer goes without it.
const ASK_DEADLINE: Duration = Duration::from_secs(1);

/// The parts of a process that can be asked; what its roles do not need is absent.
#[derive(Clone)]
pub(super) struct Parts {
    pub roles: Roles,
    /// The fingerprint of the projection that this process makes.
    pub projection: String,
    pub wire: Wire,
    /// Over a connection of its own, which waits for nothing else.
    pub log: EventLog,
    pub inlet: Option<InletPart>,
    pub graphs: Option<GraphsPart>,
}

/// One moment of a process; what it has not is left out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Status)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    version: &'static str,
    /// The fingerprint of the graph that this process would make: another one needs a rebuild.
    projection: String,
    roles: &'static [Role],
    nats: NatsState,
    #[serde(skip_serializing_if = "Option::is_none")]
    wal: Option<wal::Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relay: Option<relay::Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generations: Option<Vec<Graph>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
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
            projection: self.projection.clone(),
            roles: self.roles.all(),
            nats: self.nats_state(state.as_ref()),
            wal,
            relay,
            generations: match &self.graphs {
                Some(graphs) => Some(graph_status::all(graphs, state.as_ref()).await),
                None => None,
            },
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
