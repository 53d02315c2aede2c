//! A real cluster of three nats-servers of a test's own, as `nats/cluster` configures it.

mod network;
mod node;
mod servers;
mod watch;

pub use servers::{Cluster, NODES, environment, files, place_configuration};
pub use watch::Watch;
