//! All integration tests in one binary, against real servers.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod arango_schema;
mod arango_standin;
mod arango_store;
mod arango_wire;
mod architecture;
mod attacks;
mod cluster;
mod commands;
mod conformance;
mod degrade;
mod described;
mod durability;
mod edge;
mod failed_events;
mod faults;
mod fleet;
mod fuzzed;
mod http;
mod job_commands;
mod jobs;
mod nats_credentials;
mod nats_producers;
mod one_shard;
mod promise;
mod queues;
mod reads;
mod relay;
mod replay;
mod roles;
mod rollout;
mod secrets;
mod stream;
mod tls;
mod units;
