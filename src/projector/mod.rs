//! From the log to a graph: decode, project, apply, remember how far.
//!
//! `decode`, `batch`, `intervals` and `progress` are pure. [`MemoryProjector`] is the shell that keeps
//! the graph in memory true to the log: it begins from its snapshot, reads what lies outside of it, and
//! goes back when the log turns out to be another one than it had read. [`Workers`] do the same for a
//! store that many processes write to: they share a consumer (`place`), apply (`worker`, `attempt`), stop
//! asking a store that fails (`gate`), and set aside what fails alone (`aside`).

mod aside;
mod attempt;
mod batch;
mod decode;
pub(crate) mod fuzzing;
mod gate;
mod intervals;
mod item;
mod kept;
mod lag;
mod memory;
mod memory_graph;
mod parker;
mod place;
mod progress;
mod recent;
mod revive;
mod status;
mod worker;
mod worker_status;
mod workers;

pub use batch::{Batch, Disposition, Share, share};
pub use decode::{Decoder, Recorded, Undecodable};
pub use gate::Gate;
pub use intervals::Intervals;
pub use kept::BuildError;
pub use lag::LagMeter;
pub use memory::{MemoryProjector, Options};
pub use memory_graph::MemoryGraph;
pub use parker::Parker;
pub use place::Place;
pub use progress::{Progress, ProgressError, Resume};
pub use recent::Recent;
pub use status::{LastUndecodable, Phase, Status};
pub use worker_status::{LastFailure, WorkerStatus};
pub use workers::{Queues, WorkerOptions, Workers, WorkersHandle};
