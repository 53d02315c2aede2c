//! Reads: recommendations for a user, what goes with an item, a user's history.
//!
//! `params` and `answer` are pure; `routes` binds them to the graph. A request looks at the graph
//! once and is answered from what it saw.

mod answer;
mod params;
mod routes;

pub use params::{HistoryParams, ItemParams, UserParams, format_cursor};
pub use routes::{Options, Query};
