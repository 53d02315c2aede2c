//! Events that can never be applied as things are: kept with their reason until somebody redrives or drops them.
//!
//! `store` holds them, `filter` chooses among them, `open` is the live set that workers look into.

mod filter;
mod open;
mod store;

pub use filter::ParkedFilter;
pub use open::OpenIds;
pub use store::{Closed, Parked, ParkedEntry, ParkedPage};
