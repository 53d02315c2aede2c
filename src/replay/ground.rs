//! What a job needs of the process it runs in; `app` gives it.

use std::future::Future;

use crate::generation::{GenerationId, Generations, Record};
use crate::projection::Projection;
use crate::projector::{Decoder, MemoryGraph};
use crate::store::arango::ArangoStore;

/// A generation's graph as this process can write to it.
#[derive(Clone)]
pub struct Graph {
    pub id: GenerationId,
    pub target: Target,
    /// As its record says: what made it makes it again.
    pub decoder: Decoder,
    pub projection: Projection,
}

/// Where a graph lives.
#[derive(Clone)]
pub enum Target {
    Memory(MemoryGraph),
    Database(ArangoStore),
}

/// How far live is, of one generation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Live {
    /// The greater of the age of the oldest event not yet applied and the p99 of the last seconds, in ms.
    pub lag_ms: f64,
    /// Everything through here (inclusive) is applied or set aside, but for gaps that jobs fill.
    pub through: u64,
    /// Events that are not applied yet.
    pub behind: u64,
}

/// Why a job cannot go on here. It may, here or elsewhere, later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// This process has not that graph; another may.
    #[error("not of this process: {0}")]
    Elsewhere(String),
    /// Something does not answer, or is not made yet.
    #[error("{0}")]
    Later(String),
    /// Somebody has to change something.
    #[error("{0}")]
    Never(String),
}

/// The process.
pub trait Ground: Clone + Send + Sync + 'static {
    fn generations(&self) -> &Generations;

    /// Whether graphs live in databases that every process reaches, or in this process's memory.
    fn has_databases(&self) -> bool;

    /// Opens a generation's graph for writing.
    fn graph(&self, id: GenerationId) -> impl Future<Output = Result<Graph, Unready>> + Send;

    /// Makes a generation: what it lives in, then its record. Done again, it changes nothing.
    fn make(&self, record: &Record) -> impl Future<Output = Result<(), Unready>> + Send;

    /// Ends a generation that is marked as retiring: what follows the log into it, its queues, what it lives
    /// in, its record. Done again, it changes nothing.
    fn remove(&self, id: GenerationId) -> impl Future<Output = Result<(), Unready>> + Send;

    /// Tells how far live is.
    fn live(&self, id: GenerationId) -> impl Future<Output = Result<Live, Unready>> + Send;

    /// Has live go on at a sequence; what lies before is a job's.
    fn jump(&self, id: GenerationId, to: u64) -> impl Future<Output = Result<(), Unready>> + Send;

    /// Tells whose images of a generation are not ready, by name; empty if all are.
    fn unready_readers(
        &self,
        id: GenerationId,
    ) -> impl Future<Output = Result<Vec<String>, Unready>> + Send;
}
