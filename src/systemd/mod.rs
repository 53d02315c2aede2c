//! What systemd and weir tell each other: sockets that were opened for it, readiness, and signs of life.
//!
//! Without systemd all of it is silent. Nobody else names listenfd or reads these variables of the environment.

mod manager;
mod news;
mod sockets;
mod vigil;

pub use manager::Manager;
pub use news::News;
pub use sockets::{Sockets, SocketsError};
pub use vigil::{Seen, Vigil};
