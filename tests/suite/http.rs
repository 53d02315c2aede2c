//! The HTTP contract of the gateway, case by case, and what raw nonsense does to it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::client::{Answer, Client, PATIENCE, event, ndjson, text};
use crate::support::eventually;
use crate::support::weir::Weir;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// An error answer as a snapshot shows it: the request's id is another one each time.
fn problem(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let mut body = answer.body.clone();
    assert!(text(&body["requestId"]).len() >= 16, "{body}");
    body["requestId"] = json!("[one a request]");
    assert_eq!(body["status"], answer.status);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimal_event_is_accepted_and_told_its_id() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let answer = client.post(&event("purchased", "u789", "i456")).await;
    assert_eq!((answer.status, answer.header("content-type")), (202, JSON));
    let id = text(&answer.body["eventId"]);
    let expected = json!({ "status": "accepted", "accepted": 1, "duplicates": 0, "ack": "disk", "eventId": id });
    assert_eq!(answer.body, expected);

    // What tools send that nobody told a content type.
    for content_type in [
        "",
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
        "application/json; charset=utf-8",
    ] {
        let answer =
            client.try_post(content_type, event("viewed", "u789", "i1").to_string()).await.unwrap();
        assert_eq!(answer.status, 202, "{content_type:?}: {}", answer.body);
    }
    client.settled().await;
    let history = client.history("u789").await;
    assert_eq!(history.len(), 5);
    let purchase = history.iter().find(|event| event["eventType"] == "purchased").unwrap();
    assert_eq!((text(&purchase["eventId"]), &purchase["itemId"]), (id, &json!("i456")));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_may_be_integers_and_optional_fields_are_kept() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let first = json!({
        "userId": 7, "itemId": 9_007_199_254_740_991_i64, "eventType": "Added To-Cart", "eventId": 31,
        "timestamp": "2024-02-29T12:00:00.250+01:00", "source": "shop", "value": 2.5, "properties": {"page": "home"},
    });
    let answer = client.post(&first).await;
    assert_eq!((answer.status, &answer.body["eventId"]), (202, &json!("31")));
    let seconds = json!({"user_id": "7", "sku": "i", "event": "viewed", "messageId": "m", "time": 1_709_204_401});
    client.post(&seconds).await.ok();
    client.settled().await;
    let told: Vec<Value> = client.history("7").await;
    let expected = json!([
        {"eventId": "m", "itemId": "i", "eventType": "viewed", "timestamp": "2024-02-29T11:00:01.000Z", "source": "default"},
        {"eventId": "31", "itemId": "9007199254740991", "eventType": "added_to_cart",
         "timestamp": "2024-02-29T11:00:00.250Z", "source": "shop", "value": 2.5},
    ]);
    assert_eq!(Value::from(told), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identical_event_is_a_duplicate_and_another_of_the_same_id_is_not() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let mut order = event("purchased", "u", "i");
    order["eventId"] = json!("order-1");
    order["timestamp"] = json!("2024-05-01T00:00:00Z");
    assert_eq!(client.post(&order).await.body["accepted"], 1);
    let again = client.post(&order).await;
    assert_eq!(
        (again.status, &again.body["accepted"], &again.body["duplicates"]),
        (202, &json!(0), &json!(1))
    );
    let mixed = client.post_ndjson(&[order.clone(), json!({}), event("viewed", "u", "i")]).await;
    assert_eq!(mixed.status, 207);
    let results: Vec<&Value> =
        mixed.body["results"].as_array().unwrap().iter().map(|result| &result["status"]).collect();
    assert_eq!(results, ["duplicate", "invalid", "accepted"]);
    order["itemId"] = json!("other");
    assert_eq!(client.post(&order).await.body["accepted"], 1);
    client.settled().await;
    assert_eq!(client.history("u").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_one_answer_and_its_valid_events_are_stored() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let three = [
        event("viewed", "batch", "a"),
        event("liked", "batch", "b"),
        event("viewed", "batch", "c"),
    ];
    let whole = json!({ "status": "accepted", "accepted": 3, "duplicates": 0, "ack": "disk" });
    let array = client.post(&json!(three)).await;
    assert_eq!((array.status, &array.body), (202, &whole));
    let lines = client
        .try_post(NDJSON, format!("\r\n{}\n\n", ndjson(&three).replace('\n', "\r\n")))
        .await
        .unwrap();
    assert_eq!((lines.status, &lines.body), (202, &whole));
    client.settled().await;
    assert_eq!(client.history("batch").await.len(), 6);

    let good = event("viewed", "mixed", "a");
    let large = json!({"userId": "mixed", "itemId": "i", "eventType": "viewed", "properties": {"note": "x".repeat(33_000)}});
    let bad = json!({"userId": "mixed", "eventType": "teleported", "timestamp": "yesterday"});
    let body = format!("{good}\n{bad}\nnonsense\n{large}\n{good}\n");
    let mixed = client.try_post(NDJSON, body).await.unwrap();
    assert_eq!((mixed.status, mixed.header("content-type")), (207, JSON));
    insta::assert_json_snapshot!("a_mixed_batch", mixed.body);
    let array = client.post(&json!([bad, good])).await;
    assert_eq!((array.status, &array.body["accepted"]), (207, &json!(1)));
    client.settled().await;
    assert_eq!(client.history("mixed").await.len(), 3);
}

/// What is refused, under the name that its snapshot has.
fn refused() -> Vec<(&'static str, &'static str, String)> {
    let object = |value: Value| value.to_string();
    vec![
        ("an empty body", JSON, String::new()),
        ("a blank body", JSON, " \r\n".to_owned()),
        ("malformed", JSON, r#"{"userId": "u","#.to_owned()),
        ("malformed array", JSON, r#"[{"userId": "u"}"#.to_owned()),
        ("two objects", JSON, r#"{"userId":"u"}{"userId":"v"}"#.to_owned()),
        ("not an object", JSON, "\"event\"".to_owned()),
        ("nothing in it", JSON, "{}".to_owned()),
        ("unknown type", JSON, object(event("teleported", "u", "i"))),
        (
            "wrong kinds of values",
            JSON,
            object(
                json!({"userId": [1], "itemId": 1.5, "eventType": 3, "eventId": true, "timestamp": {}}),
            ),
        ),
        (
            "values out of range",
            JSON,
            object(
                json!({"userId": "", "itemId": "i".repeat(257), "eventType": "viewed", "timestamp": "1989-12-31T23:59:59Z"}),
            ),
        ),
        ("a control character", JSON, object(event("viewed", "u\u{7}", "i"))),
        (
            "far in the future",
            JSON,
            object(
                json!({"userId": "u", "itemId": "i", "eventType": "viewed", "timestamp": "2069-01-01T00:00:00Z"}),
            ),
        ),
        (
            "a key twice",
            JSON,
            r#"{"userId":"u","userId":"u","itemId":"i","eventType":"viewed"}"#.to_owned(),
        ),
        (
            "two names of one field",
            JSON,
            object(json!({"userId": "u", "user_id": "v", "itemId": "i", "eventType": "viewed"})),
        ),
        ("a refund of nothing", JSON, object(event("refunded", "u", "i"))),
        ("no valid event in an array", JSON, object(json!([{}, 7, event("teleported", "u", "i")]))),
        ("no valid event in lines", NDJSON, "nonsense\n{}\n".to_owned()),
        ("an array without events", JSON, "[]".to_owned()),
        ("an unknown content type", "application/xml", "<event/>".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_gets_a_precise_problem_and_leaves_no_trace() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let mut problems = serde_json::Map::new();
    for (name, content_type, body) in refused() {
        let answer = client.try_post(content_type, body).await.unwrap();
        problems.insert(name.to_owned(), problem(&answer));
    }
    insta::assert_json_snapshot!("problems", problems);
    let status = client.status().await;
    assert_eq!(status["wal"]["highWater"], 0);
    assert_eq!(client.history("u").await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_types_and_encodings_that_are_not_taken_are_told_with_those_that_are() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = client.send(client.request(method, "/ingest")).await.unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method}");
        assert_eq!(problem(&answer)["code"], "method_not_allowed");
    }
    let answer = client.send(client.request("POST", "/history/user/u")).await.unwrap();
    assert_eq!(answer.status, 405);
    assert!(answer.header("allow").contains("GET"));
    let answer = client.try_post("application/xml", "<a/>").await.unwrap();
    assert_eq!(
        (answer.status, answer.header("accept-post")),
        (
            415,
            "application/json, application/x-ndjson, application/cloudevents+json, application/cloudevents-batch+json"
        )
    );
    let packed = client.request("POST", "/ingest").header("content-encoding", "br").body("x");
    let answer = client.send(packed).await.unwrap();
    assert_eq!((answer.status, answer.header("accept-encoding")), (415, "gzip, zstd"));
    for path in ["/", "/ingest/", "/ingest/more", "/history", "/admin/status", "/metrics"] {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.status, &problem(&answer)["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_with_the_limit_and_the_actual() {
    let builder = Weir::dev().set("gateway.body_bytes", "64KiB").set("gateway.batch_events", "100");
    let weir = builder.start().await;
    let client = weir.client();
    let noted = |bytes: usize| json!({"userId": "u", "itemId": "i", "eventType": "viewed", "properties": {"note": "x".repeat(bytes)}});
    let body = client.post(&noted(70_000)).await;
    let event_alone = client.post(&noted(40_000)).await;
    let events = client.post_ndjson(&vec![event("viewed", "u", "i"); 101]).await;
    let told: Vec<Value> = [body, event_alone, events]
        .iter()
        .map(|answer| {
            let problem = problem(answer);
            json!([answer.status, problem["code"], problem["detail"]])
        })
        .collect();
    insta::assert_json_snapshot!("too_large", told);
    assert_eq!(client.status().await["wal"]["highWater"], 0);
    assert_eq!(client.post(&noted(30_000)).await.status, 202);
    assert_eq!(client.post_ndjson(&vec![event("viewed", "u", "i"); 100]).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_on_both_listeners_and_readiness_by_role() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let health = client.get("/health").await;
    assert_eq!((health.status, &health.body), (200, &json!({"status": "ok"})));
    client.post(&event("viewed", "u", "i")).await.ok();
    client.settled().await;
    let ready = client.get("/health/ready").await;
    let roles = ["gateway", "projector", "api"]
        .map(|role| json!({"role": role, "ready": true, "degraded": []}));
    assert_eq!((ready.status, &ready.body), (200, &json!({"status": "ready", "roles": roles})));
    for (role, body) in ["gateway", "projector", "api"].into_iter().zip(&roles) {
        let answer = client.ready(role).await;
        assert_eq!((answer.status, &answer.body["roles"]), (200, &json!([body])));
    }
    assert_eq!(client.ready("barista").await.status, 404);

    let admin = Client::new(client.admin_url().to_owned(), client.admin_url().to_owned());
    assert_eq!(admin.get("/health").await.body, json!({"status": "ok"}));
    assert_eq!(admin.get("/metrics").await.status, 200);
    let status = client.status().await;
    let fields = [
        ("/version", json!(env!("CARGO_PKG_VERSION"))),
        ("/nats/connected", json!(true)),
        ("/nats/firstSeq", json!(1)),
        ("/nats/lastSeq", json!(1)),
        ("/wal/highWater", json!(1)),
        ("/wal/published", json!(1)),
        ("/wal/degraded", Value::Null),
        ("/generations/0/state", json!("active")),
        ("/generations/0/appliedThrough", json!(1)),
        ("/generations/0/lag", json!(0)),
        ("/generations/0/documents/users", json!(1)),
        ("/generations/0/documents/items", json!(1)),
    ];
    for (pointer, expected) in fields {
        assert_eq!(status.pointer(pointer), Some(&expected), "{pointer} in {status:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_becomes_ready_before_there_is_an_event() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let ready = eventually("all roles are ready", PATIENCE, async || {
        Some(client.get("/health/ready").await).filter(|answer| answer.status == 200)
    });
    assert_eq!(ready.await.body["status"], "ready");
    assert_eq!(client.settled().await["generations"][0]["appliedThrough"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_many_requests_and_errors_in_between() {
    let weir = Weir::dev().start().await;
    let address = weir.client().public_url().replace("http://", "");
    let statuses = tokio::task::spawn_blocking(move || {
        let mut connection = connect(&address);
        let good = event("viewed", "kept", "i").to_string();
        ["", "{", &good, "[]", &good].map(|body| {
            let request = format!(
                "POST /ingest HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            connection.write_all(request.as_bytes()).unwrap();
            read_answer(&mut connection)
        })
    });
    assert_eq!(statuses.await.unwrap(), [400, 400, 202, 422, 202]);
    weir.client().settled().await;
    assert_eq!(weir.client().history("kept").await.len(), 2);
}

fn connect(address: &str) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    connection
}

/// Reads one answer with a length and leaves the connection at the next.
fn read_answer(connection: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    connection.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    status_of(head.as_bytes()).unwrap()
}

fn status_of(answer: &[u8]) -> Option<u16> {
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

/// Bytes that a peer may send: noise, a whole request with noise for a body, and a request with some bytes changed.
fn nonsense() -> impl Strategy<Value = Vec<u8>> {
    let noise = || prop::collection::vec(any::<u8>(), 0..2_000);
    let framed = noise().prop_map(|body| {
        let mut request =
            format!("POST /ingest HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", body.len())
                .into_bytes();
        request.extend(body);
        request
    });
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let changed = changes.prop_map(|changes| {
        let body = event("viewed", "trace", "i").to_string();
        let mut request = format!(
            "POST /ingest HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes();
        for (place, byte) in changes {
            let place = place.index(request.len());
            request[place] = byte;
        }
        request
    });
    prop_oneof![noise(), framed, changed]
}

/// Sends bytes and the end of them; returns the status of the first answer, if there is one.
fn exchange(address: &str, bytes: &[u8]) -> Result<Option<u16>, TestCaseError> {
    let mut connection = connect(address);
    let closed = |error: &std::io::Error| {
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected
        )
    };
    let sent =
        connection.write_all(bytes).and_then(|()| connection.shutdown(std::net::Shutdown::Write));
    if let Err(error) = sent {
        prop_assert!(closed(&error), "cannot send: {error}");
    }
    let mut answer = Vec::new();
    if let Err(error) = connection.read_to_end(&mut answer) {
        prop_assert!(closed(&error), "it hangs: {error}");
    }
    Ok(status_of(&answer))
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_never_breaks_or_stops_the_gateway_and_leaves_no_trace() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let address = client.public_url().replace("http://", "");
    let accepted = tokio::task::spawn_blocking(move || {
        let accepted = std::cell::Cell::new(0_u64);
        // Who ends the connection before the answer may have sent an event, and is promised nothing.
        let unanswered = std::cell::Cell::new(0_u64);
        let mut runner =
            TestRunner::new(Config { cases: 96, failure_persistence: None, ..Config::default() });
        let held = runner.run(&nonsense(), |bytes| {
            match exchange(&address, &bytes)? {
                Some(status) if status >= 500 => prop_assert!(false, "{status}"),
                // Changes may leave a valid event: of another user, or with another header.
                Some(202) => accepted.set(accepted.get() + 1),
                None => unanswered.set(unanswered.get() + 1),
                Some(_) => {}
            }
            Ok(())
        });
        held.unwrap_or_else(|error| panic!("{error}"));
        (accepted.get(), unanswered.get())
    });
    let (accepted, unanswered) = accepted.await.unwrap();
    assert_eq!(client.post(&event("viewed", "after", "i")).await.status, 202);
    let status = client.settled().await;
    let stored = status["wal"]["highWater"].as_u64().unwrap();
    assert!(
        (accepted + 1..=accepted + unanswered + 1).contains(&stored),
        "{stored} are in the log; {accepted} were accepted before the last, {unanswered} not answered"
    );
    assert_eq!(status["generations"][0]["events"], stored);
    assert_eq!(status["generations"][0]["undecodable"], 0);
    assert_eq!(client.history("after").await.len(), 1);
}
