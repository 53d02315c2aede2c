//! Whether the NATS server and the stream, and ArangoDB where there is one, are what the promises need.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use super::databases::Databases;
use super::options;
use super::rules::Rules;
use crate::config::Settings;
use crate::generation::{Generations, View};
use crate::stream::{
    Copies, EventLog, Finding, GetError, KvStore, Nats, Promise, Severity, copies, unasked,
};

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// What was looked at, and what is not as it should be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub url: String,
    pub server_version: String,
    pub sync: String,
    /// Of every stream that there is, the log first.
    pub copies: Vec<Copies>,
    /// What an acknowledged publish to the log can rely on.
    pub promise: Option<Promise>,
    /// Of ArangoDB, where one is set and answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arango_version: Option<String>,
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
    let mut findings = match log.inspect().await {
        Ok(findings) => findings,
        Err(GetError::Gone) => bail!("there is no stream EVENTS yet: weir makes it when it starts"),
        // Its copies tell that it has no leader.
        Err(GetError::Unavailable(_)) => Vec::new(),
    };
    let sync = log.sync_policy().await.to_string();
    let (copies, promise) = examine_copies(settings, &log, &mut findings).await;
    let server_version = nats.server().map_or_else(String::new, |server| server.version);
    let kv = KvStore::new(nats, settings.nats.replicas).await;
    let view = Generations::new(kv, None).read().await.unwrap_or_default();
    let arango_version = examine_arango(settings, &view, &mut findings).await?;
    let url = url.to_owned();
    Ok(Report { url, server_version, sync, copies, promise, arango_version, findings })
}

/// Looks at every server that has a copy of a stream; returns the copies, and what they promise for the log.
async fn examine_copies(
    settings: &Settings,
    log: &EventLog,
    findings: &mut Vec<Finding>,
) -> (Vec<Copies>, Option<Promise>) {
    let copies = copies(log.nats()).await;
    let servers = log.servers().await;
    findings.extend(copies.iter().flat_map(|one| one.findings(settings.nats.replicas)));
    findings.extend(unasked(&copies, &servers));
    let promise = copies.first().map(|log| Promise::of(log, &servers));
    (copies, promise)
}

/// Looks at ArangoDB and at the active generation's database; returns the server's version.
async fn examine_arango(
    settings: &Settings,
    view: &View,
    findings: &mut Vec<Finding>,
) -> anyhow::Result<Option<String>> {
    let Some(databases) = Databases::of(settings)? else {
        return Ok(None);
    };
    let own = Rules::new(settings)?;
    let active = view.active_id();
    let rules = view.generations.get(&active).map_or(own.clone(), |record| own.reading(record));
    let mut tell = |setting: &str, found: String, expected: &str, remedy: &str| {
        let (setting, expected, remedy) = (setting.into(), expected.into(), remedy.into());
        findings.push(Finding { severity: Severity::Warning, setting, found, expected, remedy });
    };
    let version = match databases.server.server().await {
        Ok(server) => server.version,
        Err(failure) => {
            let remedy = "look at arango.url, arango.user, the password, and whether it runs; until \
                          then events wait in the log";
            tell("ArangoDB", failure.to_string(), "answering, 3.12 or newer", remedy);
            return Ok(None);
        }
    };
    if let Some(obstacle) = databases.obstacle(active, &rules).await {
        tell("the active generation", obstacle, "writable", "do what it says");
    }
    Ok(Some(version))
}
