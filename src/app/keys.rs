//! The keys as an operator makes and ends them.

use std::time::Duration;

use anyhow::Context;

use super::options;
use crate::access::Keys;
use crate::config::Settings;
use crate::stream::{KvStore, Nats};

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Connects to the keys at the server at `url` with the login that is set.
pub async fn keys_at(settings: &Settings, url: &str) -> anyhow::Result<Keys> {
    let nats = Nats::connect(options::nats(settings, url, "keys")).await?;
    tokio::time::timeout(CONNECT_DEADLINE, nats.connected()).await.with_context(|| {
        format!("no NATS server at {url} lets us in: is it running, and is the login right?")
    })?;
    nats.check_server()?;
    Ok(Keys::new(KvStore::keys_of_producers(nats, settings.nats.replicas).await))
}
