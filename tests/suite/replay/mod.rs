//! Jobs against a real nats-server, in a process that is no more than a graph in memory.

mod bucket;
mod control;
mod crashes;
mod databases;
mod ground;
mod missing;
mod plans;
mod rebuilds;
