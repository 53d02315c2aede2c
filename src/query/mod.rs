//! Reads: recommendations for a user, what goes with an item, a user's history.
//!
//! `params` and `answer` are pure; `serving` says which stores answer, and in which order; `routes` binds
//! them together. A request is answered from one generation.

mod answer;
pub(crate) mod fuzzing;
mod params;
mod routes;
mod serving;

pub use params::{HistoryParams, ItemParams, UserParams, format_cursor};
pub use routes::Query;
pub use serving::{Database, Image, Served, Serving};
