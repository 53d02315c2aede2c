//! Two places on this machine, behind nginx: each a process with its own ports and data directory.

mod nginx;
mod options;
mod process;
mod provider;
mod remembered;

pub use nginx::NginxOptions;
pub use options::{LocalOptions, Place};
pub use provider::Local;
