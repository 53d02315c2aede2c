//! The graph in ArangoDB, through arangors.
//!
//! [`Arango`] is one server, [`Database`] one generation on it. All requests go through the session that
//! arangors holds, which is a client of our own; [`classify`] says what to make of every answer.

pub mod aql;
pub mod classify;
mod client;
mod read;
mod scan;
pub mod schema;
mod store;
mod write;

pub use client::{Arango, ArangoOptions, Database, OptionsError, ServerFacts};
pub use read::Reads;
pub use store::ArangoStore;
