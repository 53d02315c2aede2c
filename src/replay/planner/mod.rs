//! What a job would do, told before it does anything.
//!
//! `plan` is what is told and what a job is made from, `resolve` (pure) finds the range and what forbids it,
//! `sample` looks at some of the events, `planner` asks and puts it together.

mod error;
mod plan;
mod planner;
mod resolve;
mod sample;

pub use error::PlanError;
pub use plan::{Estimate, Plan, Sample, Undecodable};
pub use planner::Planner;
