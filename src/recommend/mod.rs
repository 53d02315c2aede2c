//! Scores from neighbourhoods, computed from the raw edges at the moment of the question.
//!
//! There is no training: an event changes the very next answer. Pure: everything comes through the
//! `Neighbourhood` trait, every fetch is bounded by `crate::limits`, and an answer depends on the set
//! of edges alone, never on their order of arrival.

mod neighbourhood;
mod options;

pub use neighbourhood::{Neighbourhood, Touch};
pub use options::{Exclude, KindWeights, Options};
