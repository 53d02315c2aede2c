//! A connection to NATS that is kept up for as long as anybody holds it.
//!
//! Whether it is up is polled as well as told, because the client may lose its events. What a
//! reconnection is, is decided by the connection's identity at the server, so that none is missed.

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::stream::access::{Access, AccessError};
use crate::stream::server::{TooOld, check_version};

/// Half-open connections are noticed after two missed pings of this interval.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// How often the state is looked at beside the client's events.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// The longest wait between two attempts to connect.
const RECONNECT_LIMIT: Duration = Duration::from_secs(1);

/// How to connect.
#[derive(Debug, Clone)]
pub struct Options {
    /// `nats://host:port`, several with commas between them.
    pub url: String,
    /// The name the server shows for this connection.
    pub name: String,
}

/// Why a connection cannot even be tried. Final: somebody has to change something.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot connect to {url:?}: {source}")]
    Url { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("cannot log in at the NATS server: {0}")]
    Access(#[from] AccessError),
}

/// Whether the connection is up now, and how often it came up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether the server can be reached now.
    pub connected: bool,
    /// How many times the connection was made. A change means that anything may have happened in between.
    pub times: u64,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The largest message it takes, in bytes.
    pub max_payload: usize,
}

/// A connection; clones share it, and it ends with the last one.
#[derive(Debug, Clone)]
pub struct Nats {
    client: Client,
    link: watch::Receiver<Link>,
    _watcher: Arc<DropGuard>,
}

impl Nats {
    /// Begins to connect and returns at once; the connection is made, and made again, in the background.
    ///
    /// One connection each for reading, publishing and control keeps them from waiting for each other:
    /// a connection parses and writes in one task.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        Self::connect_as(options, &Access::default()).await
    }

    /// The same with a login.
    pub async fn connect_as(options: Options, access: &Access) -> Result<Self, ConnectError> {
        let (events, told) = mpsc::channel(16);
        let client = connect_options(&options, access.connect_options()?, events)
            .connect(options.url.split(',').map(str::trim).collect::<Vec<_>>().as_slice())
            .await
            .map_err(|error| ConnectError::Url {
                url: options.url.clone(),
                source: error.into(),
            })?;
        let (link_sender, link) = watch::channel(Link::default());
        let token = CancellationToken::new();
        tokio::spawn(watch_link(client.clone(), options.name, told, link_sender, token.clone()));
        Ok(Self { client, link, _watcher: Arc::new(token.drop_guard()) })
    }

    /// Returns a watch of the connection's state.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Waits until the connection is up.
    pub async fn connected(&self) -> Link {
        let mut link = self.link.clone();
        if let Ok(link) = link.wait_for(|link| link.connected).await {
            return *link;
        }
        // The watcher ends only with the last handle, and this is one.
        std::future::pending().await
    }

    /// Returns what the server last connected to says of itself; `None` before the first connection.
    pub fn server(&self) -> Option<ServerFacts> {
        self.client.try_server_info().map(|info| ServerFacts {
            name: info.server_name,
            version: info.version,
            max_payload: info.max_payload,
        })
    }

    /// Refuses a server that is too old to keep the promises; unknown before the first connection.
    pub fn check_server(&self) -> Result<(), TooOld> {
        self.server().map_or(Ok(()), |server| check_version(&server.version))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

fn connect_options(
    options: &Options,
    begun: ConnectOptions,
    events: mpsc::Sender<Event>,
) -> ConnectOptions {
    begun
        .name(&options.name)
        .retry_on_initial_connect()
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            let events = events.clone();
            async move {
                // A full channel loses the event and not what it says: the watcher looks for itself.
                events.try_send(event).ok();
            }
        })
}

fn reconnect_delay(attempts: usize) -> Duration {
    let exponent = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    Duration::from_millis(5 * (1 << exponent)).min(RECONNECT_LIMIT)
}

/// Follows the client's state until the last handle is gone.
async fn watch_link(
    client: Client,
    name: String,
    mut told: mpsc::Receiver<Event>,
    link: watch::Sender<Link>,
    token: CancellationToken,
) {
    let mut tick = tokio::time::interval(POLL_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut identity = None;
    let mut complaint = String::new();
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            _ = tick.tick() => {}
            event = told.recv() => match event {
                Some(Event::ClientError(error)) => complain(&name, &error.to_string(), &mut complaint),
                event => handle_event(&client, &name, event).await,
            },
        }
        let now = identity_of(&client);
        link.send_if_modified(|link| {
            let before = *link;
            link.connected = now.is_some();
            if now.is_some() && now != identity {
                link.times += 1;
                identity.clone_from(&now);
            }
            *link != before
        });
    }
}

/// The connection's name at its server, while it is up.
fn identity_of(client: &Client) -> Option<(String, u64)> {
    if client.connection_state() != State::Connected {
        return None;
    }
    client.try_server_info().map(|info| (info.server_id, info.client_id))
}

/// Tells what keeps the client from connecting, once as long as it stays the same.
fn complain(name: &str, error: &str, before: &mut String) {
    if before != error {
        tracing::warn!(connection = name, %error, "the client cannot do its work; it goes on trying");
        error.clone_into(before);
    }
}

async fn handle_event(client: &Client, name: &str, event: Option<Event>) {
    match event {
        Some(Event::LameDuckMode) => {
            tracing::info!(connection = name, "the server is about to stop: connecting elsewhere");
            client.force_reconnect().await.ok();
        }
        Some(Event::SlowConsumer(_)) => {
            tracing::warn!(
                connection = name,
                "messages were dropped before they were read; they are read again"
            );
        }
        Some(Event::ServerError(error)) => {
            tracing::warn!(connection = name, %error, "the server complains");
        }
        Some(event @ (Event::Connected | Event::Disconnected)) => {
            tracing::info!(connection = name, %event, "the link changed");
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_to_reconnect_grows_up_to_its_limit() {
        let delays: Vec<_> = (0..40).map(reconnect_delay).collect();
        assert!(delays.is_sorted());
        assert_eq!(delays[0], Duration::from_millis(5));
        assert_eq!(delays[39], RECONNECT_LIMIT);
        assert_eq!(reconnect_delay(usize::MAX), RECONNECT_LIMIT);
    }
}
