//! `weir streams`: the streams and buckets that weir keeps in NATS.

use anyhow::Result;
use clap::Subcommand;

use super::arguments::SettingsArguments;
use super::doctor_copies::copies_text;
use crate::app;
use crate::config::Settings;

#[derive(Clone, Debug, Subcommand)]
pub enum StreamsCommand {
    /// Make what is missing, and give each stream the copies and bounds that are set
    #[command(after_help = "Examples:\n  \
        weir streams apply --nats-url nats://nats.internal:4222\n  \
        WEIR_NATS__USER=control WEIR_NATS__PASSWORD_FILE=/etc/weir/control WEIR_NATS__REPLICAS=3 \\\n    \
        weir streams apply --nats-url nats://n1:4222,nats://n2:4222,nats://n3:4222\n\n\
        Every weir does the same when it starts, if its login may. Where it may not (nats/cluster), this is run \
        once with one that may, and again after nats.replicas or a bound was changed. Nothing is removed, and no \
        stream gets fewer copies.")]
    Apply {
        #[command(flatten)]
        settings: SettingsArguments,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

impl StreamsCommand {
    pub(super) fn settings(&self) -> &SettingsArguments {
        let Self::Apply { settings, .. } = self;
        settings
    }

    /// Does it, and returns what to print.
    pub(super) async fn run(&self, settings: &Settings) -> Result<String> {
        let Self::Apply { json, .. } = self;
        let copies = app::make_streams(settings).await?;
        if *json {
            return Ok(format!("{:#}\n", serde_json::to_value(&copies)?));
        }
        let names: Vec<_> = copies.iter().map(|one| one.stream.as_str()).collect();
        Ok(format!("{}the streams are there: {}\n", copies_text(&copies, None), names.join(", ")))
    }
}
