//! The rows of the table, one file each.

mod arango;
mod beside;
mod catch_up;
mod cluster;
mod edge;
mod live;
pub mod memory;
mod ndjson;
mod reads;
mod rebuild;
mod relay;
mod row;
mod single;

pub use row::Row;
