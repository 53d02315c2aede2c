//! A nats-server as `weir dev` runs its own, with connections to it, for rows that measure components.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::StreamExt;
use tempfile::TempDir;
use weir::broker::{self, Broker};
use weir::event::Publication;
use weir::limits::{ATOMIC_BATCH_MESSAGES, RELAY_FLIGHTS};
use weir::stream::{EventLog, LogOptions, Nats, NatsOptions, Outcome, Outgoing};

use crate::bench::Bench;
use crate::machine::cpu_seconds;

/// A running server with files of its own, which syncs before it acknowledges.
pub struct NatsServer {
    broker: Broker,
    dir: TempDir,
}

impl NatsServer {
    pub async fn start(bench: &Bench) -> anyhow::Result<Self> {
        let dir = bench.folder()?;
        let launcher = vec![bench.weir.clone().into_os_string(), "exec-with-parent".into()];
        let server = std::env::var_os("WEIR_NATS_SERVER").map(PathBuf::from);
        let options =
            broker::Options { launcher, server, ..broker::Options::new(dir.path().join("nats")) };
        let broker = Broker::start(options).await?;
        Ok(Self { broker, dir })
    }

    pub fn url(&self) -> &str {
        &self.broker.url
    }

    /// A folder that goes with the server.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The log over a connection of its own, with its stream made.
    pub async fn log(&self, name: &str) -> anyhow::Result<EventLog> {
        let nats = Nats::connect(NatsOptions {
            url: self.broker.url.clone(),
            name: name.to_owned(),
            ..Default::default()
        })
        .await?;
        let monitor_url = Some(self.broker.monitor_url.clone());
        let log = EventLog::new(nats, LogOptions { monitor_url, ..LogOptions::default() }).await;
        log.ensure().await.context("the stream cannot be made")?;
        Ok(log)
    }

    /// Its processor time so far, in seconds.
    pub fn cpu(&self) -> Option<f64> {
        let pid = std::fs::read_to_string(self.dir.path().join("nats/nats-server.pid")).ok()?;
        cpu_seconds(pid.split_ascii_whitespace().next()?.parse().ok()?)
    }

    pub async fn stop(self) {
        self.broker.stop().await;
    }
}

/// A message as the relay would publish it, with nothing left to do.
#[derive(Debug, Clone)]
pub struct Message {
    subject: String,
    id: String,
    payload: Bytes,
}

impl Message {
    /// Takes an entry of the WAL.
    pub fn of(entry: &Bytes) -> Self {
        let publication = Publication::decode(entry).expect("the gateway made the entry");
        Self {
            subject: publication.subject(),
            id: publication.message_id,
            payload: publication.payload,
        }
    }

    pub fn outgoing(&self) -> Outgoing<'_> {
        Outgoing { subject: &self.subject, message_id: &self.id, payload: self.payload.clone() }
    }
}

/// Publishes in atomic batches of the relay's size, as many at once as it has, and nothing besides.
pub async fn publish(
    log: &EventLog,
    messages: impl Iterator<Item = Vec<Message>>,
) -> anyhow::Result<()> {
    let sent = messages.map(async |batch: Vec<Message>| {
        debug_assert!(batch.len() <= ATOMIC_BATCH_MESSAGES);
        let outgoing: Vec<Outgoing<'_>> = batch.iter().map(Message::outgoing).collect();
        log.publish_atomic(&outgoing).await
    });
    let mut outcomes = futures_util::stream::iter(sent).buffer_unordered(RELAY_FLIGHTS);
    while let Some(outcome) = outcomes.next().await {
        if !matches!(outcome, Outcome::Stored { .. }) {
            bail!("a batch was not stored: {outcome:?}");
        }
    }
    Ok(())
}
