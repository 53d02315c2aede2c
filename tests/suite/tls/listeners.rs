//! The public listener over TLS: both protocols, and certificates that change while connections live.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::tls::{Authority, Pair};
use crate::support::weir::Weir;

const H2: &[&[u8]] = &[b"h2", b"http/1.1"];

fn address(weir: &Weir) -> String {
    weir.client().public_url().trim_start_matches("https://").to_owned()
}

/// The certificate that a new connection is shown.
async fn shown(authority: &Authority, weir: &Weir) -> Vec<u8> {
    let stream = authority.connect(&address(weir), &[]).await;
    let certificates = stream.get_ref().1.peer_certificates().expect("the server shows one");
    certificates[0].to_vec()
}

async fn shows(authority: &Authority, weir: &Weir, pair: &Pair) {
    let new = async || (shown(authority, weir).await == pair.der().to_vec()).then_some(());
    eventually("the new certificate is shown", PATIENCE, new).await;
}

/// Asks for the health on a connection that stays open.
async fn is_served(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: weir\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with("{\"status\":\"ok\"}") {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).await.unwrap();
        assert_ne!(length, 0, "closed after {answer:?}");
        answer.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_are_served_over_tls_and_nothing_without_it() {
    let authority = Authority::new();
    let pair = authority.issue("public");
    let weir = Weir::dev().tls(&authority, &pair).start().await;
    let client = weir.client();
    assert_eq!(client.post(&event("viewed", "over-1.1", "i")).await.status, 202);

    let stream = authority.connect(&address(&weir), H2).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(H2[0]));
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for number in 0..3 {
        let body = event("viewed", "over-2", &format!("i{number}")).to_string();
        let request = http::Request::post(format!("https://{}/ingest", address(&weir)))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (202, http::Version::HTTP_2));
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"{\"status\":\"accepted\""), "{body:?}");
    }
    client.settled().await;
    assert_eq!(client.history("over-1.1").await.len(), 1);
    assert_eq!(client.history("over-2").await.len(), 3);

    let mut plain = TcpStream::connect(address(&weir)).await.unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: weir\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_renewed_counts_for_new_connections_and_no_old_one_ends() {
    let authority = Authority::new();
    let pair = authority.issue("public");
    let weir = Weir::dev().tls(&authority, &pair).start().await;
    let mut lives = authority.connect(&address(&weir), &[]).await;
    is_served(&mut lives).await;
    let second = authority.issue("second");
    second.replaces(&pair);
    shows(&authority, &weir, &second).await;
    is_served(&mut lives).await;

    // A certificate without its key: the old pair stays, and it is told once.
    authority.issue("third").cert_replaces(&pair);
    let told = async || weir.log().contains("the new certificate cannot be used").then_some(());
    eventually("the wrong pair is told", PATIENCE, told).await;
    assert_eq!(shown(&authority, &weir).await, second.der().to_vec());
    is_served(&mut lives).await;
    let fourth = authority.issue("fourth");
    fourth.replaces(&pair);
    shows(&authority, &weir, &fourth).await;
    is_served(&mut lives).await;
    assert_eq!(weir.log().matches("the new certificate cannot be used").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_does_not_fit_is_refused_at_the_start() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let wrong = Pair { cert: one.cert, key: other.key };
    let (status, said) = Weir::dev().tls(&authority, &wrong).run().await;
    assert!(!status.success());
    assert!(said.contains("do not make a server") && said.contains("of one pair"), "{said}");
    let (status, said) =
        Weir::dev().set("tls.cert_file", &wrong.cert.display().to_string()).run().await;
    assert!(!status.success());
    assert!(said.contains("is nothing without tls.key_file"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_connections_of_both_protocols_in_order() {
    let authority = Authority::new();
    let pair = authority.issue("public");
    let mut weir = Weir::dev().tls(&authority, &pair).start().await;
    let mut first = authority.connect(&address(&weir), &[]).await;
    is_served(&mut first).await;
    let second = authority.connect(&address(&weir), H2).await;
    let (sender, connection) =
        http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(second))
            .await
            .unwrap();
    let ended = tokio::spawn(connection);
    // One that never shakes hands.
    let _silent = TcpStream::connect(address(&weir)).await.unwrap();
    weir.stop().await;
    assert!(ended.await.unwrap().is_ok(), "told to go away, and not cut");
    drop(sender);
    let mut rest = Vec::new();
    let closed: Result<usize, Infallible> = Ok(first.read_to_end(&mut rest).await.unwrap_or(0));
    assert_eq!(closed, Ok(0));
    assert!(!weir.log().contains("connections cut"), "{}", weir.log());
}
