//! Where events come in by HTTP: admit, parse, clean, append to the WAL, answer once it is synced.
//!
//! `service` and `pieces` are the shell; everything else is pure. The gateway knows nothing of NATS or of a
//! store, and waits for neither, unless a request asks for the stream's acknowledgement.

mod answer;
mod bots;
mod describe;
pub(crate) mod fuzzing;
mod lines;
mod pieces;
mod pixel;
mod prepare;
mod privacy;
mod repeat;
mod seen;
mod service;
mod shape;
mod wanted;

pub use describe::operations;
pub use prepare::{Prepared, Preparer, Terms, Verdict};
pub use privacy::HashKey;
pub use repeat::Repeat;
pub use service::{Gateway, Options};
pub use shape::{Shape, shape_of};
