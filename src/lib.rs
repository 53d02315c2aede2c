//! Keeps every user event in a log and a graph of users and items true to that log.
//!
//! Modules in reading order: the pure rules first, then the log, the stores, the components
//! that move events between them, and the shared edge. ARCHITECTURE.md tells who may import whom.

pub mod clock;
pub mod limits;
pub mod pulse;
pub mod secret;

pub mod event;
pub mod graph;
pub mod projection;
pub mod recommend;

pub mod describe;

pub mod stream;
pub mod wal;

pub mod store;

pub mod access;
pub mod gateway;
pub mod generation;
pub mod projector;
pub mod query;
pub mod relay;
pub mod replay;
pub mod rollout;

pub mod secrets;

pub mod broker;
pub mod http;
pub mod systemd;
pub mod telemetry;

pub mod app;
pub mod cli;
pub mod config;

#[doc(hidden)]
pub mod fuzzing;
