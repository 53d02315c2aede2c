//! A connection to NATS that is kept up for as long as anybody holds it.
//!
//! Whether it is up is polled as well as told, because the client may lose its events. What a
//! reconnection is, is decided by the connection's identity at the server, so that none is missed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{
    Client, ClientError, ConnectErrorKind, ConnectOptions, Event, ReconnectToServer, Server,
    ServerInfo,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::stream::credentials::{Credentials, Refusal, Shown};
use crate::stream::patience::Patience;
use crate::stream::rotation;
use crate::stream::server::{TooOld, check_version};

/// Half-open connections are noticed after three missed pings of this interval.
const PING_INTERVAL: Duration = Duration::from_secs(3);
/// How often the state is looked at beside the client's events.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// The longest wait between two attempts to connect.
const RECONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long a server may take to shake hands: one that is cut off answers nothing, and others may be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How to connect.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `nats://host:port`, several with commas between them; `tls://` for TLS. Holds no credentials.
    pub url: String,
    /// The name the server shows for this connection.
    pub name: String,
    /// Who weir is to the server.
    pub credentials: Credentials,
    /// Certificates (PEM) of the authority that the server's own comes from; makes TLS a must.
    pub ca_file: Option<PathBuf>,
}

/// Why no connection can be begun.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is none.
    #[error("cannot connect to {url:?}: {source}")]
    Url { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// The URL would show its credentials wherever it is shown.
    #[error(
        "the NATS URL holds a user or a password: take them out of it (everything before the `@`), and give \
         the user by name and the password or token in a file"
    )]
    UserInfo,
    /// The credentials file holds none, or cannot be read.
    #[error("the NATS credentials cannot be used: {0}")]
    Credentials(std::io::Error),
    /// The authority's certificates cannot be read.
    #[error("the NATS certificate file {path} cannot be read: {error}")]
    CaFile { path: PathBuf, error: std::io::Error },
}

/// Whether the connection is up now, and how often it came up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Whether the server can be reached now.
    pub connected: bool,
    /// How many times the connection was made. A change means that anything may have happened in between.
    pub times: u64,
    /// Why the server does not let weir in; it is tried again all the time.
    pub refused: Option<Refusal>,
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
    patience: Arc<Mutex<Patience>>,
    /// Set while the next connection shall be to another server.
    elsewhere: Arc<AtomicBool>,
    _watcher: Arc<DropGuard>,
}

