//! All integration tests in one binary, against real servers.

#[path = "../support/mod.rs"]
mod support;

mod arango_schema;
mod arango_standin;
mod arango_store;
mod arango_wire;
mod architecture;
mod conformance;
mod durability;
mod http;
mod nats_producers;
mod reads;
mod stream;
