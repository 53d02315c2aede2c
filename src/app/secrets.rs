//! Secrets at boot: fetches the set of a plan once, or keeps its files true to it.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::signals::stop_on_signals;
use crate::secrets::{Keeper, Plan, Surroundings, Target};

/// Where a plan's secrets go.
#[derive(Clone, Debug)]
pub struct Folder {
    pub path: PathBuf,
    /// Takes a folder that is not in memory.
    pub allow_disk: bool,
}

/// Fetches all secrets and writes them as one set; tries again until `deadline`, without one for ever.
pub async fn fetch_secrets(
    plan: &Plan,
    around: &Surroundings,
    into: &Folder,
    deadline: Option<Duration>,
) -> anyhow::Result<()> {
    let target = Target::open(&into.path, into.allow_disk)?;
    let stop = stop_on_signals()?;
    let count = Keeper::new(plan, around, target).fetch(deadline, &stop).await?;
    tracing::info!(count, folder = %into.path.display(), "all secrets are there");
    Ok(())
}

/// Keeps the secrets true to where they come from until a signal; SIGHUP has all be looked at now.
pub async fn follow_secrets(
    plan: &Plan,
    around: &Surroundings,
    into: &Folder,
) -> anyhow::Result<()> {
    let target = Target::open(&into.path, into.allow_disk)?;
    let stop = stop_on_signals()?;
    let mut hangup = signal(SignalKind::hangup())?;
    let hurry = async || {
        if hangup.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    };
    tracing::info!(count = plan.secrets.len(), every = ?plan.every, "secrets are followed");
    Keeper::new(plan, around, target).follow(&stop, hurry).await;
    Ok(())
}
