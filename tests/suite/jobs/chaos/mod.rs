//! Everything at once, by a seed: processes die and stand still, servers fail, jobs are begun and changed; at the
//! end every graph is what the log says.

mod databases;
mod ending;
mod memory;
mod operator;
mod readers;
