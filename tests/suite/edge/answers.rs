//! How far an event is when it is answered, and how much the answer says.

use serde_json::{Value, json};

use crate::support::client::{Answer, Client, event, text};
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

async fn post(client: &Client, parameters: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = client.request("POST", &format!("/ingest{parameters}")).json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_says_stream_comes_after_the_stream_has_it() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    client.settled().await;
    for n in 0..20 {
        let answer =
            post(&client, "?ack=stream", &[], &event("viewed", "u", &format!("i{n}"))).await;
        assert_eq!(
            (answer.status, &answer.body["ack"]),
            (200, &json!("stream")),
            "{}",
            answer.body
        );
        let status = client.status().await;
        assert!(status["nats"]["lastSeq"].as_u64() > Some(n), "{status:#}");
    }
    let mixed = post(&client, "?ack=stream", &[], &json!([event("viewed", "u", "i"), {}])).await;
    assert_eq!((mixed.status, &mixed.body["ack"]), (207, &json!("stream")));
    // Told again, it is where the first one is.
    let mut order = event("purchased", "u", "i");
    order["eventId"] = json!("o-1");
    post(&client, "", &[], &order).await.ok();
    let again = post(&client, "?ack=stream", &[], &order).await;
    assert_eq!((&again.body["ack"], &again.body["duplicates"]), (&json!("stream"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nats_is_away_an_answer_promises_the_disk_and_no_more() {
    let mut server = NatsServer::start();
    let weir = Weir::dev().nats(&server).set("gateway.ack_timeout", "300ms").start().await;
    let client = weir.client();
    client.settled().await;
    server.kill();
    let answer = post(&client, "?ack=stream", &[], &event("viewed", "u", "i")).await;
    assert_eq!((answer.status, &answer.body["ack"]), (202, &json!("disk")), "{}", answer.body);
    // Whoever wants no body is told all the same that less is true than was asked for.
    let minimal = [("prefer", "return=minimal")];
    let answer = post(&client, "?ack=stream", &minimal, &event("viewed", "u", "j")).await;
    assert_eq!((answer.status, &answer.body["ack"]), (202, &json!("disk")));
    assert_eq!(post(&client, "", &minimal, &event("viewed", "u", "k")).await.status, 204);
    server.restart();
    client.settled().await;
    assert_eq!(client.history("u").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_batch_is_stored_whole_or_not_at_all() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let mixed = json!([event("viewed", "u", "a"), event("viewed", "u", "b"), {"userId": "u"}]);
    let refused = post(&client, "?atomic=true", &[], &mixed).await;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("batch_not_valid")));
    assert_eq!(refused.body["errors"][0]["index"], 2);
    assert_eq!(client.status().await["wal"]["highWater"], 0);
    let whole = json!([event("viewed", "u", "a"), event("viewed", "u", "b")]);
    let answer = post(&client, "?atomic=true", &[], &whole).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(2)));
    let nothing_wrong = post(&client, "?atomic=false", &[], &mixed).await;
    assert_eq!(nothing_wrong.status, 207);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_prefers_it_gets_no_body_when_all_is_well() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let minimal = [("prefer", "return=minimal")];
    let answer = post(&client, "", &minimal, &event("viewed", "u", "i")).await;
    assert_eq!((answer.status, &answer.body), (204, &Value::Null));
    assert_eq!(answer.header("preference-applied"), "return=minimal");
    let mixed = post(&client, "", &minimal, &json!([event("viewed", "u", "i"), {}])).await;
    assert_eq!(mixed.status, 207);
    assert_eq!(text(&mixed.body["results"][1]["status"]), "invalid");
    let refused = post(&client, "?acknowledge=stream", &[], &event("viewed", "u", "i")).await;
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("invalid_parameter")));
}
