//! `weir streams`: the streams and buckets in NATS, made by whoever may before those come who may not.

use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use super::beside::Beside;
use super::options;
use crate::config::Settings;
use crate::stream::{Copies, EnsureError, EventLog, KvStore, Nats, QueueError, copies};

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How long a cluster may take until it can place streams: it has just been started.
const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Makes what is missing, changes what differs and can be changed, and gives each as many copies as are set; never
/// fewer than it has. Returns what there is then.
pub async fn make_streams(settings: &Settings) -> anyhow::Result<Vec<Copies>> {
    let url = settings.nats.url.as_deref().context(
        "name the NATS server with --nats-url: one that weir dev starts as a child gets its streams from it",
    )?;
    let nats = Nats::connect(options::nats(settings, url, "streams")).await?;
    tokio::time::timeout(CONNECT_DEADLINE, nats.connected()).await.with_context(|| {
        format!("no NATS server at {url} lets us in: is it running, and is the login right?")
    })?;
    let end = Instant::now() + DEADLINE;
    while let Err((error, again)) = Box::pin(make_all(settings, &nats)).await {
        if !again || Instant::now() > end {
            return Err(error);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(copies(&nats).await)
}

/// Fails with whether the same again may help.
async fn make_all(settings: &Settings, nats: &Nats) -> Result<(), (anyhow::Error, bool)> {
    let queue = |error: QueueError| {
        let again = error.is_retryable();
        (anyhow::Error::new(error), again)
    };
    let ensure = |error: EnsureError| {
        let again = error.is_retryable();
        (anyhow::Error::new(error), again)
    };
    EventLog::new(nats.clone(), options::log(settings, None))
        .await
        .ensure()
        .await
        .map_err(ensure)?;
    let beside = Beside::over(settings, nats.clone()).await;
    beside.retry.ensure().await.map_err(queue)?;
    beside.parked.ensure().await.map_err(queue)?;
    let replicas = settings.nats.replicas;
    let buckets = [
        beside.kv,
        KvStore::jobs(nats.clone(), replicas).await,
        KvStore::keys_of_producers(nats.clone(), replicas).await,
    ];
    for bucket in buckets {
        bucket.ensure().await.map_err(queue)?;
    }
    Ok(())
}
