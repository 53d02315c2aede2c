//! What could let somebody in who should not be, or lock everybody out: nothing known yet, times that tell,
//! files that are there already, keys in the wrong place.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{id_of, key, keys, listed};
use crate::support::client::{Answer, Client, PATIENCE, event};
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::{Builder, Weir, command};

fn asking(builder: Builder, server: &NatsServer) -> Builder {
    builder.nats(server).set("access.mode", "keys")
}

async fn post(client: &Client) -> Answer {
    client.post(&event("viewed", "u", "i")).await
}

async fn answers(client: &Client, status: u16) -> Answer {
    eventually(&format!("a post is answered {status}"), PATIENCE, async || {
        let answer = post(client).await;
        (answer.status == status).then_some(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn before_there_is_any_key_everybody_is_refused_for_good_and_not_asked_to_come_again() {
    let server = NatsServer::start();
    let gateway = asking(Weir::gateway(), &server).start().await;
    let shown = gateway.client().showing("weir_aaaaaaaaaaaa_bbbb");
    assert_eq!(answers(&shown, 401).await.body["code"], "key_not_valid");
    assert_eq!(post(&gateway.client()).await.body["code"], "key_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_has_never_read_the_keys_asks_to_come_again_and_then_knows_them() {
    let mut server = NatsServer::start();
    let first = asking(Weir::gateway(), &server).start().await;
    let key = key(&server, &["--scope", "write"]);
    answers(&first.client().showing(&key), 202).await;
    server.kill();
    let fresh = asking(Weir::gateway(), &server).start().await;
    let shown = fresh.client().showing(&key);
    let told = post(&shown).await;
    assert_eq!((told.status, &told.body["code"]), (503, &json!("keys_not_known")));
    assert!(!told.header("retry-after").is_empty());
    server.restart();
    answers(&shown, 202).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_counts_on_every_gateway_within_a_second() {
    let server = NatsServer::start();
    let gateways = [
        asking(Weir::gateway(), &server).start().await,
        asking(Weir::gateway(), &server).start().await,
    ];
    let key = key(&server, &["--scope", "write"]);
    for gateway in &gateways {
        answers(&gateway.client().showing(&key), 202).await;
    }
    keys(&server, &["revoke", id_of(&key)]);
    for gateway in &gateways {
        let client = gateway.client().showing(&key);
        eventually("it is refused", Duration::from_secs(1), async || {
            (post(&client).await.status == 401).then_some(())
        })
        .await;
    }
}

/// The median time of a refusal.
async fn median(client: &Client) -> Duration {
    let mut times = Vec::new();
    for _ in 0..60 {
        let began = Instant::now();
        assert_eq!(post(client).await.status, 401);
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_refusal_does_not_tell_whether_there_is_such_a_key() {
    let server = NatsServer::start();
    let gateway = asking(Weir::gateway(), &server).start().await;
    let client = gateway.client();
    let revoked = key(&server, &["--scope", "write"]);
    answers(&client.showing(&revoked), 202).await;
    keys(&server, &["revoke", id_of(&revoked)]);
    answers(&client.showing(&revoked), 401).await;
    let unknown = revoked.replace(id_of(&revoked), "aaaaaaaaaaaa");
    let other = median(&client.showing(&unknown)).await;
    let one = median(&client.showing(&revoked)).await;
    let near = |one: Duration, other: Duration| one < 3 * other + Duration::from_micros(300);
    assert!(near(one, other) && near(other, one), "{one:?} and {other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_sheds_before_the_body_is_read() {
    let server = NatsServer::start();
    let gateway = asking(Weir::gateway(), &server).start().await;
    let key = key(&server, &["--scope", "write", "--rate-bytes", "2KiB"]);
    let client = gateway.client().showing(&key);
    answers(&client, 202).await;
    let events: Vec<Value> = (0..400).map(|n| event("viewed", "u", &format!("i{n}"))).collect();
    assert_eq!(client.post(&json!(events)).await.status, 202);
    let address = client.public_url().strip_prefix("http://").expect("plain");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
    let head = format!(
        "POST /ingest HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\ncontent-length: 9999\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it is sent");
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).expect("an answer, though nothing of the body has come");
    assert_eq!(&begin, b"HTTP/1.1 429");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_an_address_sends_and_does_nothing_else() {
    let server = NatsServer::start();
    let weir = asking(Weir::dev(), &server).start().await;
    let client = weir.client();
    let all = key(&server, &["--scope", "write,read,admin"]);
    answers(&client.showing(&all), 202).await;
    assert_eq!(client.get(&format!("/history/user/u?key={all}")).await.status, 401);
    let status = client.admin_request("GET", &format!("/admin/status?key={all}"));
    assert_eq!(client.send(status).await.expect("an answer").status, 401);
    assert_eq!(client.showing(&all).get("/history/user/u").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_page_is_known_by_the_address_of_the_page() {
    let server = NatsServer::start();
    let gateway = asking(Weir::gateway(), &server).start().await;
    let client = gateway.client();
    let key = key(&server, &["--scope", "write", "--origin", "https://shop.example"]);
    answers(&client.showing(&key), 403).await;
    let path = format!("/pixel.gif?userId=u&itemId=i&eventType=viewed&key={key}");
    for (referer, status) in [
        ("https://shop.example/tea?x=1", 200),
        ("https://shop.example", 200),
        ("https://shop.example.evil.example/", 403),
        ("https://evil.example/https://shop.example/", 403),
    ] {
        let request = client.request("GET", &path).header("referer", referer);
        assert_eq!(client.send(request).await.expect("an answer").status, status, "{referer}");
    }
    assert_eq!(client.get(&path).await.status, 403, "who tells no page");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_operators_and_keys_open_their_listener_beside_each_other() {
    let server = NatsServer::start();
    let weir = asking(Weir::gateway(), &server).set("admin.token", "open sesame").start().await;
    let operators = key(&server, &["--scope", "admin"]);
    let client = weir.client();
    answers(&client.showing(&operators), 403).await;
    for (shown, status) in [("open sesame", 200), (operators.as_str(), 200), ("other", 401)] {
        for path in ["/metrics", "/admin/status"] {
            let request = client.showing(shown).admin_request("GET", path);
            let answer = client.send(request).await.expect("an answer");
            assert_eq!(answer.status, status, "{path} {shown}");
        }
    }
    assert_eq!(post(&client.showing("open sesame")).await.status, 401, "it is for no other door");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_made_whose_text_would_have_no_place() {
    let server = NatsServer::start();
    let dir = tempfile::tempdir().expect("a directory");
    let there = dir.path().join("there");
    std::fs::write(&there, "something else").expect("it is written");
    let nowhere = dir.path().join("no/such/folder");
    for path in [&there, &nowhere] {
        let mut command = command();
        command.args(["keys", "create", "--name", "n", "--scope", "write", "--nats-url"]);
        let ended = command.arg(server.url()).arg("--out").arg(path).output().expect("weir runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && said.contains("nothing was done"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(&there).expect("it is there"), "something else");
    key(&server, &["--scope", "write"]);
    assert_eq!(listed(&server).len(), 1);
    // And where no key is made, no file stays.
    let rest = dir.path().join("rest");
    let mut command = command();
    command.args(["keys", "rotate", "nobody", "--nats-url"]).arg(server.url());
    let ended = command.arg("--out").arg(&rest).output().expect("weir runs");
    assert!(!ended.status.success() && !rest.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_few_texts_at_once() {
    let server = NatsServer::start();
    let first = key(&server, &["--scope", "write"]);
    let rotate = |overlap: &str| {
        let mut command = command();
        command.args(["keys", "rotate", id_of(&first), "--overlap", overlap, "--nats-url"]);
        command.arg(server.url()).output().expect("weir runs")
    };
    assert!(rotate("1h").status.success() && rotate("1h").status.success());
    let refused = rotate("1h");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("--overlap 0s"), "{said}");
    assert!(rotate("0s").status.success() && rotate("1h").status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_share_a_data_directory_keep_one_whole_copy() {
    let server = NatsServer::start();
    let gateway = asking(Weir::gateway(), &server).start().await;
    let api = asking(Weir::api(), &server).data_dir(gateway.data_dir()).start().await;
    let all: Vec<String> = (0..6).map(|_| key(&server, &["--scope", "write"])).collect();
    let path = gateway.data_dir().join("keys.json");
    eventually("the copy holds all", PATIENCE, async || {
        let copy: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        (copy.as_array()?.len() == all.len()).then_some(())
    })
    .await;
    for weir in [&gateway, &api] {
        assert!(!weir.log().contains("cannot be written"), "{}", weir.log());
    }
}
