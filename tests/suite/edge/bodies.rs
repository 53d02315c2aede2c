//! Bodies that are packed, streamed, or more than they seem.

use std::io::{Read, Write};

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::client::{Answer, Client, event, ndjson};
use crate::support::weir::Weir;

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.expect("memory");
    encoder.shutdown().await.expect("memory");
    encoder.into_inner()
}

async fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(bytes).await.expect("memory");
    encoder.shutdown().await.expect("memory");
    encoder.into_inner()
}

async fn post(client: &Client, content_type: &str, encoding: &str, body: Vec<u8>) -> Answer {
    let request = client
        .request("POST", "/ingest")
        .header("content-type", content_type)
        .header("content-encoding", encoding)
        .body(body);
    client.send(request).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_bodies_are_unpacked() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let one = event("viewed", "u", "i").to_string();
    let many =
        ndjson(&(0..3000).map(|n| event("viewed", "many", &format!("i{n}"))).collect::<Vec<_>>());
    for (encoding, one, many) in [
        ("gzip", gzip(one.as_bytes()).await, gzip(many.as_bytes()).await),
        ("x-gzip", gzip(one.as_bytes()).await, gzip(many.as_bytes()).await),
        ("zstd", zstd(one.as_bytes()).await, zstd(many.as_bytes()).await),
        ("identity", one.clone().into_bytes(), many.clone().into_bytes()),
    ] {
        let answer = post(&client, "application/json", encoding, one).await;
        assert_eq!(answer.status, 202, "{encoding}: {}", answer.body);
        let answer = post(&client, "application/x-ndjson", encoding, many).await;
        assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(3000)), "{encoding}");
    }
    // Two members of gzip, one behind the other, are one body.
    let line = format!("{one}\n");
    let two = [gzip(line.as_bytes()).await, gzip(line.as_bytes()).await].concat();
    let answer = post(&client, "application/x-ndjson", "gzip", two).await;
    assert_eq!(answer.body["accepted"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_cut_off_and_what_is_broken_is_told_so() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let blanks = vec![b' '; 64 << 20];
    for (encoding, bomb) in [("gzip", gzip(&blanks).await), ("zstd", zstd(&blanks).await)] {
        for content_type in ["application/json", "application/x-ndjson"] {
            let answer = post(&client, content_type, encoding, bomb.clone()).await;
            assert_eq!((answer.status, &answer.body["code"]), (413, &json!("body_too_large")));
        }
    }
    let one = event("viewed", "u", "i").to_string();
    let (gzipped, zstded) = (gzip(one.as_bytes()).await, zstd(one.as_bytes()).await);
    for (encoding, body) in [
        ("gzip", one.clone().into_bytes()),
        ("zstd", one.clone().into_bytes()),
        ("gzip", gzipped[..gzipped.len() - 6].to_vec()),
        ("zstd", zstded[..zstded.len() - 3].to_vec()),
    ] {
        let answer = post(&client, "application/json", encoding, body).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (400, &json!("malformed_encoding")),
            "{encoding}"
        );
    }
    for encoding in ["br", "gzip, gzip", "deflate"] {
        let answer = post(&client, "application/json", encoding, gzipped.clone()).await;
        assert_eq!(
            (answer.status, answer.header("accept-encoding")),
            (415, "gzip, zstd"),
            "{encoding}"
        );
    }
    assert_eq!(client.status().await["wal"]["highWater"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_count_while_they_come_and_nothing_of_a_broken_body_is_stored() {
    let weir = Weir::dev().set("gateway.batch_events", "1000").start().await;
    let client = weir.client();
    let lines = |n: usize| ndjson(&vec![event("viewed", "u", "i"); n]);
    let many = client.try_post("application/x-ndjson", lines(1001)).await.expect("an answer");
    assert_eq!((many.status, &many.body["code"]), (413, &json!("too_many_events")));
    assert_eq!(
        client.try_post("application/x-ndjson", "\n \n").await.expect("an answer").body["code"],
        "empty_body"
    );
    let mut broken = std::net::TcpStream::connect(client.public_url().replace("http://", ""))
        .expect("it listens");
    let text = lines(500);
    let head = format!(
        "POST /ingest HTTP/1.1\r\nhost: h\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
        text.len() + 9
    );
    broken.write_all(head.as_bytes()).expect("it reads");
    broken.write_all(text.as_bytes()).expect("it reads");
    broken.shutdown(std::net::Shutdown::Write).expect("it is open");
    let mut answer = String::new();
    broken.read_to_string(&mut answer).expect("it answers or closes");
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert_eq!(client.status().await["wal"]["highWater"], 0);
    let fits = client.try_post("application/x-ndjson", lines(1000)).await.expect("an answer");
    assert_eq!(fits.body["accepted"], 1000);
    let status: Value = client.settled().await;
    assert_eq!(status["wal"]["highWater"], 1000);
}
