//! What is kept of whom an event comes from.

use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE, event};
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::{Weir, command};

fn key(server: &NatsServer, line: &[&str]) -> String {
    let output = command()
        .args(["keys", "create", "--name", "test", "--scope", "write", "--nats-url", &server.url()])
        .args(line)
        .output()
        .expect("weir runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// The newest message of the stream.
async fn newest(server: &NatsServer) -> Value {
    let context = server.jetstream().await;
    let mut stream = context.get_stream("EVENTS").await.expect("it is there");
    let last = stream.info().await.expect("an answer").state.last_sequence;
    let message = stream.get_raw_message(last).await.expect("the newest");
    serde_json::from_slice(&message.payload).expect("JSON")
}

async fn post(client: &Client, agent: &str, body: &Value) -> u16 {
    let request =
        client.request("POST", "/ingest?ack=stream").header("user-agent", agent).json(body);
    client.send(request).await.expect("an answer").status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_decides_what_is_stored_of_an_event() {
    let server = NatsServer::start();
    let weir =
        Weir::dev().nats(&server).set("privacy.hash_key", "a secret for tests").start().await;
    let client = weir.client();
    client.settled().await;
    let mut body = event("viewed", "ann", "tea");
    body["properties"] = json!({"email": "ann@example.org", "ip": "203.0.113.77", "page": "/tea"});
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0";

    // Who shows no key: no address is stored.
    assert_eq!(post(&client, firefox, &body).await, 200);
    let stored = newest(&server).await;
    assert_eq!(stored["receivedFrom"], Value::Null);
    assert_eq!(stored["properties"], json!({"email": "ann@example.org", "page": "/tea"}));

    let keeps = client.showing(&key(&server, &["--ip", "keep"]));
    let hides = client.showing(&key(
        &server,
        &["--ip", "truncate", "--hash", "/userId", "--drop", "/properties/email"],
    ));
    for client in [&keeps, &hides] {
        eventually("the key is known", PATIENCE, async || {
            (post(client, firefox, &body).await == 200).then_some(())
        })
        .await;
    }
    assert_eq!(post(&keeps, "Googlebot/2.1", &body).await, 200);
    let stored = newest(&server).await;
    assert_eq!(
        (&stored["receivedFrom"]["ip"], &stored["receivedFrom"]["bot"]),
        (&json!("127.0.0.1"), &json!(true))
    );
    assert!(stored["receivedFrom"]["key"].is_string());

    assert_eq!(post(&hides, firefox, &body).await, 200);
    let stored = newest(&server).await;
    assert_eq!(stored["receivedFrom"]["ip"], "127.0.0.0");
    assert_eq!(stored["properties"], json!({"ip": "203.0.113.0", "page": "/tea"}));
    let user = stored["userId"].as_str().expect("a text");
    assert!(user.len() == 32 && user != "ann", "{user}");
    // What a rule takes away is in no file of the write-ahead log either.
    body["userId"] = json!("tell-nobody-of-me");
    assert_eq!(post(&hides, firefox, &body).await, 200);
    let files = std::fs::read_dir(weir.data_dir().join("wal")).expect("the log");
    let mut looked = 0;
    let mut folders: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(
                std::fs::read_dir(path).expect("a folder").map(|file| file.expect("a file").path()),
            );
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        looked += bytes.len();
        assert!(
            !bytes.windows(17).any(|window| window == b"tell-nobody-of-me"),
            "{}",
            path.display()
        );
    }
    assert!(looked > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_cannot_hash_takes_nothing_that_must_be_hashed() {
    let server = NatsServer::start();
    let weir = Weir::dev().nats(&server).start().await;
    let client = weir.client().showing(&key(&server, &["--hash", "/userId"]));
    eventually("it says what is missing", PATIENCE, async || {
        let answer = client.post(&event("viewed", "ann", "tea")).await;
        (answer.status == 503 && answer.body["code"] == json!("hash_key_missing")).then_some(())
    })
    .await;
    assert_eq!(weir.client().status().await["wal"]["highWater"], 0);
}
