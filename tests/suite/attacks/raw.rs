//! One side of a raw connection, and a weir that soon loses patience.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::weir::{Builder, Weir};

/// Has a weir wait no longer than a test wants to.
pub fn impatient(weir: Builder) -> Builder {
    weir.set("gateway.head_timeout", "1s")
        .set("gateway.chunk_timeout", "1s")
        .set("gateway.body_timeout", "4s")
}

/// The address of the public listener.
pub fn address(weir: &Weir) -> String {
    let url = weir.client().public_url().to_owned();
    url.trim_start_matches("https://").trim_start_matches("http://").to_owned()
}

/// What came back until the server closed.
#[derive(Debug)]
pub struct Came {
    pub text: String,
    /// The connection was ended by the server, in whatever way.
    pub closed: bool,
}

impl Came {
    /// The status of the first answer, 0 without one.
    pub fn status(&self) -> u16 {
        let code = self.text.strip_prefix("HTTP/1.1 ").or(self.text.strip_prefix("HTTP/1.0 "));
        code.and_then(|rest| rest.get(..3)).map_or(0, |code| code.parse().expect("a status"))
    }

    /// How many answers came.
    pub fn answers(&self) -> usize {
        self.text.matches("HTTP/1.").count()
    }
}

/// Reads until the server closes, or until it has been silent for too long.
pub async fn rest(stream: &mut TcpStream) -> Came {
    let mut all = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    let closed = loop {
        match timeout(PATIENCE, stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(length)) => all.extend_from_slice(&piece[..length]),
            Err(_) => break false,
        }
    };
    Came { text: String::from_utf8_lossy(&all).into_owned(), closed }
}

/// Sends all of it and reads what comes.
pub async fn exchange(address: &str, bytes: &[u8]) -> Came {
    let mut stream = TcpStream::connect(address).await.expect("weir listens");
    // The server may close before all is sent.
    stream.write_all(bytes).await.ok();
    rest(&mut stream).await
}

/// Sends the first part at once and then a byte now and then, until the server has had enough.
pub async fn drip(address: &str, first: &[u8], byte: u8) -> Came {
    let mut stream = TcpStream::connect(address).await.expect("weir listens");
    stream.write_all(first).await.expect("the first part is taken");
    let (mut reading, mut writing) = stream.into_split();
    let dripping = tokio::spawn(async move {
        let mut clock = tokio::time::interval(Duration::from_millis(200));
        while writing.write_all(&[byte]).await.is_ok() {
            clock.tick().await;
        }
    });
    let mut all = Vec::new();
    let read = timeout(PATIENCE, reading.read_to_end(&mut all)).await;
    dripping.abort();
    Came { text: String::from_utf8_lossy(&all).into_owned(), closed: read.is_ok() }
}

/// Holds that producers are served as before. One whose idle connection ends at this moment sends again.
pub async fn still_serves(weir: &Weir, after: &str) {
    let (client, body) = (weir.client(), event("viewed", "honest", "i").to_string());
    let answer = eventually("an answer after an attack", PATIENCE, async || {
        client.try_post("application/json", body.clone()).await.ok()
    })
    .await;
    assert_eq!(answer.status, 202, "after {after}: {}", answer.body);
}

/// How much memory the process holds, in MiB.
pub fn memory(weir: &Weir) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", weir.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is told");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024
}
