//! Jobs against a real nats-server, in a process that is no more than a graph in memory; and the proof that a
//! graph is what its log says.

mod bucket;
mod control;
mod crashes;
mod databases;
mod explain;
mod ground;
mod missing;
mod plans;
mod proof;
mod rebuilds;
