//! The nats-server child of `weir dev`: found, configured, started, kept alive, and ended with weir.
//!
//! The child stays in weir's process group, so a Ctrl-C in a terminal ends it too, at once. That loses
//! nothing, since the WAL holds what the stream does not have yet; and the supervisor, which was not told
//! to stop, has it back on the same port a moment later, so the drain can still publish.
//! When weir itself is killed, the kernel's parent-death signal ends the child.

mod child;
mod configuration;
mod exec;
mod find;
mod ports;
mod stale;
mod supervisor;
#[cfg(test)]
mod tests;

pub use child::{Broker, Options, StartError};
pub use exec::exec_with_parent;
pub use find::{FindError, Server, Version, find_server};
pub use supervisor::Status;
