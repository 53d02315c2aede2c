//! The graph in memory: compact edges, timelines of users and items, a digest kept as it goes.
//!
//! [`Graph`] is the data structure, plain and synchronous. [`MemoryStore`] shares it between one
//! writer and many readers; [`snapshot`] carries it over a restart.

mod contract;
mod edges;
mod graph;
mod horizon;
mod neighbourhood;
mod popularity;
mod read;
mod scan;
pub mod snapshot;
mod store;
mod timeline;
mod vertices;

#[cfg(test)]
mod tests;

pub use graph::{Applied, Counts, Graph};
pub use horizon::Horizon;
pub use store::{ApplyOutcome, MemoryStore};
