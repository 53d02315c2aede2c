//! `weir wal reconcile`: a WAL that no process runs, against the stream.

use std::time::Duration;

use anyhow::{Context, Result};

use super::lock::lock;
use super::options::{self, Layout};
use super::roles::Roles;
use crate::config::Settings;
use crate::relay::reconcile::{self, Report, Told};
use crate::stream::{EventLog, Nats};
use crate::wal;

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// What the command may do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reconciling {
    /// Only tell what would be done.
    pub plan: bool,
    /// Publish also what was erased, or may have been.
    pub include_erased: bool,
}

/// Publishes what the WAL has and the stream lost, and tells of each.
pub async fn reconcile(
    settings: &Settings,
    how: Reconciling,
    tell: &mut dyn FnMut(Told),
) -> Result<Report> {
    let layout = Layout::new(settings);
    // Before the lock, which would make the directory.
    wal::inspect(&layout.wal())?;
    let _lock = lock(&layout, Roles::GATEWAY)
        .context("a gateway that runs brings back by itself what the stream lost")?;
    let url = settings.nats.url.as_deref().context(
        "name the NATS server with --nats-url: one that weir dev starts as a child ends with it, and what it lost \
         comes back when weir dev starts again",
    )?;
    let nats = Nats::connect(options::nats(settings, url, "reconcile")).await?;
    tokio::time::timeout(CONNECT_DEADLINE, nats.connected()).await.with_context(|| {
        format!("no NATS server at {url} lets us in: is it running, and is the login right?")
    })?;
    nats.check_server()?;
    let log = options::log(settings, settings.nats.monitor_url.clone());
    let log = EventLog::new(nats, log).await;
    let Reconciling { plan, include_erased } = how;
    let options =
        reconcile::Options { plan, include_erased, ..reconcile::Options::new(layout.wal()) };
    Ok(reconcile::reconcile(options, log, tell).await?)
}
