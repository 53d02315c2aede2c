//! All integration tests in one binary, against real servers.

#[path = "../support/mod.rs"]
mod support;

mod relay;
mod stream;
