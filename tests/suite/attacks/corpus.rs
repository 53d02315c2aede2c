//! The table of attacks over HTTP/1.1: what is sent, and what may come of it.

use std::time::{Duration, Instant};

use crate::support::weir::Weir;

use super::raw::{Came, address, drip, exchange, impatient, still_serves};

/// What may come of an attack; the connection ends in any case.
#[derive(Debug, Clone, Copy)]
enum End {
    /// One answer.
    Answer(u16),
    /// One answer, unless the close overtakes it.
    AnswerOrClose(u16),
    /// Nothing but the close.
    Close,
}

struct Attack {
    name: &'static str,
    bytes: Vec<u8>,
    /// Sent again and again after the bytes, slowly.
    drip: Option<u8>,
    end: End,
}

fn attack(name: &'static str, bytes: impl Into<Vec<u8>>, end: End) -> Attack {
    Attack { name, bytes: bytes.into(), drip: None, end }
}

/// The head of a request with these lines, and what follows it.
fn post(lines: &str, body: &str) -> String {
    format!("POST /ingest HTTP/1.1\r\nHost: weir\r\n{lines}\r\n{body}")
}

/// A request with a body of JSON, after which the client wants the connection closed.
fn json(body: &str) -> String {
    let length = body.len();
    post(
        &format!(
            "Connection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
        ),
        body,
    )
}

/// What never comes to its end.
fn unfinished() -> Vec<Attack> {
    let dripping = |name, bytes: String, byte, end| Attack {
        name,
        bytes: bytes.into_bytes(),
        drip: Some(byte),
        end,
    };
    vec![
        attack("nothing", "", End::Close),
        attack("half a request line", "POST /ing", End::Close),
        attack("half a head", "POST /ingest HTTP/1.1\r\nHost: we", End::Close),
        attack(
            "a head without its last line",
            "GET /health HTTP/1.1\r\nHost: weir\r\n",
            End::Close,
        ),
        attack("a stalled body", post("Content-Length: 100\r\n", "{\"userId\""), End::Answer(408)),
        attack("no body", post("Content-Length: 100\r\n", ""), End::Answer(408)),
        attack(
            "a stalled chunk",
            post("Transfer-Encoding: chunked\r\n", "a\r\n{\"us"),
            End::Answer(408),
        ),
        attack(
            "a body that waits to be asked for",
            post("Expect: 100-continue\r\nContent-Length: 9\r\n", ""),
            End::Answer(100),
        ),
        dripping("a dripping head", "GET /health HTTP/1.1\r\nHost: w".into(), b'x', End::Close),
        dripping(
            "a dripping body",
            post("Content-Length: 100000\r\n", "{"),
            b' ',
            End::Answer(408),
        ),
        dripping(
            "dripping chunk extensions",
            post("Transfer-Encoding: chunked\r\n", "5;"),
            b'x',
            End::Answer(408),
        ),
    ]
}

