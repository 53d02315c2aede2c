//! More than anybody reads or sends: what is asked for without reading, and many bodies at once.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::client::PATIENCE;
use crate::support::weir::Weir;

use super::raw::{address, exchange, impatient, memory, rest, still_serves};

/// What a process may grow by while it is flooded, in MiB.
const GROWTH: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_and_never_reads_is_read_no_further() {
    let weir = Weir::dev().start().await;
    let before = memory(&weir);
    let request =
        b"GET /metrics HTTP/1.1\r\nHost: weir\r\n\r\nGET /health HTTP/1.1\r\nHost: weir\r\n\r\n";
    let many = request.repeat(1_000);
    let floods = (0..20).map(async |_| {
        let mut stream = TcpStream::connect(address(&weir)).await.unwrap();
        let flood = async { while stream.write_all(&many).await.is_ok() {} };
        assert!(timeout(Duration::from_secs(2), flood).await.is_err(), "it takes no more at last");
        stream
    });
    let open = futures_util::future::join_all(floods).await;
    still_serves(&weir, "pipelined requests without a reader").await;
    let grown = memory(&weir).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} MiB more");
    drop(open);
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order_however_many() {
    let weir = Weir::dev().start().await;
    let mut stream = TcpStream::connect(address(&weir)).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nHost: weir\r\n\r\n".repeat(20_000);
    let last = b"GET /health HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n";
    let (mut reading, mut writing) = stream.split();
    let (sent, came) = tokio::join!(
        async {
            writing.write_all(&request).await?;
            writing.write_all(last).await
        },
        async {
            let mut all = Vec::new();
            reading.read_to_end(&mut all).await.map(|_| all)
        }
    );
    sent.unwrap();
    let came = String::from_utf8(came.unwrap()).unwrap();
    assert_eq!(came.matches("HTTP/1.1 200 OK").count(), 20_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_for_which_there_is_no_room_are_refused_before_they_are_read() {
    let weir = impatient(Weir::dev()).set("gateway.max_in_flight_bytes", "4MiB").start().await;
    let announced = |bytes: usize, more: &str| {
        format!("POST /ingest HTTP/1.1\r\nHost: weir\r\nContent-Length: {bytes}\r\n{more}\r\n")
    };
    let mut holding = TcpStream::connect(address(&weir)).await.unwrap();
    holding.write_all(announced(3 << 20, "Expect: 100-continue\r\n").as_bytes()).await.unwrap();
    // It is asked for once it has its room.
    let mut asked = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    timeout(PATIENCE, holding.read_exact(&mut asked)).await.unwrap().unwrap();
    let refused = exchange(&address(&weir), announced(2 << 20, "").as_bytes()).await;
    assert_eq!(refused.status(), 503, "{refused:?}");
    assert!(refused.text.contains("retry-after: 1\r\n"), "{refused:?}");
    assert!(refused.text.contains("\"code\":\"overloaded\"") && refused.closed, "{refused:?}");
    still_serves(&weir, "a body that takes nearly all room").await;
    assert_eq!(rest(&mut holding).await.status(), 408);
    let large = format!("{}{}", announced(2 << 20, ""), " ".repeat(2 << 20));
    assert_eq!(exchange(&address(&weir), large.as_bytes()).await.status(), 400, "room came back");
}
