//! Sockets that stay open while weir restarts.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::load::numbered;
use crate::support::nats::NatsServer;
use crate::support::systemd::Heard;
use crate::support::weir::Weir;

const RESTARTS: u64 = 4;
const PRODUCERS: usize = 8;

/// Sends an event over a connection of its own, and returns the answer's status line.
async fn post(address: SocketAddr, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "POST /ingest HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// Sends events until told to stop; returns what did not go as it should.
async fn produce(
    address: SocketAddr,
    user: String,
    taken: Arc<AtomicU64>,
    stop: CancellationToken,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for number in 0.. {
        if stop.is_cancelled() {
            break;
        }
        let body = numbered(&user, number).to_string();
        match tokio::time::timeout(PATIENCE, post(address, &body)).await {
            Ok(Ok(line)) if line.contains(" 202 ") => _ = taken.fetch_add(1, Ordering::Relaxed),
            other => wrong.push(format!("{other:?}")),
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_refused_while_a_gateway_restarts() {
    let server = NatsServer::start();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let address = socket.local_addr().expect("a bound socket");
    let mut gateway = Weir::gateway().nats(&server).inherits(socket).start().await;
    let (taken, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
    let mut producers = JoinSet::new();
    for number in 0..PRODUCERS {
        producers.spawn(produce(address, format!("p{number}"), taken.clone(), stop.clone()));
    }
    let grows = async |by: u64| {
        let wanted = taken.load(Ordering::Relaxed) + by;
        let grown = async || (taken.load(Ordering::Relaxed) >= wanted).then_some(());
        eventually("events are taken", PATIENCE, grown).await;
    };
    grows(100).await;
    for _ in 0..RESTARTS {
        gateway.stop().await;
        gateway.start_again().await;
        grows(100).await;
    }
    stop.cancel();
    let wrong: Vec<String> = producers.join_all().await.concat();
    let taken = taken.load(Ordering::Relaxed);
    assert!(wrong.is_empty(), "{} beside {taken} that were taken: {wrong:?}", wrong.len());
    println!(
        "{taken} events over {RESTARTS} restarts, each over a connection of its own; none was refused"
    );
    let all = |status: &serde_json::Value| status["nats"]["lastSeq"] == taken;
    gateway.client().status_when("all of them are in the stream", all).await;
    let log = gateway.log();
    assert!(log.contains("listens on the socket that systemd hands over, and not where"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_while_no_gateway_runs_is_answered_by_the_next() {
    let server = NatsServer::start();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let address = socket.local_addr().expect("a bound socket");
    let mut gateway = Weir::gateway().nats(&server).inherits(socket).start().await;
    gateway.kill();
    let waiting: JoinSet<_> = (0..20)
        .map(|number| async move { post(address, &numbered("early", number).to_string()).await })
        .collect();
    gateway.start_again().await;
    for answer in waiting.join_all().await {
        let line = answer.expect("an answer");
        assert!(line.contains(" 202 "), "{line}");
    }
}

/// Which sockets a process has open.
fn sockets(pid: i32) -> Vec<PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("our own child's files");
    open.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_all_addresses_asks_for_keys_and_stays_with_weir() {
    let heard = Heard::new(Duration::from_mins(1));
    let socket = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    let own = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let socket_link = fs::read_link(own).expect("our own socket");
    let dev = Weir::dev().set("access.mode", "auto").inherits(socket).notifies(&heard);
    let dev = dev.start().await;
    // It is configured to listen on loopback, where weir dev asks nobody.
    let answer = dev.client().post(&event("viewed", "ann", "tea")).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    let nats = dev.nats_child().expect("a nats-server child");
    assert!(sockets(dev.pid() as i32).contains(&socket_link));
    assert!(!sockets(nats.pid()).contains(&socket_link), "the child has no part in it");
    let environment = fs::read(format!("/proc/{}/environ", nats.pid())).expect("our own child's");
    let environment = String::from_utf8_lossy(&environment);
    for name in
        ["NOTIFY_SOCKET=", "WATCHDOG_USEC=", "LISTEN_FDS=", "LISTEN_PID=", "LISTEN_FDNAMES="]
    {
        assert!(!environment.contains(name), "{name}");
    }
}