/// What two readers would read in two ways.
fn ambiguous() -> Vec<Attack> {
    let hidden = "GET /health HTTP/1.1\r\nHost: weir\r\n\r\n";
    let get = |lines: &str| format!("GET /health HTTP/1.1\r\n{lines}\r\n{hidden}");
    vec![
        attack(
            "length and chunks",
            post(
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                &format!("1\r\n{{\r\n0\r\n\r\n{hidden}"),
            ),
            End::Answer(400),
        ),
        attack(
            "chunks and length",
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                &format!("1\r\n{{\r\n0\r\n\r\n{hidden}"),
            ),
            End::Answer(400),
        ),
        attack(
            "two lengths",
            post("Content-Length: 2\r\nContent-Length: 40\r\n", "{}"),
            End::Answer(400),
        ),
        attack("a list of lengths", post("Content-Length: 2, 40\r\n", "{}"), End::Answer(400)),
        attack("a length with a sign", post("Content-Length: +2\r\n", "{}"), End::Answer(400)),
        attack("a negative length", post("Content-Length: -1\r\n", "{}"), End::Answer(400)),
        attack(
            "a length beyond all numbers",
            post("Content-Length: 99999999999999999999999\r\n", ""),
            End::Answer(400),
        ),
        attack(
            "an unknown transfer coding",
            post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
            End::Answer(400),
        ),
        attack(
            "chunks that are not the last coding",
            post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
            End::Answer(400),
        ),
        attack(
            "a chunk without a number",
            post("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
            End::Answer(400),
        ),
        attack(
            "a chunk beyond all numbers",
            post("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n{}"),
            End::Answer(400),
        ),
        attack("a folded header", get("Host: weir\r\nX: a\r\n b\r\n"), End::Answer(400)),
        attack("a space before the colon", get("Host : weir\r\n"), End::Answer(400)),
        attack("a header without a colon", get("Host: weir\r\nX\r\n"), End::Answer(400)),
        attack("a zero in a header", get("Host: weir\r\nX: a\0b\r\n"), End::Answer(400)),
        attack("a zero in a name", get("Host: weir\r\nX\0: a\r\n"), End::Answer(400)),
        attack(
            "a lone carriage return in a header",
            get("Host: weir\r\nX: a\rb\r\n"),
            End::Answer(400),
        ),
        attack("no host", "GET /health HTTP/1.1\r\n\r\n", End::Answer(400)),
        attack("two hosts", get("Host: weir\r\nHost: other\r\n"), End::Answer(400)),
        attack(
            "another host in the target",
            "GET http://other/health HTTP/1.1\r\nHost: weir\r\n\r\n",
            End::Answer(400),
        ),
        attack(
            "a target with the same host",
            "GET http://weir/health HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n",
            End::Answer(200),
        ),
        attack(
            "a tunnel",
            "CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n",
            End::Answer(404),
        ),
        attack("HTTP/0.9", "GET /health\r\n", End::AnswerOrClose(400)),
        attack("HTTP/3 in words", "GET /health HTTP/3.0\r\nHost: weir\r\n\r\n", End::Answer(400)),
        attack("HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", End::AnswerOrClose(400)),
        attack("TLS without TLS", [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3], End::AnswerOrClose(400)),
        attack("no HTTP at all", [0xff; 64], End::AnswerOrClose(400)),
    ]
}

/// What is too large, in whatever direction.
fn oversized() -> Vec<Attack> {
    let get = |lines: &str| format!("GET /health HTTP/1.1\r\nHost: weir\r\n{lines}\r\n");
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(100_000), close.repeat(100_000));
        json(&format!(
            "{{\"userId\":\"u\",\"itemId\":\"i\",\"eventType\":\"viewed\",\"properties\":{{\"a\":{open}1{close}}}}}"
        ))
    };
    let keys: String = (0..200_000).map(|number| format!("\"k{number}\":1,")).collect();
    vec![
        attack("many headers", get(&"X: 1\r\n".repeat(500)), End::Answer(431)),
        attack(
            "a large header",
            get(&format!("X: {}\r\n", "a".repeat(70_000))),
            End::AnswerOrClose(431),
        ),
        attack(
            "an endless header",
            format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(4 << 20)),
            End::AnswerOrClose(431),
        ),
        attack(
            "a large target",
            format!("GET /{} HTTP/1.1\r\nHost: weir\r\n\r\n", "a".repeat(70_000)),
            End::AnswerOrClose(431),
        ),
        attack(
            "a body that is announced too large",
            post("Content-Length: 4294967296\r\n", ""),
            End::Answer(413),
        ),
        attack(
            "a body that becomes too large",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("{:x}\r\n{}\r\n", 6 << 20, " ".repeat(6 << 20)),
            ),
            End::AnswerOrClose(413),
        ),
        attack("a deep array", deep("[", "]"), End::Answer(400)),
        attack("a deep object", deep("{\"a\":", "}"), End::Answer(400)),
        attack("deep without an end", json(&"[".repeat(1_000_000)), End::Answer(400)),
        attack(
            "many keys",
            json(&format!(
                "{{\"userId\":\"u\",\"itemId\":\"i\",\"eventType\":\"viewed\",\"properties\":{{{keys}\"z\":1}}}}"
            )),
            End::Answer(400),
        ),
        attack(
            "a long id",
            json(&format!(
                "{{\"userId\":\"{}\",\"itemId\":\"i\",\"eventType\":\"viewed\"}}",
                "u".repeat(100_000)
            )),
            End::Answer(400),
        ),
        attack(
            "many empty events",
            json(&format!("[{}{{}}]", "{},".repeat(50_000))),
            End::Answer(413),
        ),
    ]
}

