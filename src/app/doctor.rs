//! Whether the NATS server and the stream are what the promises need.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::options;
use crate::config::Settings;
use crate::stream::{EventLog, Finding, Nats};

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// What was looked at, and what is not as it should be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub url: String,
    pub server_version: String,
    pub sync: String,
    pub findings: Vec<Finding>,
}

/// Looks at a server and its stream, and changes nothing.
pub async fn doctor(
    settings: &Settings,
    url: &str,
    monitor_url: Option<String>,
) -> anyhow::Result<Report> {
    let nats = Nats::connect(options::nats(settings, url, "doctor")).await?;
    tokio::time::timeout(CONNECT_DEADLINE, nats.connected()).await.with_context(|| {
        format!("no NATS server at {url} lets us in: is it running, and is the login right?")
    })?;
    nats.check_server()?;
    let log = EventLog::new(nats.clone(), options::log(settings, monitor_url)).await;
    let findings = log
        .inspect()
        .await
        .context("the stream cannot be looked at; weir makes it when it starts")?;
    let sync = log.sync_policy().await.to_string();
    let server_version = nats.server().map_or_else(String::new, |server| server.version);
    Ok(Report { url: url.to_owned(), server_version, sync, findings })
}
