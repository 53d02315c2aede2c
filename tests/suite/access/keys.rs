//! Keys: made, shown, rotated, revoked, and what each permits.

use serde_json::json;

use super::{id_of, key, keys, listed};
use crate::support::client::{Client, PATIENCE, event};
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::{Builder, Weir};

fn asking(builder: Builder, server: &NatsServer) -> Builder {
    builder.nats(server).set("access.mode", "keys")
}

/// Waits until a view by this client is answered so.
async fn answers(client: &Client, status: u16) {
    eventually(&format!("a post is answered {status}"), PATIENCE, async || {
        let answer = client.post(&event("viewed", "u", "i")).await;
        (answer.status == status).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_what_its_scopes_name_and_nothing_else() {
    let server = NatsServer::start();
    let weir = asking(Weir::dev(), &server).start().await;
    let nobody = weir.client();
    answers(&nobody, 401).await;
    assert_eq!(nobody.get("/health").await.status, 200);
    assert_eq!(nobody.get("/history/user/u").await.body["code"], "key_required");
    let admin = nobody.send(nobody.admin_request("GET", "/metrics")).await.expect("an answer");
    assert_eq!((admin.status, admin.header("www-authenticate")), (401, "Bearer"));

    let [write, read, operate] =
        ["write", "read", "admin"].map(|scope| key(&server, &["--scope", scope]));
    let [write, read, operate] = [write, read, operate].map(|key| nobody.showing(&key));
    answers(&write, 202).await;
    operate.settled().await;
    assert_eq!(read.history("u").await.len(), 1);
    let told = async |client: &Client, method: &str, path: &str| {
        let answer = client.send(client.request(method, path)).await.expect("an answer");
        (answer.status, answer.body["code"].clone())
    };
    let lacks = (403, json!("scope_missing"));
    assert_eq!(told(&read, "POST", "/ingest").await, lacks);
    assert_eq!(told(&write, "GET", "/history/user/u").await, lacks);
    assert_eq!(told(&operate, "GET", "/history/user/u").await, lacks);
    let status = write.send(write.admin_request("GET", "/admin/status")).await.expect("an answer");
    assert_eq!(status.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_show_their_key_in_whatever_way_they_can() {
    let server = NatsServer::start();
    let weir = asking(Weir::dev(), &server).start().await;
    let client = weir.client();
    let key = key(&server, &["--scope", "write"]);
    answers(&client.showing(&key), 202).await;
    let post = |path: &str| client.request("POST", path).json(&event("viewed", "u", "i"));
    for request in [
        post("/ingest").header("x-api-key", &key),
        post("/ingest").basic_auth(&key, None::<&str>),
        post(&format!("/ingest?key={key}")),
        post(&format!("/ingest?measurement_id=G-1&api_secret={key}")),
        client.request("GET", &format!("/pixel.gif?userId=u&itemId=i&eventType=viewed&key={key}")),
    ] {
        let answer = client.send(request).await.expect("an answer");
        assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_revoked_and_wrong_keys_look_the_same() {
    let server = NatsServer::start();
    let weir = asking(Weir::dev(), &server).start().await;
    let client = weir.client();
    let (revoked, other) =
        (key(&server, &["--scope", "write"]), key(&server, &["--scope", "write"]));
    answers(&client.showing(&other), 202).await;
    answers(&client.showing(&revoked), 202).await;
    keys(&server, &["revoke", id_of(&revoked)]);
    answers(&client.showing(&revoked), 401).await;
    let mixed = format!("weir_{}_{}", id_of(&other), revoked.rsplit('_').next().expect("a secret"));
    let mut told = Vec::new();
    for shown in [revoked.as_str(), &mixed, "weir_aaaaaaaaaaaa_bbbb", "a.b.c", "anything"] {
        let answer = client.showing(shown).post(&event("viewed", "u", "i")).await;
        let mut body = answer.body;
        body.as_object_mut().expect("a problem").remove("requestId");
        told.push((answer.status, body));
    }
    assert_eq!(told[0].1["code"], "key_not_valid");
    assert!(told.iter().all(|each| *each == told[0]), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_may_not_send_is_invalid_in_a_batch_and_forbidden_alone() {
    let server = NatsServer::start();
    let weir = asking(Weir::dev(), &server).start().await;
    let limits = ["--scope", "write", "--type", "viewed,liked", "--source", "partner"];
    let client = weir.client().showing(&key(&server, &limits));
    let reader = weir.client().showing(&key(&server, &["--scope", "read,admin"]));
    answers(&client, 202).await;
    let bought = client.post(&event("purchased", "u", "i")).await;
    assert_eq!((bought.status, &bought.body["code"]), (403, &json!("type_not_permitted")));
    let mut foreign = event("viewed", "u", "i");
    foreign["source"] = json!("shop");
    let told = client.post(&foreign).await;
    assert_eq!(
        (told.status, &told.body["errors"][0]["code"]),
        (403, &json!("source_not_permitted"))
    );
    let mixed = client
        .post(&json!([event("liked", "u", "i"), event("purchased", "u", "i"), foreign]))
        .await;
    assert_eq!((mixed.status, &mixed.body["accepted"]), (207, &json!(1)));
    reader.settled().await;
    // The one source that it may send for need not be named.
    let history = reader.history("u").await;
    assert!(history.iter().all(|event| event["source"] == "partner"), "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_origins_is_for_their_pages() {
    let server = NatsServer::start();
    let weir = asking(Weir::dev(), &server).start().await;
    let client = weir.client();
    let key = key(&server, &["--scope", "write", "--origin", "https://shop.example"]);
    let send = async |origin: &str| {
        let mut request = client.request("POST", "/ingest").header("x-api-key", &key);
        if !origin.is_empty() {
            request = request.header("origin", origin);
        }
        client.send(request.json(&event("viewed", "u", "i"))).await.expect("an answer")
    };
    eventually("the page may send", PATIENCE, async || {
        (send("https://shop.example").await.status == 202).then_some(())
    })
    .await;
    let answer = send("https://shop.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    for origin in ["https://evil.example", "", "null"] {
        let told = send(origin).await;
        assert_eq!(
            (told.status, &told.body["code"]),
            (403, &json!("origin_not_allowed")),
            "{origin}"
        );
    }
    let preflight = client
        .request("OPTIONS", "/ingest")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST");
    assert_eq!(client.send(preflight).await.expect("an answer").status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_reach_every_gateway_and_the_last_keys_serve_while_nats_is_away() {
    let mut server = NatsServer::start();
    let mut first = asking(Weir::gateway(), &server).start().await;
    let second = asking(Weir::gateway(), &server).start().await;
    let key = key(&server, &["--scope", "write"]);
    let both = [first.client().showing(&key), second.client().showing(&key)];
    for client in &both {
        answers(client, 202).await;
    }
    // The text before works until its overlap ends, the new one at once.
    let rotated = keys(&server, &["rotate", id_of(&key), "--overlap", "1h"]);
    assert_eq!(id_of(&rotated), id_of(&key));
    for client in &both {
        answers(&client.showing(&rotated), 202).await;
        answers(client, 202).await;
    }
    server.kill();
    first.kill();
    first.start_again().await;
    for client in [&both[0], &both[1].showing(&rotated)] {
        answers(client, 202).await;
    }
    answers(&first.client().showing("weir_aaaaaaaaaaaa_bbbb"), 401).await;
    server.restart();
    let began = std::time::Instant::now();
    keys(&server, &["revoke", id_of(&key)]);
    for client in &both {
        answers(client, 401).await;
        answers(&client.showing(&rotated), 401).await;
    }
    eprintln!("revoked on both gateways {:?} after the command began", began.elapsed());
    let all = listed(&server);
    assert_eq!((all.len(), &all[0]["state"]), (1, &json!("revoked")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_tell_what_is_wrong_and_show_no_secret() {
    let server = NatsServer::start();
    let _weir = asking(Weir::dev(), &server).start().await;
    let run = |line: &[&str]| {
        let output = crate::support::weir::command()
            .arg("keys")
            .args(line)
            .args(["--nats-url", &server.url()])
            .output()
            .expect("weir runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (line, told) in [
        (&["revoke", "nobody"][..], "there is no key nobody"),
        (&["rotate", "a.b>", "--overlap", "1h"], "there is no key"),
        (&["create", "--name", "n", "--scope", "write", "--origin", "shop.example"], "https://"),
        (&["create", "--name", "n", "--scope", "write", "--hash", "/itemId"], "/itemId"),
        (&["create", "--name", "", "--scope", "write"], "name"),
    ] {
        let (code, said) = run(line);
        assert_eq!(code, Some(1), "{line:?}: {said}");
        assert!(said.contains(told), "{line:?}: {said}");
    }
    assert_eq!(run(&["create", "--name", "n", "--scope", "everything"]).0, Some(2));
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("key");
    let shown = keys(
        &server,
        &["create", "--name", "n", "--scope", "read", "--out", path.to_str().expect("text")],
    );
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.starts_with("weir_") && !shown.contains(&text), "{shown}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&path).expect("it is there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let secret = text.splitn(3, '_').nth(2).expect("a secret");
    assert!(!keys(&server, &["list", "--all", "--json"]).contains(secret));
    assert!(!keys(&server, &["list"]).contains(secret));
}
