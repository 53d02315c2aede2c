//! Asks who is there, and for what the whole is judged by.

use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::judge::{Expected, judge};
use super::member::Member;
use crate::app::options;
use crate::config::Settings;
use crate::generation::Generations;
use crate::stream::{Finding, KvStore, Nats};

pub(super) const MEMBER: &str = "member.";

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// All processes that tell of themselves, in the order of their names.
#[derive(Debug, Serialize)]
pub struct Census {
    pub members: Vec<Member>,
    /// Keys that a newer weir, or somebody else, has written.
    pub unreadable: Vec<String>,
    pub findings: Vec<Finding>,
}

/// Asks a server who works on its log; changes nothing. Whom NATS does not reach is not there.
pub async fn census(settings: &Settings, url: &str) -> anyhow::Result<Census> {
    let nats = Nats::connect(options::nats(settings, url, "fleet")).await?;
    tokio::time::timeout(CONNECT_DEADLINE, nats.connected()).await.with_context(|| {
        format!("no NATS server at {url} lets us in: is it running, and is the login right?")
    })?;
    let replicas = settings.nats.replicas;
    let view = Generations::new(KvStore::new(nats.clone(), replicas).await, None).read().await;
    let active = view.ok().and_then(|view| {
        let active = view.active_id();
        view.generations.get(&active).map(|record| record.fingerprint.clone())
    });
    let told = KvStore::jobs(nats, replicas).await.entries_with_times(MEMBER).await?;
    let (mut members, mut unreadable) = (Vec::new(), Vec::new());
    for (key, (value, stored_ms)) in told {
        match serde_json::from_slice::<Member>(&value) {
            Ok(member) => members.push((member, stored_ms)),
            Err(_) => unreadable.push(key),
        }
    }
    let expected = Expected { database: settings.arango.url.is_some(), fingerprint: active };
    let findings = judge(&members, &expected);
    let members = members.into_iter().map(|(member, _)| member).collect();
    Ok(Census { members, unreadable, findings })
}