/// What no event may be made of.
fn misleading() -> Vec<Attack> {
    let of = |name, body: &str| attack(name, json(body), End::Answer(400));
    vec![
        of("a user twice", r#"{"userId":"a","userId":"b","itemId":"i","eventType":"viewed"}"#),
        of(
            "a user twice, once in escapes",
            r#"{"userId":"a","\u0075serId":"b","itemId":"i","eventType":"viewed"}"#,
        ),
        of(
            "a user under two names",
            r#"{"userId":"a","user_id":"b","itemId":"i","eventType":"viewed"}"#,
        ),
        of("a type that is a subject", r#"{"userId":"a","itemId":"i","eventType":"viewed.>"}"#),
        of(
            "a zero in an id",
            "{\"userId\":\"a\\u0000\",\"itemId\":\"i\",\"eventType\":\"viewed\"}",
        ),
        of("half a surrogate", r#"{"userId":"\ud800","itemId":"i","eventType":"viewed"}"#),
        of(
            "a number beyond all",
            r#"{"userId":"a","itemId":"i","eventType":"viewed","value":1e999}"#,
        ),
        attack(
            "bytes that are no text",
            [post("Connection: close\r\nContent-Length: 50\r\n", "").into_bytes(), vec![0xc3; 50]]
                .concat(),
            End::Answer(400),
        ),
    ]
}

async fn sent(address: &str, attack: &Attack) -> Came {
    match attack.drip {
        Some(byte) => drip(address, &attack.bytes, byte).await,
        None => exchange(address, &attack.bytes).await,
    }
}

/// Says what is wrong about an end, if something is.
fn wrong(attack: &Attack, came: &Came, took: Duration) -> Option<String> {
    let (status, answers) = (came.status(), came.answers());
    let right = match attack.end {
        // The real answer follows one that only asks for the body.
        End::Answer(100) => status == 100 && came.text.contains("HTTP/1.1 408 "),
        End::Answer(expected) => status == expected && answers == 1,
        End::AnswerOrClose(expected) => status == expected && answers == 1 || came.text.is_empty(),
        End::Close => came.text.is_empty(),
    };
    let shown: String = came.text.chars().take(300).collect();
    let (name, end) = (attack.name, attack.end);
    let told = || {
        format!("{name}: {end:?} was due, after {took:?} came {shown:?}, closed: {}", came.closed)
    };
    (!right || !came.closed || took > Duration::from_secs(10)).then(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_is_answered_or_cut_and_leaves_no_trace() {
    let weir = impatient(Weir::dev()).start().await;
    let client = weir.client();
    let before = client.settled().await["wal"]["highWater"].clone();
    let attacks = [unfinished(), ambiguous(), oversized(), misleading()];
    let mut failures = Vec::new();
    for attacks in attacks {
        let address = address(&weir);
        let all = attacks.iter().map(async |attack| {
            let begin = Instant::now();
            let came = sent(&address, attack).await;
            wrong(attack, &came, begin.elapsed())
        });
        failures.extend(futures_util::future::join_all(all).await.into_iter().flatten());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(client.settled().await["wal"]["highWater"], before, "something was kept");
    still_serves(&weir, "all of them").await;
    assert!(!weir.log().contains("panicked"), "{}", weir.log());
}
