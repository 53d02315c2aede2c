//! Reads: recommendations for a user, what goes with an item, a user's history.
//!
//! `params`, `answer` and `describe` are pure; `serving` says which stores answer, and in which order; `routes` binds
//! them together. A request is answered from one generation.

mod answer;
mod describe;
pub(crate) mod fuzzing;
mod params;
mod routes;
mod serving;

pub use describe::operations;
pub use params::{HistoryParams, ItemParams, UserParams, format_cursor};
pub use routes::Query;
pub use serving::{Database, Image, Served, Serving};
