//! What a generation's database must hold, and the numbered steps that make it.
//!
//! The steps are files in `migrations/`. [`plan`] compares them, what the database recorded of them and what
//! it holds; [`apply`] makes what is missing; [`status`] tells in a few words. Every step may run again.

mod api;
mod compare;
mod existing;
mod inspect;
mod make;
mod planning;
mod problem;
mod report;
mod steps;
#[cfg(test)]
mod tests;
mod thing;

pub use api::{SchemaError, Target, apply, plan, status};
pub use make::remove_database;
pub use problem::Problem;
pub use report::{Applied, Plan, PlannedStep, Progress, Status, StepState};
