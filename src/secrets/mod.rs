//! Secrets at boot: fetched from where they are kept into files in memory, and kept true to it.
//!
//! One small contract (`contract`) with four providers: files, systemd's credentials, HashiCorp Vault, AWS Secrets
//! Manager. What is pure (requests, signatures, answers, the waits, the plan's file) stands apart from the shells
//! that send. A set of secrets is written as one generation (`target`), so nobody reads half of a change.

mod aws;
mod contract;
mod file;
mod http;
mod keeper;
mod place;
mod plan;
mod read;
mod sources;
mod target;
#[cfg(test)]
mod tests;
mod told;
mod vault;
mod wait;

pub use contract::{Fault, Fetched, Remedy, Source};
pub use keeper::{Keeper, Missing};
pub use place::Place;
pub use plan::{AwsOptions, KeysFrom, Plan, VaultAuth, VaultOptions, Wanted};
pub use read::read_plan;
pub use sources::{Surroundings, sources};
pub use target::{Target, TargetError};

/// A plan that can be copied: what `weir secrets example` prints.
pub const EXAMPLE: &str = include_str!("example.toml");
