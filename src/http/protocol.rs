//! The two protocols and their bounds, and how a connection of each is driven to its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::seat::Seat;
use super::serve::ServeOptions;
use super::streams::{Spawner, Streams};
use crate::limits::{
    HTTP_BUFFER_BYTES, HTTP_FIRST_REQUEST, HTTP_HEAD_BYTES, HTTP2_CONNECTION_WINDOW, HTTP2_PONG,
    HTTP2_RESETS, HTTP2_STREAM_WINDOW, HTTP2_STREAMS,
};

/// Tells connections to finish. The flag spares each wake-up of a connection the token's lock.
#[derive(Default)]
pub(super) struct Drain {
    pub begun: AtomicBool,
    pub token: CancellationToken,
}

impl Drain {
    pub fn begin(&self) {
        self.begun.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// Waits until a connection is to finish. One that has asked nothing yet is waited for a moment: its first
    /// request is on its way, and it would be closed without an answer.
    async fn reaches(&self, seat: &Seat) {
        self.token.cancelled().await;
        if seat.silence().is_some_and(|silence| silence.fresh) {
            tokio::time::sleep(HTTP_FIRST_REQUEST).await;
        }
    }
}

/// How connections of one listener are served.
#[derive(Clone)]
pub(super) struct Protocols {
    http1: http1::Builder,
    pub listener: &'static str,
    head_timeout: Duration,
    pub drain: Arc<Drain>,
}

impl Protocols {
    pub fn new(options: &ServeOptions) -> Self {
        let mut http1 = http1::Builder::new();
        // hyper's default of 100 headers stays: any other number costs an allocation a request.
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(options.head_timeout)
            .max_header_size(HTTP_HEAD_BYTES)
            .max_buf_size(HTTP_BUFFER_BYTES);
        let (listener, head_timeout) = (options.name, options.head_timeout);
        Self { http1, listener, head_timeout, drain: Arc::default() }
    }

    /// Serves one connection to its end, and asks it to finish once the drain reaches it.
    pub async fn serve_http1<I, S>(&self, io: I, service: S, seat: &Seat)
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
        S: HttpService<Incoming, ResBody = Body, Error = Infallible>,
    {
        let drain = &self.drain;
        let mut connection = pin!(self.http1.serve_connection(TokioIo::new(io), service));
        let mut drained = pin!(drain.reaches(seat));
        let (mut registered, mut asked) = (false, false);
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
        });
        tell(end.await);
    }

    /// Does the same over HTTP/2. A connection that asks nothing for the head's time is told to finish, and is cut
    /// after the same time again: neither a silent client nor one that reads no answer keeps it longer.
    pub async fn serve_http2<I, S>(&self, io: I, service: S, seat: &Seat)
    where
        I: AsyncRead + AsyncWrite + Unpin + 'static,
        S: HttpService<Incoming, ResBody = Body, Error = Infallible>,
        S::Future: Send + 'static,
    {
        let streams = Streams::new(self.listener);
        let http2 = http2(streams.spawner(), self.head_timeout);
        let mut connection = pin!(http2.serve_connection(TokioIo::new(io), service));
        tokio::select! {
            end = connection.as_mut() => return tell(end),
            () = self.drain.reaches(seat) => {}
            () = silent(seat, self.head_timeout) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            end = connection.as_mut() => tell(end),
            () = silent(seat, 2 * self.head_timeout) => {}
        }
    }
}

/// The bounds of one HTTP/2 connection. Floods of resets, pings and continuations are hyper's and h2's own to end.
fn http2(spawner: Spawner, head_timeout: Duration) -> http2::Builder<Spawner> {
    let mut http2 = http2::Builder::new(spawner);
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(HTTP_HEAD_BYTES as u32)
        .max_pending_accept_reset_streams(HTTP2_RESETS)
        .max_local_error_reset_streams(HTTP2_RESETS)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_send_buf_size(HTTP_BUFFER_BYTES)
        .keep_alive_interval(head_timeout)
        .keep_alive_timeout(HTTP2_PONG);
    http2
}

/// Waits until a connection has been silent for so long.
async fn silent(seat: &Seat, limit: Duration) {
    loop {
        let lasts = seat.silence().map_or(Duration::ZERO, |silence| silence.lasts);
        let left = limit.saturating_sub(lasts);
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

fn tell(end: Result<(), hyper::Error>) {
    if let Err(error) = end {
        tracing::debug!(%error, "connection ended early");
    }
}
