//! The arguments of `weir explain`: why a document is in the graph.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::arguments::CommonArguments;
use super::explain_text::{WhyView, unknown_text, why_text};
use super::status;
use crate::app::{self, Asked};
use crate::config::Settings;
use crate::generation::GenerationId;

/// What takes no longer needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Subcommand)]
pub enum ExplainCommand {
    /// Tell which events made an edge, or all edges of a user and an item
    #[command(after_help = "Examples:\n  \
        weir explain edge =hzPp1cBvX0QJk2mWd8sNfZA\n  \
        weir explain edge --user u789 --item i456\n  \
        weir explain edge --user u789 --item i456 --type purchased --json\n\n\
        A key is what _key says in ArangoDB, and what weir verify names.")]
    Edge {
        /// The edge's key
        #[arg(required_unless_present_all = ["user", "item"], conflicts_with_all = ["user", "item"])]
        key: Option<String>,
        /// Instead of a key: the edges of this user
        #[arg(long, value_name = "ID", requires = "item")]
        user: Option<String>,
        /// and this item
        #[arg(long, value_name = "ID", requires = "user")]
        item: Option<String>,
        /// Only edges of this event type, as purchased
        #[arg(long = "type", value_name = "TYPE", requires = "user")]
        event_type: Option<String>,
        #[command(flatten)]
        place: ExplainPlace,
    },
    /// Tell which events made a user's vertex and its attributes
    #[command(after_help = "Example:\n  weir explain user u789")]
    User {
        /// The user's id, as events have it
        id: String,
        #[command(flatten)]
        place: ExplainPlace,
    },
    /// Tell which events made an item's vertex and its attributes
    #[command(after_help = "Example:\n  weir explain item i456 --json")]
    Item {
        /// The item's id, as events have it
        id: String,
        #[command(flatten)]
        place: ExplainPlace,
    },
}

/// Which graph, and how to print.
#[derive(Args, Clone, Debug)]
pub struct ExplainPlace {
    /// The generation whose graph is meant, as g2 [default: the one that answers]
    #[arg(long, value_name = "ID", value_parser = GenerationId::parse)]
    generation: Option<GenerationId>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: CommonArguments,
}

impl ExplainCommand {
    fn place(&self) -> &ExplainPlace {
        let (Self::Edge { place, .. } | Self::User { place, .. } | Self::Item { place, .. }) = self;
        place
    }

    pub(super) fn settings(&self) -> &CommonArguments {
        &self.place().settings
    }

    fn asked(&self) -> Asked {
        match self {
            Self::User { id, .. } => Asked::User(id.clone()),
            Self::Item { id, .. } => Asked::Item(id.clone()),
            Self::Edge { user: Some(user), item: Some(item), event_type, .. } => {
                let (user, item, of) = (user.clone(), item.clone(), event_type.clone());
                Asked::Edges { user, item, of }
            }
            Self::Edge { key, .. } => Asked::Edge(key.clone().unwrap_or_default()),
        }
    }

    /// Does it; returns what to print, and whether there is such a document.
    pub(super) async fn run(&self, settings: &Settings) -> Result<(String, bool)> {
        let url = match &settings.nats.url {
            Some(url) => url.clone(),
            None => status::nats_of(&format!("http://{}", settings.admin.listen)).await?.0,
        };
        let (place, asked, mut bar) = (self.place(), self.asked(), Bar::new());
        let mut progress = |read, through| bar.show(read, through);
        let why = app::why(settings, &url, place.generation, &asked, &mut progress).await?;
        bar.end();
        let view = WhyView::from(why);
        let found = !view.explanation.documents.is_empty();
        if !found {
            eprint!("{}", unknown_text(&asked, &view));
        }
        let text = match (place.json, found) {
            (true, _) => format!("{:#}\n", serde_json::to_value(&view)?),
            (false, true) => why_text(&view),
            (false, false) => String::new(),
        };
        Ok((text, found))
    }
}

/// A bar that appears when it takes long.
struct Bar {
    bar: ProgressBar,
    begun: Instant,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        Self { bar, begun: Instant::now() }
    }

    fn show(&mut self, read: u64, through: u64) {
        if self.bar.length() == Some(0) {
            self.bar.set_length(through);
        }
        if self.bar.is_hidden() && self.begun.elapsed() > PATIENCE {
            let style = ProgressStyle::with_template("{bar:30} event {pos} of {len}  {eta} left");
            self.bar.set_style(style.expect("a template that a test reads"));
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(read);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_appears_only_after_a_while() {
        let mut bar = Bar::new();
        bar.show(1, 10);
        assert!(bar.bar.is_hidden());
        bar.begun = Instant::now().checked_sub(2 * PATIENCE).expect("the machine runs longer");
        bar.show(2, 10);
        assert_eq!((bar.bar.length(), bar.bar.position()), (Some(10), 2));
    }
}
