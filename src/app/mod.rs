//! Composition: settings become components, components become roles.
//!
//! The only place where components meet. `process` runs any set of roles out of `inlet` and `graphs`, which
//! talk to the log through a `wire`; `documents` serves what `describe` says of it all; `doctor`, `streams`, `wal`, `reconcile`, `migrate`, `parked`,
//! `secrets`, `fleet` and `explain` serve the
//! commands of those names.

mod admin;
mod beside;
mod databases;
mod describe;
mod doctor;
mod documents;
mod doors;
mod explain;
mod files;
mod fill;
mod fleet;
mod following;
mod generation;
mod graph_status;
mod graphs;
mod ground;
mod guard;
mod hash_key;
mod herald;
mod images;
mod inlet;
mod jobs;
mod keys;
mod lock;
mod migrate;
mod options;
mod parked;
mod ports;
mod process;
mod readers;
mod ready;
mod reconcile;
mod roles;
mod rules;
mod secrets;
mod serving;
mod signals;
mod status;
mod streams;
mod tasks;
mod tending;
mod wal;
mod watch;
mod wire;

pub use doctor::{Report, doctor};
pub use explain::{Asked, Why, why};
pub use fleet::{Census, Member, Standing, census};
pub use generation::{Listed, Registry};
pub use keys::keys_at;
pub use migrate::{migrate, migration_plan, migration_status};
pub use parked::{Done, Found, Shelf};
pub use process::run;
pub use reconcile::{Reconciling, reconcile};
pub use roles::{Role, Roles};
pub use secrets::{Folder, fetch_secrets, follow_secrets};
pub use status::Snapshot;
pub use streams::make_streams;
pub use wal::{export, verify, wal_status};