impl Nats {
    /// Begins to connect and returns at once; the connection is made, and made again, in the background.
    ///
    /// One connection each for reading, publishing and control keeps them from waiting for each other:
    /// a connection parses and writes in one task.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        if options.url.contains('@') {
            return Err(ConnectError::UserInfo);
        }
        let (events, told) = mpsc::channel(16);
        let (shown, elsewhere) = (Shown::default(), Arc::<AtomicBool>::default());
        let Options { url, name, .. } = options.clone();
        let leaving = elsewhere.clone();
        let client = connect_options(options.clone(), shown.clone())?
            .retry_on_initial_connect()
            .event_callback(move |event| {
                let events = events.clone();
                async move {
                    // A full channel loses the event and not what it says: the watcher looks for itself.
                    events.try_send(event).ok();
                }
            })
            .reconnect_to_server_callback(move |servers, last| {
                let chosen = leaving.swap(false, Ordering::AcqRel).then(|| other(servers, &last));
                std::future::ready(chosen.flatten())
            })
            .connect(url.split(',').map(str::trim).collect::<Vec<_>>().as_slice())
            .await
            .map_err(|error| ConnectError::Url { url, source: error.into() })?;
        let (link_sender, link) = watch::channel(Link::default());
        let token = CancellationToken::new();
        let following = rotation::follow(client.clone(), options, shown.clone(), token.clone());
        tokio::spawn(following);
        let watcher = Watcher { client: client.clone(), name, shown, refused: None };
        tokio::spawn(watcher.watch(told, link_sender, token.clone()));
        let (patience, watcher) = (Arc::default(), Arc::new(token.drop_guard()));
        Ok(Self { client, link, patience, elsewhere, _watcher: watcher })
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

    /// Takes in whether the server serves JetStream: it answered, and it knows of a leader. After a while in which it
    /// did not, or stored nothing, another one is tried, if there are several: one that is cut off keeps its
    /// connections.
    pub(super) async fn heard(&self, serves: bool) {
        let now = Instant::now();
        let connected = self.link.borrow().connected;
        let is_over = self.with_patience(|patience| {
            patience.asked(serves || !connected, now);
            patience.is_over(now) && connected
        });
        if is_over && self.has_several_servers().await {
            let server = self.server().map_or_else(String::new, |server| server.name);
            tracing::warn!(
                server,
                "the server is cut off, or does not serve: connecting to another one"
            );
            self.elsewhere.store(true, Ordering::Release);
            self.client.force_reconnect().await.ok();
        }
    }

    /// Takes in whether a publish was decided on, stored or refused.
    pub(super) fn published(&self, decided: bool, at: Instant) {
        self.with_patience(|patience| patience.published(decided, at));
    }

    fn with_patience<T>(&self, with: impl FnOnce(&mut Patience) -> T) -> T {
        with(&mut self.patience.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One that is cut off tells of no others any more; the client remembers those it was given.
    async fn has_several_servers(&self) -> bool {
        let asked = tokio::time::timeout(CONNECT_TIMEOUT, self.client.server_pool()).await;
        matches!(asked, Ok(Ok(servers)) if servers.len() > 1)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

/// How to connect, but for what becomes of the connection.
pub(super) fn connect_options(
    options: Options,
    shown: Shown,
) -> Result<ConnectOptions, ConnectError> {
    let Options { name, credentials, ca_file, .. } = options;
    let mut begun = credentials.options(shown).map_err(ConnectError::Credentials)?;
    if let Some(path) = ca_file {
        std::fs::read(&path).map_err(|error| ConnectError::CaFile { path: path.clone(), error })?;
        begun = begun.add_root_certificates(path).require_tls(true);
    }
    let connecting = begun
        .name(&name)
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECT_TIMEOUT)
        .reconnect_delay_callback(|attempts| {
            reconnect_delay(attempts, getrandom::u64().unwrap_or_default())
        });
    Ok(connecting)
}

/// Grows from 10 ms on, and spreads over half to all of it, so that those whose server has ended do not all come to
/// the others at once. `random` is from the whole range of numbers.
fn reconnect_delay(attempts: usize, random: u64) -> Duration {
    let exponent = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let longest = Duration::from_millis(10 * (1 << exponent)).min(RECONNECT_LIMIT);
    longest.mul_f64(0.5 + 0.5 * (random as f64 / u64::MAX as f64))
}

/// Chooses a server that is not the one of the last connection; `None` leaves the choice to the client.
fn other(servers: Vec<Server>, last: &ServerInfo) -> Option<ReconnectToServer> {
    let is_last =
        |server: &Server| server.addr.host() == last.host && server.addr.port() == last.port;
    let mut others: Vec<_> = servers.into_iter().filter(|server| !is_last(server)).collect();
    others.sort_by_key(|server| server.failed_attempts);
    let fewest = others.first()?.failed_attempts;
    others.retain(|server| server.failed_attempts == fewest);
    let place = getrandom::u64().unwrap_or_default() as usize % others.len();
    let addr = others.swap_remove(place).addr;
    Some(ReconnectToServer { addr, delay: None })
}

/// Follows the client's state until the last handle is gone.
struct Watcher {
    client: Client,
    name: String,
    shown: Shown,
    refused: Option<Refusal>,
}

impl Watcher {
    async fn watch(
        mut self,
        mut told: mpsc::Receiver<Event>,
        link: watch::Sender<Link>,
        token: CancellationToken,
    ) {
        let mut tick = tokio::time::interval(POLL_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut identity = None;
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                _ = tick.tick() => {}
                event = told.recv() => self.handle_event(event).await,
            }
            let now = identity_of(&self.client);
            if now.is_some() {
                self.refused = None;
                if now != identity {
                    self.shown.taken();
                }
            }
            link.send_if_modified(|link| {
                let before = *link;
                link.connected = now.is_some();
                link.refused = self.refused;
                if now.is_some() && now != identity {
                    link.times += 1;
                    identity.clone_from(&now);
                }
                *link != before
            });
        }
    }

    async fn handle_event(&mut self, event: Option<Event>) {
        let name = &self.name;
        match event {
            Some(Event::LameDuckMode) => {
                tracing::info!(
                    connection = name,
                    "the server is about to stop: connecting elsewhere"
                );
                self.client.force_reconnect().await.ok();
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
            Some(Event::ClientError(ClientError::Other(text))) => self.handle_failure(&text),
            Some(_) | None => {}
        }
    }

    /// Tells once that the server does not let us in; the attempts go on.
    fn handle_failure(&mut self, text: &str) {
        let refused = refusal(text);
        if let Some(refusal) = refused
            && refused != self.refused
        {
            let fault = self.shown.fault().unwrap_or_default();
            tracing::error!(
                connection = self.name,
                fault,
                "{refusal}: correct them; weir goes on trying and reads them again each time"
            );
        }
        self.refused = refused;
    }
}

/// Reads the client's word for why an attempt failed; it has no other form for it.
fn refusal(text: &str) -> Option<Refusal> {
    let kinds = [
        (ConnectErrorKind::AuthorizationViolation, Refusal::Credentials),
        (ConnectErrorKind::Authentication, Refusal::Unreadable),
    ];
    kinds.into_iter().find(|(kind, _)| kind.to_string() == text).map(|(_, refusal)| refusal)
}

/// The connection's name at its server, while it is up.
fn identity_of(client: &Client) -> Option<(String, u64)> {
    if client.connection_state() != State::Connected {
        return None;
    }
    client.try_server_info().map(|info| (info.server_id, info.client_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_to_reconnect_grows_up_to_its_limit() {
        let delays: Vec<_> = (0..40).map(|attempts| reconnect_delay(attempts, u64::MAX)).collect();
        assert!(delays.is_sorted());
        assert_eq!(delays[0], Duration::from_millis(10));
        assert_eq!(delays[39], RECONNECT_LIMIT);
        assert_eq!(reconnect_delay(usize::MAX, u64::MAX), RECONNECT_LIMIT);
        assert_eq!(reconnect_delay(40, 0), RECONNECT_LIMIT / 2);
    }
}
