//! The snapshot of a graph in memory with its progress: read at the start, written beside the live flow.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::progress::Progress;
use crate::clock;
use crate::projection::{Fingerprint, Projection};
use crate::store::memory::snapshot::{self, Head, LoadError};
use crate::store::memory::{Graph, Horizon, MemoryStore};

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the damaged snapshot {path} cannot be set aside: {error}")]
    SetAside { path: PathBuf, error: std::io::Error },
}

/// Writes a snapshot; one that cannot be written costs only time at the next start.
pub(super) fn write_snapshot(store: &MemoryStore, head: &Head, path: &Path) {
    let began = Instant::now();
    match snapshot::write(store, head, path) {
        Ok(bytes) => tracing::info!(
            bytes,
            took_ms = began.elapsed().as_millis() as u64,
            "the graph was written to its snapshot"
        ),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the snapshot cannot be written; after a restart the log is read from an older place");
        }
    }
}

/// Begins from the snapshot, or from nothing when there is none that can be used.
pub(super) fn load(
    path: &Path,
    projection: &Projection,
    fingerprint: Fingerprint,
    horizon: Horizon,
) -> Result<(MemoryStore, Progress), BuildError> {
    let began = Instant::now();
    let types = projection.types();
    let empty = || {
        let graph = Graph::bounded(types.clone(), horizon);
        (MemoryStore::of(graph), Progress::default())
    };
    let damaged = match snapshot::load(path, types, fingerprint, horizon) {
        Ok((graph, head)) => match Progress::decode(&head.progress) {
            Ok(progress) => {
                let took_ms = began.elapsed().as_millis() as u64;
                tracing::info!(
                    through = progress.applied_through(),
                    edges = graph.edge_count(),
                    took_ms,
                    "the graph was read from its snapshot"
                );
                return Ok((MemoryStore::of(graph), progress));
            }
            Err(error) => error.to_string(),
        },
        Err(LoadError::Missing) => return Ok(empty()),
        Err(error @ LoadError::OtherProjection { .. }) => {
            tracing::warn!(%error, "the graph is built anew from the log");
            return Ok(empty());
        }
        Err(error) => error.to_string(),
    };
    let aside = path.with_extension(format!("damaged-{}", clock::now_ms()));
    tracing::warn!(%damaged, aside = %aside.display(), "the snapshot is set aside and the graph built anew from the log");
    std::fs::rename(path, &aside)
        .map_err(|error| BuildError::SetAside { path: path.to_owned(), error })?;
    Ok(empty())
}
