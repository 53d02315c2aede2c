//! Composition: settings become components, components become roles.
//!
//! The only place where components meet. `process` runs any set of roles out of `inlet` and `image`, which
//! talk to the log through a `wire`; `doctor` and `wal` serve the commands that look at what there is.

mod admin;
mod doctor;
mod fill;
mod image;
mod inlet;
mod lock;
mod options;
mod process;
mod ready;
mod roles;
mod rules;
mod signals;
mod status;
mod tasks;
mod wal;
mod watch;
mod wire;

pub use doctor::{Report, doctor};
pub use process::run;
pub use roles::{Role, Roles};
pub use status::Snapshot;
pub use wal::{export, verify, wal_status};

/// Components name the active generation by this until generations can be switched.
pub const GENERATION: &str = "g1";
