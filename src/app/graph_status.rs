//! What `/admin/status` tells of graphs: one entry a generation and store.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::following::{Followed, FollowingPart};
use super::graphs::GraphsPart;
use super::images::ImagePart;
use crate::generation::{GenerationId, Record, View};
use crate::projector::{LastFailure, LastUndecodable, Phase, WorkersHandle};
use crate::store::memory::Counts;
use crate::stream::LogState;

/// How long a queue is asked before the answer goes without it.
const ASK_DEADLINE: Duration = Duration::from_secs(1);

/// One graph.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Graph {
    id: String,
    /// `active` if it answers, else `following`.
    state: &'static str,
    store: &'static str,
    phase: Phase,
    /// Through which sequence all of the log is applied (inclusive), or set aside.
    applied_through: u64,
    /// Events of the log that are not applied yet.
    lag: u64,
    fingerprint: String,
    /// Since the start of this process, by this process.
    events: u64,
    superseded_puts: u64,
    undecodable: u64,
    /// Events that wait to be tried again, and that can never be applied as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    retrying: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<u64>,
    #[serde(flatten)]
    of_store: OfStore,
}

/// What one kind of store alone can tell.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum OfStore {
    #[serde(rename_all = "camelCase")]
    Memory {
        /// Absent of a graph that holds recent events only.
        digest: Option<String>,
        #[schema(value_type = BTreeMap<String, u64>)]
        documents: Counts,
        bytes: usize,
        last_undecodable: Option<LastUndecodable>,
    },
    #[serde(rename_all = "camelCase")]
    Database {
        /// Why nobody here writes to it.
        #[serde(skip_serializing_if = "Option::is_none")]
        waiting: Option<String>,
        /// Whether the store fails so often that it is left alone.
        breaker_open: bool,
        last_failure: Option<LastFailure>,
    },
}

/// Tells of all graphs of a process: those in memory first.
pub(super) async fn all(graphs: &GraphsPart, log: Option<&LogState>) -> Vec<Graph> {
    let view = graphs.generations.view();
    let mut told = Vec::new();
    for (id, active, image) in images(graphs, &view) {
        told.push(of_image(graphs, (id, active), &image, log).await);
    }
    let followed = graphs.following.as_ref().map(FollowingPart::all).unwrap_or_default();
    for (id, followed) in followed {
        told.push(of_database(graphs, &view, id, &followed, log).await);
    }
    told
}

/// The graphs in memory with the generations that they are told under. In front of a database, that is the one
/// that answers, for the image serves all of its projection.
fn images(graphs: &GraphsPart, view: &View) -> Vec<(GenerationId, bool, ImagePart)> {
    let Some(images) = &graphs.images else { return Vec::new() };
    let active = view.active_id();
    if graphs.databases.is_some() || view.generations.is_empty() {
        let image = images.active(view).or_else(|| images.all().values().next().cloned());
        return image.map(|image| (active, true, image)).into_iter().collect();
    }
    let held = |record: &Record| Some((record.id, record.id == active, images.of(record)?));
    view.generations.values().filter_map(held).collect()
}

async fn of_image(
    graphs: &GraphsPart,
    (id, active): (GenerationId, bool),
    image: &ImagePart,
    log: Option<&LogState>,
) -> Graph {
    let view = graphs.generations.view();
    let end = view.generations.get(&id).and_then(|record| record.as_of);
    let end = end.map_or(u64::MAX, |as_of| as_of.saturating_sub(1));
    // With databases, their workers set aside; alone, the image's projector does.
    let alone = graphs.databases.is_none() && graphs.following.is_none();
    let aside = if alone { aside(graphs, id).await } else { Aside::default() };
    let status = &image.status;
    let graph = image.graph.store.read();
    // Read behind the graph's lock: the digest is of at least this place.
    let applied_through = image.graph.applied_through();
    let pending = status.pending.load(Ordering::Relaxed);
    let lag = log.map_or(pending, |log| log.last_sequence.min(end).saturating_sub(applied_through));
    Graph {
        id: id.to_string(),
        state: if active { "active" } else { "following" },
        store: "memory",
        phase: status.phase(),
        applied_through,
        lag,
        fingerprint: image.fingerprint.clone(),
        events: status.events.load(Ordering::Relaxed),
        superseded_puts: status.superseded_puts.load(Ordering::Relaxed),
        undecodable: status.undecodable.load(Ordering::Relaxed),
        retrying: aside.retrying,
        parked: aside.parked,
        of_store: OfStore::Memory {
            digest: (!graph.is_bounded()).then(|| graph.digest().to_string()),
            documents: graph.counts(),
            bytes: graph.bytes(),
            last_undecodable: status.last_undecodable(),
        },
    }
}

