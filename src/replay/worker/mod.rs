//! Whoever runs jobs: takes one under a lease, does what its verb says, and writes down how far it is.
//!
//! `runner` looks for jobs and takes (`take`) them, `hand` is one job in this process's hands. `range` reads a range of the log into a
//! graph, `chunk` by chunk, through `apply` (a database: `database`), counted in the `ledger` and held back by the `throttle`. `rebuild`,
//! `redriving` and `switch` are the verbs that are more or other than that.

mod apply;
mod chunk;
mod database;
mod hand;
mod ledger;
mod range;
mod rebuild;
mod redriving;
mod runner;
mod switch;
mod take;
mod throttle;

pub use runner::{JobWorker, Options};
