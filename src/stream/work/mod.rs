//! Work shared by any number of workers: a durable pull consumer with explicit acknowledgements.
//!
//! `options` say which consumer it is and compare it with what the server has, `queue` is the loop,
//! `session` one subscription of it, `delivery` what a worker gets, `admin` what a person asks.

mod admin;
mod delivery;
mod options;
mod queue;
mod session;

pub use admin::WorkState;
pub use delivery::{Answers, Delivery};
pub use options::{WorkOptions, WorkStream};
pub use queue::WorkQueue;
