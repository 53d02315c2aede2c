//! The command line: arguments, dispatch, and what is printed for people.
//!
//! Exit codes: 0 done, 1 failed or not well, 2 a mistake in the arguments or the configuration.

mod admin;
mod arguments;
mod doctor;
mod doctor_copies;
mod explain;
mod explain_text;
mod fleet;
mod generation;
mod generation_id;
mod job;
mod keys;
mod keys_text;
mod migrate;
mod parked;
mod parked_text;
mod reconcile;
mod rollout;
mod run;
mod secrets;
mod status;
mod status_graphs;
mod status_text;
mod streams;
mod table;
mod wal;

pub use arguments::{
    ApiArguments, Arguments, Command, CommonArguments, ConfigCommand, GatewayArguments, Given,
    SettingsArguments, WalCommand,
};
pub use explain::{ExplainCommand, ExplainPlace};
pub use explain_text::WhyView;
pub use generation::{GenerationCommand, GenerationView, generation_table};
pub use job::{
    JobCommand, JumpArguments, PromoteArguments, RebuildArguments, RedriveArguments,
    ReplayArguments, RetireArguments, RollbackArguments, VerifyArguments,
};
pub use keys::KeysCommand;
pub use keys_text::{KeyView, keys_table};
pub use migrate::MigrateCommand;
pub use parked::ParkedCommand;
pub use parked_text::ParkedView;
pub use rollout::RolloutCommand;
pub use run::run;
pub use secrets::{IntoArguments, PlanArguments, SecretsCommand};
pub use streams::StreamsCommand;