async fn of_database(
    graphs: &GraphsPart,
    view: &View,
    id: GenerationId,
    followed: &Followed,
    log: Option<&LogState>,
) -> Graph {
    let (handle, waiting) = match followed {
        Followed::Working(handle) => (Some(handle), None),
        Followed::Waiting(why) => (None, Some(why.clone())),
        Followed::Frozen(until) => {
            (None, Some(format!("it holds the log below {until}, and follows nothing")))
        }
    };
    let place = match followed {
        // It has all that it shall hold.
        Followed::Frozen(until) => {
            Place { phase: Phase::Live, applied_through: until.saturating_sub(1), lag: 0 }
        }
        _ => place(handle, log).await,
    };
    let aside = aside(graphs, id).await;
    let count = |select: fn(&WorkersHandle) -> u64| handle.map_or(0, select);
    Graph {
        id: id.to_string(),
        state: if view.active_id() == id { "active" } else { "following" },
        store: "arangodb",
        phase: place.phase,
        applied_through: place.applied_through,
        lag: place.lag,
        fingerprint: view.generations.get(&id).map_or_else(String::new, |r| r.fingerprint.clone()),
        events: count(|handle| handle.status.events.load(Ordering::Relaxed)),
        superseded_puts: count(|handle| handle.status.superseded_puts.load(Ordering::Relaxed)),
        undecodable: count(|handle| handle.status.undecodable.load(Ordering::Relaxed)),
        retrying: aside.retrying,
        parked: aside.parked,
        of_store: OfStore::Database {
            waiting,
            breaker_open: handle.is_some_and(|handle| handle.gate.is_open()),
            last_failure: handle.and_then(|handle| handle.status.last_failure()),
        },
    }
}

/// How far the shared consumer of a database is.
struct Place {
    phase: Phase,
    applied_through: u64,
    lag: u64,
}

async fn place(handle: Option<&WorkersHandle>, log: Option<&LogState>) -> Place {
    let state = match handle {
        Some(handle) => {
            tokio::time::timeout(ASK_DEADLINE, handle.place.state()).await.ok().flatten()
        }
        None => None,
    };
    let Some(state) = state else {
        let lag = log.map_or(0, |log| log.last_sequence);
        return Place { phase: Phase::Waiting, applied_through: 0, lag };
    };
    let lag = state.pending + state.ack_pending;
    let phase = match handle {
        Some(handle) if handle.gate.is_open() => Phase::Waiting,
        _ if lag == 0 => Phase::Live,
        _ => Phase::CatchingUp,
    };
    Place { phase, applied_through: state.ack_floor, lag }
}

/// What is set aside of a generation; unknown while NATS does not answer.
#[derive(Default)]
struct Aside {
    retrying: Option<u64>,
    parked: Option<u64>,
}

async fn aside(graphs: &GraphsPart, id: GenerationId) -> Aside {
    let retry = Box::pin(graphs.beside.retry.count(id.number()));
    let parked = Box::pin(graphs.beside.parked.count(id.number()));
    let (retry, parked) = tokio::join!(
        tokio::time::timeout(ASK_DEADLINE, retry),
        tokio::time::timeout(ASK_DEADLINE, parked)
    );
    Aside { retrying: retry.ok().and_then(Result::ok), parked: parked.ok().and_then(Result::ok) }
}
