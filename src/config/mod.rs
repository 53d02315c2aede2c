//! The configuration: defaults, then a TOML file, then the environment, then flags.
//!
//! It is checked whole before anything starts, and all problems are told at once, each with its source and
//! what to do. [`Settings`] is plain data; `app` maps it to each component's options. Secrets come from
//! files, variables and systemd's credentials, and are never shown.

mod check;
mod event_types;
mod humane;
mod schema;
mod secrets;
mod settings;
mod show;
mod sources;
#[cfg(test)]
mod tests;

pub(crate) use check::nearest;
pub use check::{Problem, Problems};
pub use humane::{parse_duration, parse_size};
pub use schema::file_keys;
pub use settings::{
    AccessSettings, AdminSettings, ApiSettings, ArangoSettings, EventTypeSettings, GatewaySettings,
    ImageSettings, LogSettings, NatsSettings, ProjectorSettings, QueueSettings, Settings,
    WalSettings,
};
pub use show::Effective;
pub use sources::{Flag, Sources, load, read_other};
