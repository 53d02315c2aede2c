//! Replays, and the proof that a graph is what its log says.

mod explain;
mod proof;
