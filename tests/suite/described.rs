//! What weir says of itself is what it does: real answers are held against its documents.

use serde_json::{Value, json};

use crate::support::client::{Answer, Client, PATIENCE, event, ndjson};
use crate::support::described::Described;
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::{Weir, command};

const JSON: &str = "application/json";

async fn post(client: &Client, headers: &[(&str, &str)], query: &str, body: String) -> Answer {
    let mut request = client.request("POST", &format!("/ingest{query}")).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_producers_is_as_described() {
    let weir = Weir::dev()
        .set("gateway.body_bytes", "1MiB")
        .set("cors.origins", "https://shop.example")
        .start()
        .await;
    let client = weir.client();
    let mut described = Described::public(&client).await;
    let json = [("content-type", JSON)];
    let lines = [("content-type", "application/x-ndjson")];
    let good = event("viewed", "u", "i");
    let large = json!({ "userId": "u", "itemId": "i", "eventType": "viewed", "properties": { "note": "x".repeat(40_000) } });
    let cases = vec![
        (202, post(&client, &json, "", good.to_string()).await),
        (202, post(&client, &json, "", json!([good, good]).to_string()).await),
        (202, post(&client, &[("content-type", "text/plain")], "", good.to_string()).await),
        (202, post(&client, &lines, "", ndjson(&[good.clone(), good.clone()])).await),
        (207, post(&client, &lines, "", ndjson(&[good.clone(), json!({}), large.clone()])).await),
        (400, post(&client, &json, "", "{".to_owned()).await),
        (400, post(&client, &json, "", String::new()).await),
        (
            400,
            post(&client, &json, "", json!({ "userId": 1.5, "eventType": "x" }).to_string()).await,
        ),
        (413, post(&client, &json, "", large.to_string()).await),
        (413, post(&client, &json, "", " ".repeat(2 << 20)).await),
        (200, post(&client, &json, "?ack=stream", good.to_string()).await),
        (204, post(&client, &[("prefer", "return=minimal")], "", good.to_string()).await),
        (202, post(&client, &[("idempotency-key", "a-1")], "", good.to_string()).await),
        (400, post(&client, &[("idempotency-key", "a 1")], "", good.to_string()).await),
        (400, post(&client, &json, "?ack=memory", good.to_string()).await),
        (400, post(&client, &[("content-encoding", "gzip")], "", good.to_string()).await),
        (422, post(&client, &json, "?atomic=true", json!([good, {}]).to_string()).await),
        (202, post(&client, &cloud("event"), "", cloud_event().to_string()).await),
        (202, post(&client, &cloud("batch"), "", json!([cloud_event()]).to_string()).await),
        (
            400,
            post(&client, &cloud("event"), "", json!({ "specversion": "0.3" }).to_string()).await,
        ),
        (415, post(&client, &[("content-type", "application/xml")], "", good.to_string()).await),
        (415, post(&client, &[("content-encoding", "br")], "", good.to_string()).await),
        (422, post(&client, &json, "", json!([{}, { "eventType": "viewed" }]).to_string()).await),
    ];
    for (status, answer) in &cases {
        assert_eq!(answer.status, *status, "{:#}", answer.body);
        described.check("post", "/ingest", answer);
    }
    let wrong = client.send(client.request("GET", "/ingest")).await.expect("an answer");
    described.check("post", "/ingest", &wrong);
    for query in ["?userId=u&itemId=i&eventType=viewed", "?userId=u", ""] {
        described.check("get", "/pixel.gif", &client.get(&format!("/pixel.gif{query}")).await);
    }
    for origin in ["https://shop.example", "https://elsewhere.example"] {
        let request = client.request("OPTIONS", "/ingest").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        described.check("options", "/ingest", &client.send(request).await.expect("an answer"));
    }
    let options = client.send(client.request("OPTIONS", "/ingest")).await.expect("an answer");
    described.check("options", "/ingest", &options);
    insta::assert_snapshot!("answers_to_producers", described.seen().join("\n"));
}

fn cloud_event() -> Value {
    json!({ "specversion": "1.0", "id": "c", "source": "s", "type": "viewed", "subject": "i", "data": { "userId": "u" } })
}

fn cloud(form: &str) -> [(&'static str, &'static str); 1] {
    let batch = form == "batch";
    let event = "application/cloudevents+json";
    [("content-type", if batch { "application/cloudevents-batch+json" } else { event })]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_that_a_key_decides_on_is_as_described() {
    let server = NatsServer::start();
    let weir = Weir::dev().nats(&server).set("access.mode", "keys").start().await;
    let key = |line: &[&str]| {
        let make = ["keys", "create", "--name", "test", "--nats-url", &server.url()];
        let output = command().args(make).args(line).output().expect("weir runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let nobody = weir.client();
    let mut public = Described::public(&nobody).await;
    let write =
        nobody.showing(&key(&["--scope", "write", "--type", "viewed", "--rate-events", "1"]));
    let read = nobody.showing(&key(&["--scope", "read"]));
    let good = event("viewed", "u", "i");
    eventually("the keys are known", PATIENCE, async || {
        let known = write.post(&good).await.status == 202;
        (known && read.get("/history/user/u").await.status == 200).then_some(())
    })
    .await;
    for (client, body) in [
        (&nobody, &good),
        (&nobody.showing("weir_aaaaaaaaaaaa_b"), &good),
        (&read, &good),
        (&write, &event("purchased", "u", "i")),
        (&write, &json!([good, good, good, good, good, good])),
        (&write, &good),
    ] {
        public.check("post", "/ingest", &client.post(body).await);
    }
    let history = "/history/user/{userId}";
    for client in [&nobody, &write, &read] {
        public.check("get", history, &client.get("/history/user/u").await);
    }
    let mut seen = public.seen().join("\n");
    let mut admin = Described::admin(&nobody).await;
    for client in [&nobody, &read] {
        let asked = client.send(client.admin_request("GET", "/admin/status")).await;
        admin.check("get", "/admin/status", &asked.expect("an answer"));
    }
    seen = format!("{seen}\n{}", admin.seen().join("\n"));
    insta::assert_snapshot!("answers_that_a_key_decides_on", seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_taken_and_is_as_described() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let mut described = Described::public(&client).await;
    let examples = described.examples("post", "/ingest", JSON);
    assert!(examples.len() > 4);
    for example in examples {
        assert!(described.takes("post", "/ingest", JSON, &example), "{example}");
        let answer = client.post(&example).await;
        assert_eq!(answer.status, 202, "{example}: {:#}", answer.body);
        described.check("post", "/ingest", &answer);
    }
    for (media, example) in [("application/x-ndjson", "lines"), ("text/plain", "beacon")] {
        let examples = described.examples("post", "/ingest", media);
        let text = examples[0].as_str().expect(example);
        assert_eq!(client.try_post(media, text).await.expect("an answer").status, 202, "{example}");
    }
    assert!(!described.takes(
        "post",
        "/ingest",
        JSON,
        &json!({ "userId": true, "eventType": "viewed" })
    ));
    assert!(!described.takes("post", "/ingest", JSON, &json!({ "userId": "u" })));
    client.settled().await;
    assert!(!client.history("u789").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_readers_is_as_described() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    for (user, item) in [("ann", "kettle"), ("ann", "lamp"), ("bob", "kettle"), ("bob", "cup")] {
        client.post(&event("purchased", user, item)).await.ok();
    }
    let profile =
        json!({ "itemId": "cup", "eventType": "item_profile", "properties": { "title": "A cup" } });
    client.post(&profile).await.ok();
    client.settled().await;
    let mut described = Described::public(&client).await;
    let long = "x".repeat(257);
    for (path, id) in [
        ("/recommendations/user/{userId}", "ann"),
        ("/recommendations/item/{itemId}", "kettle"),
        ("/history/user/{userId}", "ann"),
    ] {
        let at = |id: &str| path.split('{').next().expect("a beginning").to_owned() + id;
        for (status, asked) in [
            (200, at(id)),
            (200, at("nobody")),
            (200, at(id) + "?limit=1"),
            (400, at(id) + "?limit=0&colour=red"),
            (400, at(&long)),
            (404, at("")),
            (404, at(id) + "?generation=g99"),
        ] {
            let answer = client.get(&asked).await;
            assert_eq!(answer.status, status, "{asked}: {:#}", answer.body);
            described.check("get", path, &answer);
        }
    }
    for (path, asked) in [
        ("/health", "/health"),
        ("/health/ready", "/health/ready"),
        ("/health/ready/{role}", "/health/ready/gateway"),
        ("/health/ready/{role}", "/health/ready/nobody"),
        ("/openapi.json", "/openapi.json"),
        ("/asyncapi.json", "/asyncapi.json"),
    ] {
        described.check("get", path, &client.get(asked).await);
    }
    insta::assert_snapshot!("answers_to_readers", described.seen().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_operators_is_as_described() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    client.post(&event("viewed", "ann", "kettle")).await.ok();
    client.settled().await;
    let mut described = Described::admin(&client).await;
    let ask = async |method: &str, path: &str, body: Option<Value>| {
        let mut request = client.admin_request(method, path);
        if let Some(body) = body {
            request = request.header("content-type", JSON).body(body.to_string());
        }
        client.send(request).await.expect("an answer")
    };
    for path in
        ["/metrics", "/admin/status", "/admin/jobs", "/health", "/health/ready", "/openapi.json"]
    {
        described.check("get", path, &ask("GET", path, None).await);
    }
    for body in [
        json!({ "verb": "replay", "plan": true }),
        json!({ "verb": "verify" }),
        json!({ "verb": "replay", "from": "yesterday" }),
        json!({ "verb": "dance" }),
        json!({ "verb": "replay", "generation": "g99" }),
        json!({ "verb": "promote" }),
    ] {
        described.check("post", "/admin/jobs", &ask("POST", "/admin/jobs", Some(body)).await);
    }
    let begun = ask("POST", "/admin/jobs", Some(json!({ "verb": "replay" }))).await;
    described.check("post", "/admin/jobs", &begun);
    let id = begun.body["id"].as_str().expect("an id").to_owned();
    let one = |rest: &str| format!("/admin/jobs/{id}{rest}");
    described.check(
        "post",
        "/admin/jobs/{id}/limit",
        &ask("POST", &one("/limit"), Some(json!({ "rate": 5 }))).await,
    );
    client.job_is(&id, "done").await;
    described.check("get", "/admin/jobs/{id}", &ask("GET", &one(""), None).await);
    described.check("get", "/admin/jobs", &ask("GET", "/admin/jobs", None).await);
    described.check("get", "/admin/jobs/{id}", &ask("GET", "/admin/jobs/none", None).await);
    for what in ["pause", "dance"] {
        let answer = ask("POST", &one(&format!("/{what}")), None).await;
        described.check("post", "/admin/jobs/{id}/{what}", &answer);
    }
    let form =
        client.admin_request("POST", "/admin/jobs").header("content-type", "text/plain").body("{}");
    described.check("post", "/admin/jobs", &client.send(form).await.expect("an answer"));
    insta::assert_snapshot!("answers_to_operators", described.seen().join("\n"));
}

/// Ways in that are described are there: none is told as nothing, or as another method's.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_that_is_described_is_served() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let (public, admin) = (Described::public(&client).await, Described::admin(&client).await);
    for (described, is_admin) in [(public, false), (admin, true)] {
        for (method, path) in described.operations() {
            let asked = path
                .replace("{role}", "gateway")
                .replace("{what}", "pause")
                .replace(['{', '}'], "");
            let method = method.to_uppercase();
            let request = if is_admin {
                client.admin_request(&method, &asked)
            } else {
                client.request(&method, &asked)
            };
            let answer = client.send(request).await.expect("an answer");
            let is_missing = answer.body["code"] == "not_found" || answer.status == 405;
            assert!(!is_missing || method == "OPTIONS", "{method} {path}: {:#}", answer.body);
        }
    }
}
