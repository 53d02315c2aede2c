//! All integration tests in one binary, against real servers.

#[path = "../support/mod.rs"]
mod support;

mod http;
mod stream;
