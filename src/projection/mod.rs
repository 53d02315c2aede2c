//! What an event means for the graph: a few puts, always the same for the same event.
//!
//! Pure. Nothing here knows of sequence numbers, stores, clocks or of what came before.

mod fingerprint;
mod project;

#[cfg(test)]
pub(crate) mod law;

pub use fingerprint::Fingerprint;
pub use project::Projection;
