//! The accept loop: admits connections, has them served with deadlines, and drains them at the end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::answered::Answered;
use super::connections::{Admission, Connections, Refusal};
use super::edge::App;
use super::forwarded::Proxies;
use super::listener::Bound;
use super::protocol::Protocols;
use super::session::{Session, service};
use super::streams::note_panic;
use super::tls::{Tls, keep_fresh};
use crate::limits::{HTTP_CONNECTIONS, HTTP_CONNECTIONS_PER_PEER, PULSE_PERIOD};
use crate::pulse::Pulse;
use crate::telemetry::names;

const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const LAST_BACKOFF: Duration = Duration::from_secs(1);

/// The bounds of one listener.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Names the listener in logs and metrics.
    pub name: &'static str,
    /// Longest wait for a request's whole head; an idle keep-alive connection is closed after it too.
    pub head_timeout: Duration,
    /// Longest time that answers to a client that does not read may stay unacknowledged.
    pub write_timeout: Duration,
    /// Longest wait for requests in flight once the shutdown began.
    pub drain_deadline: Duration,
    /// Open connections of everybody.
    pub max_connections: usize,
    /// Open connections of one IPv4 address or IPv6 /64; a trusted proxy may have as many as there are.
    pub max_connections_per_peer: usize,
    /// Who may say for whom it asks.
    pub proxies: Proxies,
    /// What the accept loop shows of being alive.
    pub pulse: Pulse,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            name: "http",
            head_timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(30),
            drain_deadline: Duration::from_secs(10),
            max_connections: HTTP_CONNECTIONS,
            max_connections_per_peer: HTTP_CONNECTIONS_PER_PEER,
            proxies: Proxies::default(),
            pulse: Pulse::new("a listener"),
        }
    }
}

/// How a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections cut at the deadline, with a request or half of one still in flight; 0 is a clean end.
    pub cut: usize,
}

/// Serves until `shutdown` is cancelled, then drains: the port closes, idle connections close, requests
/// in flight finish, and what is left at the deadline is cut.
pub async fn serve(
    bound: Bound,
    app: App,
    options: ServeOptions,
    shutdown: CancellationToken,
) -> Drained {
    let (pulse, mut clock) = (options.pulse.clone(), tokio::time::interval(PULSE_PERIOD));
    let mut server = Server::new(app, bound.tls.clone(), options);
    let mut backoff = FIRST_BACKOFF;
    let mut stopped = pin!(shutdown.cancelled());
    let mut fresh = pin!(keep_fresh(bound.tls.clone()));
    loop {
        tokio::select! {
            accepted = bound.listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    backoff = FIRST_BACKOFF;
                    server.handle_connection(stream, peer);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    server.handle_exhausted(&error, backoff);
                    tokio::select! {
                        () = tokio::time::sleep(backoff) => {}
                        () = &mut stopped => break,
                    }
                    backoff = (backoff * 2).min(LAST_BACKOFF);
                }
            },
            Some(ended) = server.tasks.join_next() => server.handle_ended(ended),
            _ = clock.tick() => pulse.beat(),
            () = &mut fresh => {}
            () = &mut stopped => break,
        }
    }
    drop(bound);
    server.drain().await
}

/// Tells errors of a connection that is gone already from those of the listener (out of files, say).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

struct Server {
    app: App,
    tls: Option<Tls>,
    protocols: Protocols,
    options: ServeOptions,
    connections: Connections,
    answered: Answered,
    tasks: JoinSet<()>,
}

impl Server {
    fn new(app: App, tls: Option<Tls>, options: ServeOptions) -> Self {
        let connections =
            Connections::new(options.max_connections, options.max_connections_per_peer);
        let (protocols, answered) = (Protocols::new(&options), Answered::new(options.name));
        Self { app, tls, protocols, options, connections, answered, tasks: JoinSet::new() }
    }

    fn handle_connection(&mut self, stream: TcpStream, peer: SocketAddr) {
        let peer = peer.ip().to_canonical();
        let trusted = self.options.proxies.trusts(peer);
        let admission = match self.connections.admit(peer, trusted) {
            Ok(admission) => admission,
            Err(refusal) => return self.handle_refused(&stream, refusal),
        };
        self.show_open();
        if let Err(error) = prepare(&stream, &self.options) {
            tracing::debug!(%error, %peer, "connection ended before it was served");
            return;
        }
        let seat = admission.seat().clone();
        let proxies = trusted.then(|| self.options.proxies.clone());
        let session = Session {
            app: self.app.clone(),
            seat: seat.clone(),
            answered: self.answered.clone(),
            peer,
            proxies,
        };
        let protocols = self.protocols.clone();
        let task = match &self.tls {
            None => self.tasks.spawn(plain(stream, session, protocols, admission)),
            Some(tls) => self.tasks.spawn(tls.clone().serve(stream, session, protocols, admission)),
        };
        seat.served_by(task);
    }

    /// Says 503 as far as the fresh socket takes it, without waiting, and closes.
    fn handle_refused(&self, stream: &TcpStream, refusal: Refusal) {
        let reason = refusal.label();
        counter!(names::HTTP_CONNECTIONS_REFUSED, "listener" => self.options.name, "reason" => reason)
            .increment(1);
        if self.tls.is_some() {
            return;
        }
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
            content-length: 0\r\nconnection: close\r\n\r\n";
        if let Err(error) = stream.try_write(answer) {
            tracing::debug!(%error, reason, "connection refused without an answer");
        }
    }

    /// Out of files or memory: what is silent makes room, and the loop waits a moment.
    fn handle_exhausted(&self, error: &io::Error, wait: Duration) {
        let made_room = self.connections.give_up_one();
        let wait_ms = wait.as_millis() as u64;
        tracing::warn!(%error, wait_ms, made_room, listener = self.options.name, "cannot accept connections, will try again");
    }

    fn handle_ended(&self, ended: Result<(), JoinError>) {
        self.show_open();
        note_panic(self.options.name, ended);
    }

    fn show_open(&self) {
        let listener = self.options.name;
        gauge!(names::HTTP_CONNECTIONS_OPEN, "listener" => listener)
            .set(self.connections.open() as f64);
        counter!(names::HTTP_CONNECTIONS_GIVEN_UP, "listener" => listener)
            .absolute(self.connections.given_up());
    }

    async fn drain(mut self) -> Drained {
        self.protocols.drain.begin();
        let deadline = tokio::time::Instant::now() + self.options.drain_deadline;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.join_next()).await
        {
            self.handle_ended(ended);
        }
        let cut = self.tasks.len();
        self.tasks.shutdown().await;
        self.show_open();
        if cut > 0 {
            tracing::warn!(
                cut,
                listener = self.options.name,
                "connections cut at the drain deadline"
            );
        }
        Drained { cut }
    }
}

fn prepare(stream: &TcpStream, options: &ServeOptions) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let write_timeout = u32::try_from(options.write_timeout.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream, write_timeout)?;
    Ok(())
}

async fn plain(stream: TcpStream, session: Session, protocols: Protocols, admission: Admission) {
    protocols.serve_http1(stream, service(session)).await;
    drop(admission);
}
