//! The arguments of `weir keys`, and what it does.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::arguments::CommonArguments;
use super::keys_text::{KeyView, keys_table};
use super::status;
use crate::access::{IpMode, Keys, Made, NewKey, Privacy, Rate, Rules, Scope};
use crate::app::keys_at;
use crate::clock;
use crate::config::{Settings, parse_duration, parse_size};

const WHAT: &str = "What it permits";
const PRIVACY: &str = "What is stored of events";

#[derive(Clone, Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key; its text is printed once and kept nowhere
    #[command(after_help = "Examples:\n  \
        weir keys create --name shop-web --scope write --type viewed,purchased --origin https://shop.example \\\n    \
        --rate-events 500 --ip truncate\n  \
        weir keys create --name partner --scope write --source partner --hash /userId --expires 90d --out partner.key\n  \
        weir keys create --name recommender --scope read\n  \
        weir keys create --name operators --scope admin --out operators.key\n\n\
        Every gateway knows it a moment later, without a restart. It is shown as\n  \
        Authorization: Bearer weir_…, as X-Api-Key, as the user of HTTP Basic, or as ?key= where\n  \
        no header can be set (pictures, beacons).")]
    Create(Box<Create>),
    /// List the keys
    #[command(
        after_help = "Examples:\n  weir keys list\n  weir keys list --all\n  weir keys list --json"
    )]
    List {
        /// Also those that are revoked or at their end
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        place: Place,
    },
    /// End a key at once
    #[command(after_help = "Example:\n  weir keys revoke mzxw6ytboi4q\n\n\
        Gateways that NATS reaches refuse it a moment later. It cannot be taken back.")]
    Revoke {
        /// Its id, as list tells it
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Give a key another text; the one before works for a while more
    #[command(after_help = "Examples:\n  \
        weir keys rotate mzxw6ytboi4q\n  \
        weir keys rotate mzxw6ytboi4q --overlap 2h --out shop.key")]
    Rotate {
        /// Its id, as list tells it
        id: String,
        /// For how long the text before works, as 2h or 1d
        #[arg(long, default_value = "1d", value_parser = duration, value_name = "DURATION")]
        overlap: Duration,
        /// Write the text there, for nobody else to read, and not to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the keys are, and how to print.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: CommonArguments,
}

#[derive(Args, Clone, Debug)]
pub struct Create {
    /// What it is for, as people call it
    #[arg(long)]
    name: String,
    /// write (send events), read (ask), admin (operate); several with commas between
    #[arg(long, value_delimiter = ',', required = true, help_heading = WHAT)]
    scope: Vec<ScopeName>,
    /// Only events of these types
    #[arg(long = "type", value_delimiter = ',', value_name = "TYPE", help_heading = WHAT)]
    types: Vec<String>,
    /// Only events of these sources; with one, events need not name it
    #[arg(long, value_delimiter = ',', value_name = "SOURCE", help_heading = WHAT)]
    source: Vec<String>,
    /// Only pages of these origins, as https://shop.example
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN", help_heading = WHAT)]
    origin: Vec<String>,
    /// Events a second through one gateway
    #[arg(long, value_name = "N", help_heading = WHAT)]
    rate_events: Option<u64>,
    /// Bytes a second through one gateway, as 1MiB
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = WHAT)]
    rate_bytes: Option<u64>,
    /// For how long it is valid, as 90d [default: until it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = WHAT)]
    expires: Option<Duration>,
    /// The address that events come from: keep, truncate to its network, or drop
    #[arg(long, default_value = "drop", help_heading = PRIVACY)]
    ip: IpName,
    /// Fields that are left out, as /properties/email
    #[arg(long, value_delimiter = ',', value_name = "POINTER", help_heading = PRIVACY)]
    drop: Vec<String>,
    /// Fields that are replaced by a keyed hash, as /userId; the gateways need privacy.hash_key_file
    #[arg(long, value_delimiter = ',', value_name = "POINTER", help_heading = PRIVACY)]
    hash: Vec<String>,
    /// Write the text there, for nobody else to read, and not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScopeName {
    Write,
    Read,
    Admin,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IpName {
    Keep,
    Truncate,
    Drop,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write a duration with its unit, as 2h or 90d".to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "write a size as 64KiB or 1MiB".to_owned())
}

