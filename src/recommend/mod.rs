//! Scores from neighbourhoods, computed from the raw edges at the moment of the question.
//!
//! There is no training: an event changes the very next answer. Pure: everything comes through the
//! `Neighbourhood` trait, every fetch is bounded by a [`Budget`], and an answer depends on the set
//! of edges alone, never on their order of arrival.

mod answer;
mod budget;
mod candidates;
mod for_item;
mod for_user;
mod history;
mod neighbourhood;
mod options;
mod popular;
mod weights;

#[cfg(test)]
mod tests;

pub use answer::{AlsoBought, Scored};
pub use budget::Budget;
pub use for_item::for_item;
pub use for_user::for_user;
pub use neighbourhood::{Neighbourhood, Touch};
pub use options::{Exclude, ItemOptions, KindWeights, Options};
pub use popular::popular;
