//! Raw-socket tests: each point of the server's hardening, as a hostile or broken client meets it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::body::{BodyLimits, read_body};
use super::budget::BodyBudget;
use super::client::ClientAddress;
use super::edge::App;
use super::forwarded::{ForwardedBy, Proxies};
use super::listener::bind;
use super::serve::{Drained, ServeOptions, serve};

const PATIENCE: Duration = Duration::from_secs(10);
const GET: &[u8] = b"GET /ok HTTP/1.1\r\nHost: weir\r\n\r\n";

/// A served router; the gate holds back `/slow`.
struct Site {
    address: SocketAddr,
    shutdown: CancellationToken,
    ended: JoinHandle<Drained>,
    entered: Arc<Notify>,
    gate: Arc<Notify>,
}

fn quick() -> ServeOptions {
    ServeOptions {
        head_timeout: Duration::from_millis(200),
        drain_deadline: Duration::from_secs(5),
        ..ServeOptions::default()
    }
}

fn patient() -> ServeOptions {
    ServeOptions { head_timeout: Duration::from_mins(1), ..quick() }
}

impl Site {
    async fn start(options: ServeOptions) -> Self {
        let (entered, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (entered, gate) = (entered.clone(), gate.clone());
            async move || {
                entered.notify_one();
                gate.notified().await;
                "slow"
            }
        };
        let router = Router::new()
            .route("/ok", get(async || "ok"))
            .route("/slow", get(slow))
            .route("/body", post(echo_length))
            .route("/who", get(async |Extension(who): Extension<ClientAddress>| who.0.to_string()))
            .route("/panic", get(panics))
            .route("/big", get(async || vec![b'x'; 64 * 1024 * 1024]));
        let app = App::new(router).fast_path(
            |request| request.uri().path().starts_with("/fast"),
            |request, client| Box::pin(async move { fast(&request, client) }),
        );
        let bound = bind("127.0.0.1:0").await.unwrap();
        let address = bound.address();
        let shutdown = CancellationToken::new();
        let ended = tokio::spawn(serve(bound, app, options, shutdown.clone()));
        Self { address, shutdown, ended, entered, gate }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes` on a connection of its own and returns all that comes until the server closes it.
    async fn until_close(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await
    }
}

async fn echo_length(request: axum::extract::Request) -> Response {
    let limits = BodyLimits {
        max_bytes: 1000,
        chunk_deadline: Duration::from_millis(200),
        total_deadline: Duration::from_millis(500),
        min_rate: 0,
    };
    match read_body(request.into_body(), limits, &BodyBudget::default()).await {
        Ok((body, _)) => body.len().to_string().into_response(),
        Err(error) => error.into_response(),
    }
}

fn fast<B>(request: &http::Request<B>, client: ClientAddress) -> Response {
    let who = request.uri().path().ends_with("who");
    Response::new(Body::from(if who { client.0.to_string() } else { "fast".to_owned() }))
}

async fn panics() -> &'static str {
    assert_eq!(1, 2, "on purpose");
    "never"
}

/// Reads until the server closes; a reset counts as a close.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .expect("the server closes the connection");
        match read {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&all).into_owned(),
            Ok(length) => all.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Reads until `end` was seen.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = String::new();
    let mut buffer = [0; 4096];
    while !all.contains(end) {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await;
        let length = read.expect("the answer comes").unwrap();
        assert_ne!(length, 0, "closed after {all:?}");
        all.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    all
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let site = Site::start(quick()).await;
    let start = Instant::now();
    assert_eq!(site.until_close(b"").await, "");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn half_a_head_and_a_dripping_head_are_closed() {
    let site = Site::start(quick()).await;
    assert_eq!(site.until_close(b"GET /ok HTTP/1.1\r\nHos").await, "");
    let mut stream = site.connect().await;
    let start = Instant::now();
    while stream.write_all(b"G").await.is_ok() {
        assert!(start.elapsed() < PATIENCE, "a dripping head is never closed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let site = Site::start(quick()).await;
    let answer = site.until_close(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("ok"), "{answer}");
}

#[tokio::test]
async fn a_connection_serves_several_requests_also_pipelined() {
    let site = Site::start(patient()).await;
    let mut stream = site.connect().await;
    stream.write_all(GET).await.unwrap();
    until(&mut stream, "\r\n\r\nok").await;
    let two = [GET, b"GET /fast HTTP/1.1\r\nHost: weir\r\n\r\n"].concat();
    stream.write_all(&two).await.unwrap();
    let answers = until(&mut stream, "fast").await;
    assert_eq!(answers.matches("200 OK").count(), 2, "{answers}");
}

#[tokio::test]
async fn http_1_1_needs_exactly_one_host() {
    let site = Site::start(patient()).await;
    for request in [
        "GET /ok HTTP/1.1\r\n\r\n",
        "GET /fast HTTP/1.1\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ] {
        let answer = site.until_close(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("\"code\":\"host_required\""), "{answer}");
    }
    let old = site.until_close(b"GET /ok HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
}

#[tokio::test]
async fn a_request_with_both_length_and_transfer_encoding_is_answered_then_closed() {
    let site = Site::start(patient()).await;
    let request = b"POST /body HTTP/1.1\r\nHost: weir\r\nContent-Length: 4\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /ok HTTP/1.1\r\nHost: weir\r\n\r\n";
    let answer = site.until_close(request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "smuggled: {answer}");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let site = Site::start(patient()).await;
    let many = "x: 1\r\n".repeat(200);
    let many = format!("GET /ok HTTP/1.1\r\nHost: weir\r\n{many}\r\n");
    let large = format!("GET /ok HTTP/1.1\r\nHost: weir\r\nx: {}\r\n\r\n", "a".repeat(70_000));
    let over = format!("GET /ok HTTP/1.1\r\nHost: weir\r\nx: {}\r\n\r\n", "a".repeat(17_000));
    for head in [many, over] {
        let answer = site.until_close(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    // Here the server closes with bytes unread, and the reset may overtake the answer.
    let answer = site.until_close(large.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");
    let under = format!(
        "GET /ok HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nx: {}\r\n\r\n",
        "a".repeat(15_000)
    );
    let answer = site.until_close(under.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn an_endless_head_is_cut_off() {
    let site = Site::start(patient()).await;
    let mut stream = site.connect().await;
    stream.write_all(b"GET /ok HTTP/1.1\r\nx: ").await.unwrap();
    let mut sent = 0;
    while stream.write_all(&[b'a'; 4096]).await.is_ok() {
        sent += 4096;
        assert!(sent < 64 * 1024 * 1024, "the server reads an endless head");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let site = Site::start(patient()).await;
    let close = "Host: weir\r\nConnection: close\r\n\r\n";
    let request = format!("GET /nothing HTTP/1.1\r\n{close}");
    let answer = site.until_close(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("\"code\":\"not_found\""), "{answer}");
    let request = format!("DELETE /ok HTTP/1.1\r\n{close}");
    let answer = site.until_close(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("allow: GET,HEAD\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"method_not_allowed\""), "{answer}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_the_connection_closed() {
    let site = Site::start(patient()).await;
    let announced = b"POST /body HTTP/1.1\r\nHost: weir\r\nContent-Length: 5000\r\n\r\n";
    let answer = site.until_close(announced).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("1000 bytes, it has 5000"), "{answer}");
    let chunk = "a".repeat(1001);
    let chunked = format!(
        "POST /body HTTP/1.1\r\nHost: weir\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{chunk}\r\n"
    );
    let answer = site.until_close(chunked.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("1000 bytes, it has more"), "{answer}");
}

#[tokio::test]
async fn a_stalled_body_is_answered_408_and_closed() {
    let site = Site::start(patient()).await;
    let request = b"POST /body HTTP/1.1\r\nHost: weir\r\nContent-Length: 10\r\n\r\nabc";
    let answer = site.until_close(request).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_ends_early_reaches_no_handler_as_whole() {
    let site = Site::start(patient()).await;
    let mut stream = site.connect().await;
    let request = b"POST /body HTTP/1.1\r\nHost: weir\r\nContent-Length: 10\r\n\r\nabc";
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(!answer.contains("200"), "{answer}");
}

#[tokio::test]
async fn connections_over_the_limits_are_answered_503_and_places_are_given_again() {
    let site = Site::start(ServeOptions { max_connections_per_peer: 2, ..patient() }).await;
    let mut first = site.connect().await;
    first.write_all(GET).await.unwrap();
    until(&mut first, "\r\n\r\nok").await;
    let mut second = site.connect().await;
    second.write_all(GET).await.unwrap();
    until(&mut second, "\r\n\r\nok").await;
    let refused = site.until_close(b"").await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("retry-after: 1"), "{refused}");
    drop(first);
    let start = Instant::now();
    let request = b"GET /ok HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n";
    while !site.until_close(request).await.contains("200 OK") {
        assert!(start.elapsed() < PATIENCE, "the place is never free again");
    }
}

#[tokio::test]
async fn a_new_connection_takes_the_place_of_a_silent_one() {
    let site = Site::start(ServeOptions { max_connections: 3, ..patient() }).await;
    let mut silent = site.connect().await;
    let mut half = site.connect().await;
    half.write_all(b"GET /ok HTTP/1.1\r\nHos").await.unwrap();
    let mut busy = site.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: weir\r\n\r\n").await.unwrap();
    timeout(PATIENCE, site.entered.notified()).await.unwrap();
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut new = site.connect().await;
        new.write_all(GET).await.unwrap();
        until(&mut new, "\r\n\r\nok").await;
        kept.push(new);
    }
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut half).await, "");
    site.gate.notify_one();
    until(&mut busy, "slow").await;
}

#[tokio::test]
async fn the_address_of_a_client_reaches_handlers_and_the_fast_path() {
    let here = "127.0.0.1/32".parse().unwrap();
    let proxies = Proxies::new([here], ForwardedBy::XForwardedFor);
    let trusting = Site::start(ServeOptions { proxies, ..patient() }).await;
    let strict = Site::start(patient()).await;
    for path in ["/who", "/fast-who"] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
        );
        assert!(trusting.until_close(request.as_bytes()).await.ends_with("\r\n203.0.113.9"));
        assert!(strict.until_close(request.as_bytes()).await.ends_with("\r\n127.0.0.1"));
    }
}

#[tokio::test]
async fn refusals_of_the_parser_are_empty_and_nothing_tells_what_serves() {
    let site = Site::start(patient()).await;
    let malformed = site.until_close(b"GET /ok HTTP/1.1\r\nHost\r\n\r\n").await;
    assert!(malformed.starts_with("HTTP/1.1 400 "), "{malformed}");
    let many = format!("GET /ok HTTP/1.1\r\nHost: weir\r\n{}\r\n", "x: 1\r\n".repeat(200));
    let many = site.until_close(many.as_bytes()).await;
    assert!(many.starts_with("HTTP/1.1 431 "), "{many}");
    for refusal in [malformed, many] {
        let (head, body) = refusal.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 0\r\n") && body.is_empty(), "{refusal}");
    }
    let close = "Host: weir\r\nConnection: close\r\n\r\n";
    for path in ["/ok", "/fast", "/nothing"] {
        let answer = site.until_close(format!("GET {path} HTTP/1.1\r\n{close}").as_bytes()).await;
        let names = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        for telling in ["server:", "x-powered-by:", "via:", "hyper", "axum", "weir/"] {
            assert!(!names.contains(telling), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_panicking_handler_ends_its_connection_alone() {
    let site = Site::start(patient()).await;
    let answer = site.until_close(b"GET /panic HTTP/1.1\r\nHost: weir\r\n\r\n").await;
    assert_eq!(answer, "");
    let mut stream = site.connect().await;
    stream.write_all(GET).await.unwrap();
    until(&mut stream, "\r\n\r\nok").await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let site =
        Site::start(ServeOptions { write_timeout: Duration::from_millis(500), ..patient() }).await;
    let mut stream = site.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: weir\r\n\r\n").await.unwrap();
    let start = Instant::now();
    // Writing tells the reset that reading is not allowed to tell here.
    while stream.write_all(b"x").await.is_ok() {
        assert!(start.elapsed() < PATIENCE, "a client that never reads is kept");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_drain_finishes_requests_in_flight_and_closes_the_idle() {
    let site = Site::start(patient()).await;
    let mut idle = site.connect().await;
    idle.write_all(GET).await.unwrap();
    until(&mut idle, "\r\n\r\nok").await;
    let mut fresh = site.connect().await;
    let mut busy = site.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: weir\r\n\r\n").await.unwrap();
    timeout(PATIENCE, site.entered.notified()).await.unwrap();
    site.shutdown.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut fresh).await, "");
    assert!(TcpStream::connect(site.address).await.is_err(), "the port is closed");
    assert!(!site.ended.is_finished(), "a request is still in flight");
    site.gate.notify_one();
    let answer = rest(&mut busy).await;
    assert!(answer.ends_with("slow"), "{answer}");
    assert_eq!(site.ended.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_drain_answers_the_first_request_that_was_on_its_way() {
    let site = Site::start(patient()).await;
    let mut early = site.connect().await;
    // Connections are accepted in order, so the one before is too.
    let mut later = site.connect().await;
    later.write_all(GET).await.unwrap();
    until(&mut later, "\r\n\r\nok").await;
    site.shutdown.cancel();
    assert_eq!(rest(&mut later).await, "", "the drain has begun");
    early.write_all(GET).await.unwrap();
    let answer = rest(&mut early).await;
    assert!(answer.ends_with("ok"), "{answer}");
    assert_eq!(site.ended.await.unwrap(), Drained { cut: 0 });
}

#[tokio::test]
async fn a_drain_cuts_what_is_left_at_its_deadline() {
    let site =
        Site::start(ServeOptions { drain_deadline: Duration::from_millis(100), ..patient() }).await;
    let mut busy = site.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: weir\r\n\r\n").await.unwrap();
    timeout(PATIENCE, site.entered.notified()).await.unwrap();
    site.shutdown.cancel();
    assert_eq!(rest(&mut busy).await, "");
    let drained = timeout(PATIENCE, site.ended).await.unwrap().unwrap();
    assert_eq!(drained, Drained { cut: 1 });
}

#[tokio::test]
async fn an_address_in_use_is_told_with_what_to_do() {
    let bound = bind("127.0.0.1:0").await.unwrap();
    let error = bind(&bound.address().to_string()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&bound.address().to_string()), "{text}");
    assert!(text.contains("choose another address"), "{text}");
}
