//! `weir parked`: events that can never be applied as things are.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use super::arguments::CommonArguments;
use super::generation_id::parse_generation;
use super::parked_text::{ParkedView, done_text, list_text, show_text};
use super::status;
use crate::app::{Done, Found, Shelf};
use crate::clock;
use crate::config::{Settings, parse_duration};
use crate::stream::{EntryId, ParkedFilter};

const LISTED: usize = 50;
const FILTERS: &str = "Filters (all must hold)";

#[derive(Clone, Debug, Subcommand)]
pub enum ParkedCommand {
    /// List parked events, with the reason of each
    #[command(after_help = "Examples:\n  \
        weir parked list\n  \
        weir parked list --reason undecodable --older-than 1d\n  \
        weir parked list --json --limit 1000 | jq -r '.entries[].id'")]
    List {
        /// Most events that are listed
        #[arg(long, default_value_t = LISTED)]
        limit: usize,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Show one parked event whole
    #[command(after_help = "Example:\n  weir parked show 0a4c9e0f5b7d4c1e8a2b3c4d5e6f7081")]
    Show {
        /// Its id, as list tells it
        id: EntryId,
        #[command(flatten)]
        place: Place,
    },
    /// Have the workers try events once more; without --yes it only tells which
    #[command(after_help = "Examples:\n  \
        weir parked redrive --type viewed\n  \
        weir parked redrive --reason arango_1233 --yes\n  \
        weir parked redrive --id 0a4c9e0f --yes\n\n\
        An event stays parked until it is applied.")]
    Redrive(Changed),
    /// Give events up; without --yes it only tells which
    #[command(
        after_help = "Example:\n  weir parked drop --reason undecodable --older-than 7d --yes\n\n\
        The events stay in the log, but are not applied to this generation."
    )]
    Drop(Changed),
}

/// Which queue, and how to print.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The generation that the events could not be applied to, as g2
    #[arg(long, value_name = "ID", default_value = "g1", value_parser = parse_generation)]
    generation: u64,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: CommonArguments,
}

/// Which events are meant.
#[derive(Args, Clone, Debug)]
pub struct Chosen {
    /// Of this type, as viewed
    #[arg(long = "type", value_name = "TYPE", help_heading = FILTERS)]
    event_type: Option<String>,
    /// Parked for this reason, as list tells it
    #[arg(long, help_heading = FILTERS)]
    reason: Option<String>,
    /// First failed longer ago, as 2h or 7d
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = FILTERS)]
    older_than: Option<Duration>,
    /// The id begins with this
    #[arg(long, value_name = "PREFIX", help_heading = FILTERS)]
    id: Option<String>,
    /// The error holds this, in whatever case
    #[arg(long, help_heading = FILTERS)]
    text: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// What is to be changed.
#[derive(Args, Clone, Debug)]
pub struct Changed {
    /// Do it; without this, a terminal is asked
    #[arg(long)]
    yes: bool,
    /// Most events that are meant [default: all]
    #[arg(long)]
    limit: Option<usize>,
    #[command(flatten)]
    chosen: Chosen,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a duration with its unit, as 2h or 7d".to_owned())
}

impl Chosen {
    fn filter(&self, now_ms: i64) -> ParkedFilter {
        ParkedFilter {
            event_type: self.event_type.clone(),
            reason: self.reason.clone(),
            since_ms: None,
            before_ms: self.older_than.map(|age| {
                now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
            }),
            id_prefix: self.id.clone(),
            error_text: self.text.clone(),
        }
    }
}

impl Place {
    async fn open(&self, settings: &Settings) -> Result<Shelf> {
        let url = match &settings.nats.url {
            Some(url) => url.clone(),
            None => status::nats_of(&format!("http://{}", settings.admin.listen)).await?.0,
        };
        Shelf::open(settings, &url, self.generation).await
    }
}

impl ParkedCommand {
    fn place(&self) -> &Place {
        match self {
            Self::List { chosen, .. } => &chosen.place,
            Self::Show { place, .. } => place,
            Self::Redrive(changed) | Self::Drop(changed) => &changed.chosen.place,
        }
    }

    pub(super) fn settings(&self) -> &CommonArguments {
        &self.place().settings
    }

    /// Does it, and returns what to print.
    pub(super) async fn run(&self, settings: &Settings) -> Result<String> {
        let place = self.place();
        let (shelf, json, now) = (place.open(settings).await?, place.json, clock::now_ms());
        match self {
            Self::List { chosen, limit } => {
                let found = shelf.list(&chosen.filter(now), *limit).await?;
                list(&found, json)
            }
            Self::Show { id, .. } => {
                let view = ParkedView::whole(&shelf.get(*id).await?);
                Ok(if json { pretty(&view)? } else { show_text(&view) })
            }
            Self::Redrive(changed) => {
                let Some(found) = changed.confirmed(&shelf, "redrive").await? else {
                    return Ok(String::new());
                };
                finish("redriven", shelf.redrive(&found.entries).await?, json)
            }
            Self::Drop(changed) => {
                let Some(found) = changed.confirmed(&shelf, "drop").await? else {
                    return Ok(String::new());
                };
                finish("dropped", shelf.drop(&found.entries).await?, json)
            }
        }
    }
}

impl Changed {
    /// Returns what is meant once somebody has said yes to it; tells it first otherwise.
    async fn confirmed(&self, shelf: &Shelf, verb: &str) -> Result<Option<Found>> {
        let filter = self.chosen.filter(clock::now_ms());
        let found = shelf.list(&filter, self.limit.unwrap_or(usize::MAX)).await?;
        if self.yes {
            return Ok(Some(found));
        }
        eprint!("{}", list(&found, self.chosen.place.json)?);
        let count = found.entries.len();
        if count == 0 {
            return Ok(None);
        }
        if !stdin().is_terminal() {
            eprintln!("nothing was done: add --yes to {verb} these {count}");
            return Ok(None);
        }
        eprint!("{verb} these {count}? [y/N] ");
        stderr().flush().context("cannot ask")?;
        let mut answer = String::new();
        stdin().read_line(&mut answer).context("cannot read the answer")?;
        Ok(matches!(answer.trim(), "y" | "yes").then_some(found))
    }
}

fn list(found: &Found, json: bool) -> Result<String> {
    let views: Vec<ParkedView> = found.entries.iter().map(ParkedView::brief).collect();
    if json {
        return pretty(&serde_json::json!({
            "entries": views, "more": found.more, "unreadable": found.unreadable,
        }));
    }
    Ok(list_text(&views, found.more, found.unreadable))
}

fn finish(done: &str, outcome: Done, json: bool) -> Result<String> {
    if json { pretty(&outcome) } else { Ok(done_text(done, outcome)) }
}

fn pretty(value: &impl serde::Serialize) -> Result<String> {
    Ok(format!("{:#}\n", serde_json::to_value(value)?))
}
