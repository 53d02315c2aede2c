//! Ten thousand connections that say nothing, while producers go on.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use crate::support::client::{Client, event};
use crate::support::eventually;
use crate::support::weir::Weir;

use super::raw::address;

const SILENT: usize = 10_000;
const PEERS: u8 = 100;
/// Connections that the attacker opens at once: fewer than any kernel queues.
const AT_ONCE: usize = 500;
/// Pause of the attacker before it opens a connection again that was closed.
const AGAIN: Duration = Duration::from_secs(2);
/// How long producers are watched, without and with the others.
const WATCHED: Duration = Duration::from_secs(5);
const TARGET: &str = "WEIR_TEST_SILENT_TARGET";

/// Runs in a process of its own, since the sockets of both sides are more than one may have.
#[test]
#[ignore = "it is the attacker of the test below, which starts it"]
fn ten_thousand_silent_connections() {
    let Ok(target) = std::env::var(TARGET) else { return };
    let target = target.parse().expect("an address");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for number in 0..SILENT {
            tokio::spawn(stays_silent(target, number as u8 % PEERS, number < SILENT / 2));
        }
        // The end of the input is the end of the process, whoever has started it.
        tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.ok();
    });
}

/// Holds a connection open, and opens it again whenever it is closed. Half of them begin a request.
async fn stays_silent(target: SocketAddr, peer: u8, begins: bool) {
    let mut told = false;
    loop {
        if let Ok(stream) = connect(target, peer).await {
            if begins {
                stream.try_write(b"POST /ingest HTTP/1.1\r\nHos").ok();
            }
            if !std::mem::replace(&mut told, true) {
                // In one write, or lines of others come between.
                std::io::stdout().write_all(b"\nopen\n").ok();
            }
            stream.readable().await.ok();
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn connect(target: SocketAddr, peer: u8) -> std::io::Result<TcpStream> {
    static ROOM: Semaphore = Semaphore::const_new(AT_ONCE);
    let _room = ROOM.acquire().await;
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 1, peer + 1)), 0).into())?;
    socket.connect(target).await
}

/// The attacker's process; it ends with this.
struct Attacker(Child);

impl Attacker {
    /// Starts it and waits until each of its connections was open once.
    fn start(target: &str) -> Self {
        let myself = std::env::current_exe().expect("the test binary");
        let name = "attacks::silent::ten_thousand_silent_connections";
        let child = Command::new(myself)
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env(TARGET, target)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("the test binary can be started");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let open = output.lines().map_while(Result::ok).filter(|line| line == "open");
        assert_eq!(open.take(SILENT).count(), SILENT, "the attacker has ended");
        Self(child)
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Posts events for a while, on one connection or on a new one each time; returns how long each took.
async fn produce(client: Client, anew: bool) -> Vec<Duration> {
    let (mut took, begin) = (Vec::new(), Instant::now());
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    while begin.elapsed() < WATCHED {
        pace.tick().await;
        let body = event("viewed", "honest", "i").to_string();
        let mut request = client.request("POST", "/ingest").body(body);
        if anew {
            request = request.header("connection", "close");
        }
        let asked = Instant::now();
        let answer = client.send(request).await.expect("a producer is answered");
        assert_eq!(answer.status, 202, "{}", answer.body);
        took.push(asked.elapsed());
    }
    took
}

/// Half of the producers keep their connections, half make a new one for each event.
async fn p99(weir: &Weir) -> (usize, Duration) {
    let tasks: Vec<_> =
        (0..8).map(|number| tokio::spawn(produce(weir.client(), number % 2 == 0))).collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("no producer fails"));
    }
    all.sort();
    (all.len(), all[all.len() * 99 / 100])
}

#[tokio::test(flavor = "multi_thread")]
async fn producers_go_on_while_ten_thousand_connections_are_silent() {
    let weir = Weir::dev().start().await;
    let (alone, without) = p99(&weir).await;
    let target = address(&weir);
    let attacker = tokio::task::spawn_blocking(move || Attacker::start(&target)).await.unwrap();
    let full = eventually("the listener is full", Duration::from_secs(20), async || {
        let metrics = weir.client().admin_request("GET", "/metrics").send().await.ok()?;
        let text = metrics.text().await.ok()?;
        let open = "weir_http_connections_open{listener=\"public\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(open))?;
        line.parse::<f64>().ok().filter(|open| *open > 8_000.0)
    });
    let open = full.await;
    let (beside, with) = p99(&weir).await;
    println!(
        "producers' p99 alone: {without:?} of {alone}; beside {open} silent connections: {with:?} of {beside}"
    );
    // A machine that is busy with other things is slow without them too.
    let most = (20 * without).max(Duration::from_secs(1));
    assert!(with < most, "{with:?}");
    drop(attacker);
}
