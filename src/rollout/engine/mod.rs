//! Runs a rollout: does what its state asks for, writes down what it sees, and takes the moves that follow.
//!
//! Everything that is done may be done again, so it begins where the journal ends, whatever was under way.

mod ending;
mod prepare;
mod run;
mod step;

pub use run::{Engine, EngineError};
