//! Composition: settings become components, components become roles.
//!
//! The only place where components meet. `dev` runs all of them in one process; `doctor` and `wal`
//! serve the commands that look at what there is.

mod admin;
mod dev;
mod doctor;
mod fill;
mod options;
mod ready;
mod signals;
mod status;
mod tasks;
mod wal;

pub use dev::dev;
pub use doctor::{Report, doctor};
pub use status::Snapshot;
pub use wal::{export, verify, wal_status};

/// Components name the active generation by this until generations can be switched.
pub const GENERATION: &str = "g1";
