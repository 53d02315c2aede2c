//! The arguments of `weir rollout`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Clone, Debug, Subcommand)]
pub enum RolloutCommand {
    /// Start a new version and bring it out, step by step
    #[command(
        long_about = "Start a new version and bring it out, step by step.\n\n\
            It runs beside the old one and gets 1, 10, 50, then 100 % of the traffic (or the steps of the file). At \
            every step both versions' metrics are compared: errors, refusals and slow answers by a sequential test, \
            and how far the stream is behind by limits. A version that is worse, or gone, goes back by itself, and \
            nothing that it answered is lost. Every step is in a journal, so weir rollout resume goes on after a crash.",
        after_help = "Examples:\n  \
            weir rollout start --config rollout.toml --to /opt/weir/0.2.0/weir\n  \
            weir rollout start --config rollout.toml --provider aws --to 17 --json\n  \
            weir rollout start --config rollout.toml --to /opt/weir/0.2.0/weir --until 10\n\n\
            The first rollout on a machine has nothing to compare with, and gets all of the traffic at once.\n\
            Ends with 0 if the new version is the live one, or stands where --until says; 3 if it was rolled back; 1 if \
            the rollout stands still."
    )]
    Start {
        /// The new version: a binary (local), or a version of the launch template (aws)
        #[arg(long, value_name = "BINARY|VERSION")]
        to: String,
        #[command(flatten)]
        far: Far,
        #[command(flatten)]
        asked: Asked,
    },
    /// Go on with a rollout that was interrupted
    #[command(after_help = "Example:\n  weir rollout resume --config rollout.toml\n\n\
        What was seen before counts. Ends as weir rollout start does.")]
    Resume {
        #[command(flatten)]
        far: Far,
        #[command(flatten)]
        asked: Asked,
    },
    /// Give the old version all of the traffic again, and end the new one
    #[command(
        after_help = "Example:\n  weir rollout abort --config rollout.toml --why 'the wrong build'\n\n\
        Whoever runs the rollout does it; if nobody does, this command. Ends with 0 once it is done."
    )]
    Abort {
        /// The reason, for those who read the journal later
        #[arg(long, value_name = "TEXT", default_value = "no reason was given")]
        why: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Show the latest rollout, and what it saw
    #[command(after_help = "Examples:\n  \
        weir rollout status --config rollout.toml\n  \
        weir rollout status --config rollout.toml --json | jq .state")]
    Status(Asked),
    /// Tell what a rollout would go through, and do nothing
    #[command(after_help = "Example:\n  weir rollout plan --config rollout.toml")]
    Plan(Asked),
}

/// How far it goes.
#[derive(Args, Clone, Copy, Debug)]
pub struct Far {
    /// Stand still at the last step with at most this much of the traffic; nobody watches until it is resumed
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..100))]
    pub(super) until: Option<u8>,
}

/// Which rollout, and how it is told.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// The TOML file that describes rollouts; docs/rollout.md lists its keys
    #[arg(long, env = "WEIR_ROLLOUT_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Where versions run [default: the one that the file describes]
    #[arg(long, value_enum)]
    pub(super) provider: Option<ProviderName>,
    /// Print JSON; of a rollout that runs one line whenever something happens
    #[arg(long)]
    pub(super) json: bool,
}

/// Where versions run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProviderName {
    /// Processes of this machine, behind nginx
    Local,
    /// Auto Scaling groups behind a load balancer
    Aws,
}

impl ProviderName {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Aws => "aws",
        }
    }
}
