//! The arguments of the verbs that read no log: promote, rollback, retire, redrive.

use std::time::Duration;

use clap::Args;

use super::arguments::{Begin, Pace};
use super::point::duration;
use crate::generation::GenerationId;

const FILTERS: &str = "Filters (all must hold)";

/// Have a generation answer from now on
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Have a generation answer from now on.\n\n\
        It is allowed once the generation was verified, has caught up, has no open gap, and the images that \
        readers answer from are ready. Each request is answered from one generation from beginning to end. The \
        old one goes on following the log, so weir rollback is safe.",
    after_help = "Examples:\n  weir promote g2\n  weir promote g2 --plan\n  weir rollback    back again"
)]
pub struct PromoteArguments {
    /// Its name, as g2
    #[arg(value_parser = GenerationId::parse)]
    pub(super) generation: GenerationId,
    /// Also if it is behind, or an image of it is not ready
    #[arg(long)]
    pub(super) force: bool,
    /// Also if it was not compared with the log
    #[arg(long)]
    pub(super) unverified: bool,
    #[command(flatten)]
    pub(super) begin: Begin,
}

/// Have the generation answer again that answered before
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Have the generation answer again that answered before.\n\n\
        It followed the log all the while, so it holds the events that came meanwhile.",
    after_help = "Example:\n  weir rollback --why 'fewer clicks since g2'"
)]
pub struct RollbackArguments {
    /// Also if it is behind, or an image of it is not ready
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) begin: Begin,
}

/// End a generation that is not needed any more
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "End a generation: nothing follows the log into it any more, and its database is removed.\n\n\
        The active one cannot be retired, and the one that weir rollback goes to only with --force. The log \
        stays: weir rebuild makes it again.",
    after_help = "Examples:\n  weir retire g1\n  weir retire g1 --force --yes"
)]
pub struct RetireArguments {
    /// Its name, as g1
    #[arg(value_parser = GenerationId::parse)]
    pub(super) generation: GenerationId,
    /// Also if weir rollback would go to it
    #[arg(long)]
    pub(super) force: bool,
    /// Do it; without this, a terminal is asked
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) begin: Begin,
}

/// Have parked events tried again, as a job
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Have parked events tried again, as a job.\n\n\
        The list is frozen when the job is planned: what is parked later is not meant. An event stays parked \
        until it is applied. weir parked list shows what there is, and weir parked redrive does the same \
        without a running weir.",
    after_help = "Examples:\n  \
        weir redrive --type viewed --plan\n  \
        weir redrive --reason arango_1233 --yes\n  \
        weir redrive --older-than 1d --rate 100 --yes --detach"
)]
pub struct RedriveArguments {
    /// Of this type, as viewed
    #[arg(long = "type", value_name = "TYPE", help_heading = FILTERS)]
    pub(super) types: Vec<String>,
    /// Parked for this reason, as weir parked list tells it
    #[arg(long, help_heading = FILTERS)]
    pub(super) reason: Option<String>,
    /// First failed longer ago, as 2h or 7d
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = FILTERS)]
    pub(super) older_than: Option<Duration>,
    /// The id begins with this
    #[arg(long, value_name = "PREFIX", help_heading = FILTERS)]
    pub(super) id: Option<String>,
    /// The error holds this, in whatever case
    #[arg(long, help_heading = FILTERS)]
    pub(super) text: Option<String>,
    /// The generation that they could not be applied to, as g2 [default: the active one]
    #[arg(long, value_name = "ID", value_parser = GenerationId::parse)]
    pub(super) generation: Option<GenerationId>,
    /// Do it; without this, a terminal is asked
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) begin: Begin,
    #[command(flatten)]
    pub(super) pace: Pace,
}
