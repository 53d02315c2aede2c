//! Where events come in by HTTP: parse, fill gaps, append to the WAL, answer once it is synced.
//!
//! `shape`, `prepare` and `seen` are pure. The gateway knows nothing of NATS or of a store, and
//! waits for neither.

mod answer;
pub(crate) mod fuzzing;
mod prepare;
mod seen;
mod service;
mod shape;

pub use prepare::{Prepared, Verdict, prepare};
pub use service::{Gateway, Options};
pub use shape::{Shape, shape_of};
