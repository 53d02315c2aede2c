//! Composition: builds the components from the settings and runs the roles of the binary.

use anyhow::{Result, bail};

use crate::config::Settings;

/// Runs everything in one process until it is told to stop; returns after the drain.
pub async fn dev(settings: Settings) -> Result<()> {
    std::future::ready(()).await;
    bail!(
        "dev is not composed, data directory {}",
        settings.data_dir.display()
    )
}

/// Checks whether the server's version and settings keep the promises; `true` if they do.
pub async fn doctor(settings: Settings, json: bool) -> Result<bool> {
    std::future::ready(()).await;
    bail!(
        "doctor is not composed, json {json}, nats {:?}",
        settings.nats
    )
}

/// Prints the state of a WAL that no process has open.
pub fn wal_status(settings: &Settings, json: bool) -> Result<()> {
    bail!("wal is not composed, json {json}, {:?}", settings.wal)
}

/// Checks every record of a WAL that no process has open; `true` if all are whole.
pub fn wal_verify(settings: &Settings, json: bool) -> Result<bool> {
    bail!("wal is not composed, json {json}, {:?}", settings.wal)
}

/// Writes the events of a WAL to standard output as NDJSON, from a sequence (inclusive) on.
pub fn wal_export(settings: &Settings, from: u64) -> Result<()> {
    bail!("wal is not composed, from {from}, {:?}", settings.wal)
}
