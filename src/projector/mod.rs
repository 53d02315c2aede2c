//! From the log to a graph: decode, project, apply, remember how far.
//!
//! `decode`, `intervals` and `progress` are pure. [`MemoryProjector`] is the shell that keeps the
//! graph in memory true to the log: it begins from its snapshot, reads what lies outside of it, and
//! goes back when the log turns out to be another one than it had read.

mod batch;
mod decode;
mod intervals;
mod memory;
mod progress;
mod status;

pub use decode::{Decoder, Recorded, Undecodable};
pub use intervals::Intervals;
pub use memory::{BuildError, MemoryProjector, Options};
pub use progress::{Progress, ProgressError, Resume};
pub use status::{LastUndecodable, Phase, Status};
