//! What a job would do, told before it does anything.
//!
//! `plan` is what is told and what a job is made from, `resolve` (pure) finds the range and what forbids it,
//! `sample` looks at some of the events, `ask` asks what has to be known, and puts it together.

mod ask;
mod error;
mod plan;
mod resolve;
mod sample;

pub use ask::Planner;
pub use error::PlanError;
pub use plan::{Estimate, Plan, Sample, Undecodable};
