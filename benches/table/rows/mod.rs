//! The rows of the table, one file each.

mod arango;
mod catch_up;
mod live;
pub mod memory;
mod ndjson;
mod reads;
mod relay;
mod row;
mod single;

pub use row::Row;
