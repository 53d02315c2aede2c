//! Attacks over HTTP/2, frame by frame.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::support::client::PATIENCE;
use crate::support::tls::Authority;
use crate::support::weir::Weir;

use super::raw::{address, impatient, memory, still_serves};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `GET https /`, by the static table, and an authority.
const GET: &[u8] = b"\x82\x87\x84\x41\x04weir";
/// `POST https /ingest`.
const POST: &[u8] = b"\x83\x87\x44\x07/ingest\x41\x04weir";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Whole frames that came, and whether the connection was closed after them.
struct Heard {
    frames: Vec<(u8, u32, Vec<u8>)>,
    closed: bool,
}

impl Heard {
    fn has(&self, kind: u8) -> bool {
        self.frames.iter().any(|(other, _, _)| *other == kind)
    }
}

struct Attacker(TlsStream<TcpStream>);

impl Attacker {
    async fn greet(authority: &Authority, weir: &Weir) -> Self {
        let mut stream = authority.connect(&address(weir), &[b"h2"]).await;
        stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
        Self(stream)
    }

    /// Sends until it is done or the server has had enough.
    async fn send(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            if self.0.write_all(&frame).await.is_err() {
                return;
            }
        }
        self.0.flush().await.ok();
    }

    /// Reads until the server closes.
    async fn rest(mut self) -> Heard {
        let (mut all, mut piece) = (Vec::new(), vec![0; 16 * 1024]);
        let closed = loop {
            match timeout(PATIENCE, self.0.read(&mut piece)).await {
                Ok(Ok(0) | Err(_)) => break true,
                Ok(Ok(length)) => all.extend_from_slice(&piece[..length]),
                Err(_) => break false,
            }
        };
        let (mut frames, mut left) = (Vec::new(), &all[..]);
        while let Some((head, after)) = left.split_first_chunk::<9>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, after)) = after.split_at_checked(length) else { break };
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            frames.push((head[3], stream, payload.to_vec()));
            left = after;
        }
        Heard { frames, closed }
    }
}

async fn site() -> (Authority, Weir) {
    let authority = Authority::new();
    let pair = authority.issue("public");
    let weir = impatient(Weir::dev()).tls(&authority, &pair).start().await;
    (authority, weir)
}

