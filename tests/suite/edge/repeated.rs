//! Requests that are sent again.

use serde_json::{Value, json};

use crate::support::client::{Answer, Client, event, text};
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

async fn post_as(client: &Client, key: &str, body: &Value) -> Answer {
    let request = client.request("POST", "/ingest").header("idempotency-key", key).json(body);
    client.send(request).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_again_under_its_key_counts_once_on_every_gateway() {
    let server = NatsServer::start();
    let weir = Weir::dev().nats(&server).start().await;
    let other = Weir::gateway().nats(&server).start().await;
    let (client, other) = (weir.client(), other.client());
    let batch =
        json!([event("viewed", "u", "a"), event("viewed", "u", "a"), event("viewed", "u", "b")]);
    let first = post_as(&client, "nightly-1", &batch).await;
    assert_eq!((&first.body["accepted"], &first.body["duplicates"]), (&json!(3), &json!(0)));
    let again = post_as(&client, "nightly-1", &batch).await;
    assert_eq!((&again.body["accepted"], &again.body["duplicates"]), (&json!(0), &json!(3)));
    // A gateway that has not seen it stores it, and the graph has it once.
    let elsewhere = post_as(&other, "nightly-1", &batch).await;
    assert_eq!(elsewhere.body["accepted"], 3);
    post_as(&other, "nightly-2", &batch).await.ok();
    other.get("/health").await.ok();
    let status = client
        .status_when("both gateways' events are applied", |status| {
            status["nats"]["lastSeq"].as_u64() == Some(9)
                && status["generations"][0]["appliedThrough"] == 9
        })
        .await;
    let history = client.history("u").await;
    assert_eq!(history.len(), 6, "{status:#}\n{history:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_its_own_goes_before_the_requests() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let mut named = event("purchased", "u", "i");
    named["eventId"] = json!("mine");
    let told = post_as(&client, "\"quoted\"", &named).await;
    assert_eq!(text(&told.body["eventId"]), "mine");
    let derived = post_as(&client, "\"quoted\"", &event("viewed", "u", "i")).await;
    let same = post_as(&client, "quoted", &event("viewed", "u", "i")).await;
    assert_eq!(derived.body["eventId"], same.body["eventId"]);
    assert_eq!(same.body["duplicates"], 1);
    let wrong = post_as(&client, "a b", &event("viewed", "u", "i")).await;
    assert_eq!((wrong.status, &wrong.body["code"]), (400, &json!("invalid_idempotency_key")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_an_id_and_no_time_is_known_again() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let mut order = event("purchased", "u", "i");
    order["eventId"] = json!("o-1");
    assert_eq!(client.post(&order).await.body["accepted"], 1);
    assert_eq!(client.post(&order).await.body["duplicates"], 1);
    order["itemId"] = json!("another");
    assert_eq!(client.post(&order).await.body["accepted"], 1);
    client.settled().await;
    assert_eq!(client.history("u").await.len(), 2);
}
