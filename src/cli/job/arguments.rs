//! The arguments of the verbs that read the log: replay, rebuild, jump, verify.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::point::{duration, parse_point};
use crate::generation::GenerationId;
use crate::replay::Point;

const FILTERS: &str = "Filters (all must hold; each may be given several times)";
const PACE: &str = "Pace (weir job limit changes it later)";

/// Which weir is asked, and how its answer is printed.
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// The admin listener of a running weir dev or weir projector
    #[arg(
        long,
        env = "WEIR_ADMIN_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8081"
    )]
    pub(super) admin_url: String,
    /// Print JSON; of a job that is watched one line whenever it has changed
    #[arg(long)]
    pub(super) json: bool,
}

/// How a job begins.
#[derive(Args, Clone, Debug)]
pub struct Begin {
    /// Tell what would be done, and do nothing
    #[arg(long)]
    pub(super) plan: bool,
    /// Return once the job is written down, instead of watching it to its end
    #[arg(long)]
    pub(super) detach: bool,
    /// The reason, for those who look at the job later
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,
    #[command(flatten)]
    pub(super) asked: Asked,
}

/// How fast a job may go.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = PACE)]
pub struct Pace {
    /// Go only as fast as the live flow stays this close behind the log [default: 200ms]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) live_lag: Option<Duration>,
    /// Most events a second [default: as many as live allows]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) rate: Option<u64>,
}

/// Apply a range of the log again, while new events flow
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Apply a range of the log again, while new events flow.\n\n\
        Nothing is counted twice: what the graph holds already stays as it is, and what it lacks is added. So \
        a replay heals what is missing; a changed projection or other event types need weir rebuild. The job \
        is run by a running weir dev or weir projector, slows itself for the live flow, survives restarts, and \
        ends with an account of every sequence of the range.",
    after_help = "Examples:\n  \
        weir replay --from -2h --plan\n  \
        weir replay --from -2h --why 'projector was down'\n  \
        weir replay --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z --type purchased\n  \
        weir replay --from 120000 --to 130000 --user u789 --rate 5000\n\n\
        Times are those at which the log took the events in. Ctrl-C leaves the job running.\n\
        Ends with 0 if the job is done, 1 if it failed or was cancelled."
)]
pub struct ReplayArguments {
    /// The first event: a sequence, an RFC 3339 time, or how long ago, as -2h [default: the log's first]
    #[arg(long, value_name = "POINT", value_parser = parse_point, allow_hyphen_values = true)]
    pub(super) from: Option<Point>,
    /// The first event that is not meant any more [default: the log's end as it is now]
    #[arg(long, value_name = "POINT", value_parser = parse_point, allow_hyphen_values = true)]
    pub(super) to: Option<Point>,
    /// The generation that it is applied to, as g2 [default: the active one]
    #[arg(long, value_name = "ID", value_parser = GenerationId::parse)]
    pub(super) generation: Option<GenerationId>,
    /// Go on although the log does not hold the beginning of the range any more
    #[arg(long)]
    pub(super) allow_truncated: bool,
    #[command(flatten)]
    pub(super) begin: Begin,
    /// Only events of this type, as viewed
    #[arg(long = "type", value_name = "TYPE", help_heading = FILTERS)]
    pub(super) types: Vec<String>,
    /// Only events of this user
    #[arg(long = "user", value_name = "ID", help_heading = FILTERS)]
    pub(super) users: Vec<String>,
    /// Only events with this item
    #[arg(long = "item", value_name = "ID", help_heading = FILTERS)]
    pub(super) items: Vec<String>,
    /// Only events from this source
    #[arg(long = "source", value_name = "NAME", help_heading = FILTERS)]
    pub(super) sources: Vec<String>,
    #[command(flatten)]
    pub(super) pace: Pace,
}

/// Make a new generation of the graph from the log, while the old one answers
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Make a new generation of the graph from the log, while the old one answers.\n\n\
        All of the log is read in parallel parts, then the new generation follows it, and is compared with it \
        key by key. Nobody who reads notices before weir promote; weir rollback goes back. With --as-of it \
        holds what the log held then, follows nothing, and is read by its name.",
    after_help = "Examples:\n  \
        weir rebuild --plan\n  \
        weir rebuild --promote --why 'purchases weigh more now' --config weir.toml\n  \
        weir rebuild --as-of 2026-11-01T00:00:00Z --generation g7\n\n\
        Ends with 0 if the generation is made (with --promote: and answers), 1 otherwise."
)]
pub struct RebuildArguments {
    /// Hold what the log held then: a sequence, an RFC 3339 time, or how long ago, as -2h
    #[arg(long, value_name = "POINT", value_parser = parse_point, allow_hyphen_values = true)]
    pub(super) as_of: Option<Point>,
    /// The new generation's name, as g5 [default: the next one that is free]
    #[arg(long, value_name = "ID", value_parser = GenerationId::parse)]
    pub(super) generation: Option<GenerationId>,
    /// Have it answer as soon as it may
    #[arg(long)]
    pub(super) promote: bool,
    /// Do not compare it with the log
    #[arg(long)]
    pub(super) unverified: bool,
    /// Go on although the log does not hold its beginning any more
    #[arg(long)]
    pub(super) allow_truncated: bool,
    /// Take the event types from this TOML file [default: those of the weir that is asked]
    #[arg(long, env = "WEIR_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) begin: Begin,
    #[command(flatten)]
    pub(super) pace: Pace,
}

/// Have the live flow go on at the newest event at once, and the gap filled beside it
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Have the live flow go on at the newest event at once; the gap is filled beside it.\n\n\
        For a generation that is far behind: fresh events count within milliseconds again, and the gap becomes \
        a replay that ends by itself. It is written down before live moves, so nothing can be forgotten.",
    after_help = "Examples:\n  weir jump --plan\n  weir jump --why 'twelve hours behind' --detach"
)]
pub struct JumpArguments {
    /// The generation that is behind, as g2 [default: the active one]
    #[arg(long, value_name = "ID", value_parser = GenerationId::parse)]
    pub(super) generation: Option<GenerationId>,
    #[command(flatten)]
    pub(super) begin: Begin,
    #[command(flatten)]
    pub(super) pace: Pace,
}

/// Compare a generation with the log, key by key, and name what differs
#[derive(Args, Clone, Debug)]
#[command(
    long_about = "Compare a generation with the log, key by key, and name what differs.\n\n\
        It works while events flow and changes nothing. Documents of events that wait to be tried again or are \
        parked are pending, and those of events that the log does not hold any more are unprovable: neither is \
        a difference.",
    after_help = "Examples:\n  \
        weir verify\n  \
        weir verify --generation g2 --live-lag 500ms\n  \
        weir verify --json | tail -n 1 | jq .report\n\n\
        Ends with 0 if the generation is what the log says, 1 if it differs. weir replay heals what is missing."
)]
pub struct VerifyArguments {
    /// The generation that is compared, as g2 [default: the active one]
    #[arg(long, value_name = "ID", value_parser = GenerationId::parse)]
    pub(super) generation: Option<GenerationId>,
    #[command(flatten)]
    pub(super) begin: Begin,
    #[command(flatten)]
    pub(super) pace: Pace,
}
