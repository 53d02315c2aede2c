//! A stand-in for ArangoDB 3.12: the documented semantics of exactly the requests that weir sends.
//!
//! Everything else is a 501 that is remembered and fails the test. It depends on nothing else of
//! the support, so that a bench can include it by path. It proves the shape of what is sent and how
//! answers are taken; whether it tells the truth is checked by another project's client.

#![allow(dead_code, unused_imports, reason = "each of its users takes a part of it")]

mod answer;
mod auth;
mod collections;
mod cursors;
mod databases;
mod documents;
mod faults;
mod graphs;
mod indexes;
mod log;
mod merge;
pub mod queries;
mod request;
mod routes;
mod server;
mod single;
mod stand_in;
mod state;
mod strict;
mod target;

pub use faults::FaultBuilder;
pub use log::Seen;
pub use stand_in::StandIn;
pub use state::{Collections, Documents};
pub use target::{Real, Target};
