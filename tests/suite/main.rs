//! All integration tests in one binary, against real servers.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod durability;
mod failed_events;
mod http;
mod nats_credentials;
mod nats_producers;
mod queues;
mod reads;
mod stream;