impl Create {
    fn wanted(&self) -> NewKey {
        let set = |all: &[String]| -> Option<BTreeSet<String>> {
            (!all.is_empty()).then(|| all.iter().cloned().collect())
        };
        let scope = |name: &ScopeName| match name {
            ScopeName::Write => Scope::Write,
            ScopeName::Read => Scope::Read,
            ScopeName::Admin => Scope::Admin,
        };
        let ip = match self.ip {
            IpName::Keep => IpMode::Keep,
            IpName::Truncate => IpMode::Truncate,
            IpName::Drop => IpMode::Drop,
        };
        let rules = Rules {
            scopes: self.scope.iter().map(scope).collect(),
            types: set(&self.types),
            sources: set(&self.source),
            origins: set(&self.origin),
            rate: Rate { events_per_second: self.rate_events, bytes_per_second: self.rate_bytes },
            privacy: Privacy { ip, drop: self.drop.clone(), hash: self.hash.clone() },
        };
        NewKey {
            name: self.name.clone(),
            rules,
            lasts_ms: self.expires.map(|time| time.as_millis() as u64),
            by: std::env::var("USER").unwrap_or_default(),
        }
    }
}

impl KeysCommand {
    pub(super) fn settings(&self) -> &CommonArguments {
        &self.place().settings
    }

    fn place(&self) -> &Place {
        match self {
            Self::Create(create) => &create.place,
            Self::List { place, .. } | Self::Revoke { place, .. } | Self::Rotate { place, .. } => {
                place
            }
        }
    }

    /// Does it, and returns what to print.
    pub(super) async fn run(&self, settings: &Settings) -> Result<String> {
        if let Self::Create(create) = self {
            // What is wrong is told before anybody is asked.
            create.wanted().check().map_err(anyhow::Error::msg)?;
        }
        let url = match &settings.nats.url {
            Some(url) => url.clone(),
            None => status::nats_of(&format!("http://{}", settings.admin.listen)).await?.0,
        };
        let keys = keys_at(settings, &url).await?;
        let json = self.place().json;
        match self {
            Self::Create(create) => {
                let place = create.out.as_deref().map(TextFile::new).transpose()?;
                told(&keys.create(create.wanted()).await?, place, json)
            }
            Self::Rotate { id, overlap, out, .. } => {
                let place = out.as_deref().map(TextFile::new).transpose()?;
                told(&keys.rotate(id, overlap.as_millis() as u64).await?, place, json)
            }
            Self::List { all, .. } => list(&keys, *all, json).await,
            Self::Revoke { id, .. } => {
                let view = KeyView::of(&keys.revoke(id).await?, clock::now_ms());
                Ok(if json { format!("{:#}\n", json!(view)) } else { format!("{id} is revoked\n") })
            }
        }
    }
}

async fn list(keys: &Keys, all: bool, json: bool) -> Result<String> {
    let now = clock::now_ms();
    let keys = keys.list().await?;
    let views: Vec<KeyView> = keys
        .iter()
        .filter(|key| all || key.is_valid(now))
        .map(|key| KeyView::of(key, now))
        .collect();
    Ok(if json { format!("{:#}\n", json!({ "keys": views })) } else { keys_table(&views) })
}

/// The text of a key goes to one place: a file, or standard output.
fn told(made: &Made, file: Option<TextFile>, json: bool) -> Result<String> {
    let view = KeyView::of(&made.key, clock::now_ms());
    if let Some(file) = file {
        let path = file.path.clone();
        file.write(&made.expose()).with_context(|| {
            let id = &made.key.id;
            format!(
                "the text of the key {id} could not be written to {}: rotate or revoke it",
                path.display()
            )
        })?;
        let line = format!("{} is in {}\n", made.key.id, path.display());
        return Ok(if json { format!("{:#}\n", json!({ "key": view })) } else { line });
    }
    if json {
        return Ok(format!("{:#}\n", json!({ "key": view, "text": made.expose() })));
    }
    eprintln!(
        "the key {} ({}); this is the only time its text is shown:",
        made.key.id, made.key.name
    );
    Ok(format!("{}\n", made.expose()))
}

/// A new file for the text of a key. It is there before the key is, so that no text is lost for want of a place;
/// if none is written, it goes again.
struct TextFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl TextFile {
    fn new(path: &Path) -> Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        let file =
            options.write(true).create_new(true).mode(0o600).open(path).with_context(|| {
                format!(
                    "nothing was done, since {} cannot be made for the text of the key",
                    path.display()
                )
            })?;
        Ok(Self { path: path.to_owned(), file, is_written: false })
    }

    fn write(mut self, text: &str) -> std::io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        if !self.is_written {
            std::fs::remove_file(&self.path).ok();
        }
    }
}
