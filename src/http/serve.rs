//! The accept loop: admits connections, serves them with deadlines, and drains them at the end.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::{counter, gauge};
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::client::ClientAddress;
use super::connections::{Admission, Connections, Refusal};
use super::edge::App;
use super::listener::Bound;
use crate::limits::{
    HTTP_BUFFER_BYTES, HTTP_CONNECTIONS, HTTP_CONNECTIONS_PER_PEER, HTTP_HEAD_BYTES,
};
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
    /// Open connections of one IPv4 address or IPv6 /64.
    pub max_connections_per_peer: usize,
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
    let mut server = Server::new(app, options);
    let mut backoff = FIRST_BACKOFF;
    let mut stopped = pin!(shutdown.cancelled());
    loop {
        tokio::select! {
            accepted = bound.listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    backoff = FIRST_BACKOFF;
                    server.handle_connection(stream, peer);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    let wait_ms = backoff.as_millis() as u64;
                    tracing::warn!(%error, wait_ms, listener = server.options.name, "cannot accept connections, will try again");
                    tokio::select! {
                        () = tokio::time::sleep(backoff) => {}
                        () = &mut stopped => break,
                    }
                    backoff = (backoff * 2).min(LAST_BACKOFF);
                }
            },
            Some(ended) = server.tasks.join_next() => server.handle_ended(ended),
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
    app: Arc<App>,
    http: http1::Builder,
    options: ServeOptions,
    connections: Connections,
    tasks: JoinSet<()>,
    drain: Arc<Drain>,
}

/// Tells connections to finish. The flag spares each wake-up of a connection the token's lock.
#[derive(Default)]
struct Drain {
    begun: AtomicBool,
    token: CancellationToken,
}

impl Server {
    fn new(app: App, options: ServeOptions) -> Self {
        let mut http = http1::Builder::new();
        // hyper's default of 100 headers stays: any other number costs an allocation a request.
        http.timer(TokioTimer::new())
            .header_read_timeout(options.head_timeout)
            .max_header_size(HTTP_HEAD_BYTES)
            .max_buf_size(HTTP_BUFFER_BYTES);
        let connections =
            Connections::new(options.max_connections, options.max_connections_per_peer);
        Self {
            app: Arc::new(app),
            http,
            options,
            connections,
            tasks: JoinSet::new(),
            drain: Arc::default(),
        }
    }

    fn handle_connection(&mut self, stream: TcpStream, peer: SocketAddr) {
        let admission = match self.connections.admit(peer.ip()) {
            Ok(admission) => admission,
            Err(refusal) => return self.handle_refused(&stream, refusal),
        };
        self.show_open();
        if let Err(error) = prepare(&stream, &self.options) {
            tracing::debug!(%error, %peer, "connection ended before it was served");
            return;
        }
        let app = Arc::clone(&self.app);
        let client = ClientAddress(peer.ip().to_canonical());
        let service = service_fn(move |request| {
            let app = Arc::clone(&app);
            async move { Ok::<_, std::convert::Infallible>(app.answer(request, client).await) }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let drain = Arc::clone(&self.drain);
        self.tasks.spawn(drive(connection, drain, admission));
    }

    /// Says 503 as far as the fresh socket takes it, without waiting, and closes.
    fn handle_refused(&self, stream: &TcpStream, refusal: Refusal) {
        let reason = refusal.label();
        counter!(names::HTTP_CONNECTIONS_REFUSED, "listener" => self.options.name, "reason" => reason)
            .increment(1);
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
            content-length: 0\r\nconnection: close\r\n\r\n";
        if let Err(error) = stream.try_write(answer) {
            tracing::debug!(%error, reason, "connection refused without an answer");
        }
    }

    fn handle_ended(&self, ended: Result<(), JoinError>) {
        self.show_open();
        if let Err(error) = ended
            && error.is_panic()
        {
            counter!(names::HTTP_PANICS, "listener" => self.options.name).increment(1);
            tracing::error!(%error, listener = self.options.name, "a request handler panicked");
        }
    }

    fn show_open(&self) {
        gauge!(names::HTTP_CONNECTIONS_OPEN, "listener" => self.options.name)
            .set(self.connections.open() as f64);
    }

    async fn drain(mut self) -> Drained {
        self.drain.begun.store(true, Ordering::Release);
        self.drain.token.cancel();
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

/// Serves one connection to its end, and asks it to finish once the drain begins.
async fn drive<S>(
    connection: http1::Connection<TokioIo<TcpStream>, S>,
    drain: Arc<Drain>,
    admission: Admission,
) where
    S: hyper::service::HttpService<
            hyper::body::Incoming,
            ResBody = axum::body::Body,
            Error = std::convert::Infallible,
        >,
{
    let mut connection = pin!(connection);
    let mut drained = pin!(drain.token.cancelled());
    let mut registered = false;
    let mut asked = false;
    let end = poll_fn(|cx| {
        // Polled once to register this task's waker, and again only when the flag is up.
        if !asked && (!registered || drain.begun.load(Ordering::Acquire)) {
            registered = true;
            if drained.as_mut().poll(cx).is_ready() {
                asked = true;
                connection.as_mut().graceful_shutdown();
            }
        }
        connection.as_mut().poll(cx)
    })
    .await;
    if let Err(error) = end {
        tracing::debug!(%error, "connection ended early");
    }
    drop(admission);
}