/// Numbers of a client's streams.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_end_their_connection_and_nothing_else() {
    let (authority, weir) = site().await;
    let before = weir.client().settled().await["wal"]["highWater"].clone();
    let resets = streams(50_000).map(|stream| {
        let opened = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
        [opened, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    let uploads = streams(50_000).map(|stream| {
        let opened = frame(HEADERS, END_HEADERS, stream, POST);
        [opened, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    // A literal header that is not indexed, again and again.
    let header = [&b"\x00\x01x\x7f\xa1\x1f"[..], &[b'a'; 4_128]].concat();
    let continued = std::iter::once(frame(HEADERS, END_STREAM, 1, GET))
        .chain((0..50_000).map(|_| frame(CONTINUATION, 0, 1, &header)));
    let empty = std::iter::once(frame(HEADERS, END_STREAM, 1, GET))
        .chain((0..200_000).map(|_| frame(CONTINUATION, 0, 1, &[])));
    let bomb = {
        // One large header in the dynamic table, named a thousand times.
        let entry = [&b"\x40\x01x\x7f\x81\x1e"[..], &[b'a'; 3_968]].concat();
        let block = [GET, &entry, &[0xbe; 8_000]].concat();
        std::iter::once(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block))
    };
    let first = frame(PING, 0, 0, &[0; 4]);
    let floods: Vec<(&str, Box<dyn Iterator<Item = Vec<u8>> + Send>)> = vec![
        ("rapid resets", Box::new(resets)),
        ("rapid resets of uploads", Box::new(uploads)),
        ("an endless head", Box::new(continued)),
        ("an endless head of nothing", Box::new(empty)),
        ("a ping of the wrong size", Box::new(std::iter::once(first))),
        ("data of no stream", Box::new(std::iter::once(frame(DATA, 0, 0, b"x")))),
        ("a stream of the server", Box::new(std::iter::once(frame(HEADERS, 5, 2, GET)))),
        ("a frame that is too large", Box::new(std::iter::once(frame(DATA, 0, 1, &[0; 70_000])))),
    ];
    let memory_before = memory(&weir);
    for (name, frames) in floods {
        let mut attacker = Attacker::greet(&authority, &weir).await;
        attacker.send(frames).await;
        let heard = attacker.rest().await;
        assert!(heard.closed, "{name}");
        still_serves(&weir, name).await;
    }
    let mut attacker = Attacker::greet(&authority, &weir).await;
    attacker.send(bomb).await;
    let heard = attacker.rest().await;
    let refused = |(kind, stream, payload): &(u8, u32, Vec<u8>)| {
        // 431 as the static table has no number for it, or the stream's end.
        *stream == 1 && (*kind == RST_STREAM || *kind == HEADERS && !payload.starts_with(&[0x88]))
    };
    assert!(heard.closed && (heard.has(GOAWAY) || heard.frames.iter().any(refused)));
    let grown = memory(&weir).saturating_sub(memory_before);
    assert!(grown < 100, "{grown} MiB more");
    let after = weir.client().settled().await["wal"]["highWater"].as_u64().unwrap();
    assert_eq!(after, before.as_u64().unwrap() + 8, "only the honest ones are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_requests_or_a_reader_ends() {
    let (authority, weir) = site().await;
    // Nothing after the handshake; nothing after the greeting; answers that are never let through.
    let silent = Attacker(authority.connect(&address(&weir), &[b"h2"]).await);
    let greeted = Attacker::greet(&authority, &weir).await;
    let mut closed_window = Attacker(authority.connect(&address(&weir), &[b"h2"]).await);
    let no_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    closed_window.send([[PREFACE, &no_window].concat()]).await;
    let health = b"\x82\x87\x44\x07/health\x41\x04weir";
    closed_window
        .send(streams(50).map(|stream| frame(HEADERS, END_STREAM | END_HEADERS, stream, health)))
        .await;
    for (name, attacker) in
        [("silent", silent), ("greeted", greeted), ("a closed window", closed_window)]
    {
        let heard = timeout(Duration::from_secs(10), attacker.rest()).await;
        assert!(heard.is_ok_and(|heard| heard.closed), "{name}");
    }
    still_serves(&weir, "connections without requests").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_body_ends_its_stream_and_a_hidden_host_is_refused() {
    let (authority, weir) = site().await;
    let mut attacker = Attacker::greet(&authority, &weir).await;
    attacker.send([frame(HEADERS, END_HEADERS, 1, POST)]).await;
    attacker.send([frame(DATA, 0, 1, b"{")]).await;
    // No authority and no host; an authority and another host.
    attacker.send([frame(HEADERS, END_STREAM | END_HEADERS, 3, b"\x82\x87\x84")]).await;
    let other = [GET, b"\x66\x05other"].concat();
    attacker.send([frame(HEADERS, END_STREAM | END_HEADERS, 5, &other)]).await;
    let heard = attacker.rest().await;
    assert!(heard.closed);
    let head = |stream: u32| {
        let of = heard.frames.iter().find(|(kind, of, _)| *kind == HEADERS && *of == stream);
        of.map(|(_, _, head)| head.clone()).unwrap_or_default()
    };
    // `:status` by its number and 408 in Huffman's code; 400 has a number of its own.
    assert!(head(1).starts_with(b"\x48\x83\x68\x0f\x7f"), "{:?}", head(1));
    assert!(head(3).starts_with(&[0x8c]), "{:?}", head(3));
    assert!(head(5).starts_with(&[0x8c]), "{:?}", head(5));
    still_serves(&weir, "a stalled stream").await;
}
