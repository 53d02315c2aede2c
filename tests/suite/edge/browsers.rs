//! What browsers send: beacons, pictures, and pages of other origins.

use serde_json::json;

use crate::support::client::{Answer, Client, event};
use crate::support::weir::Weir;

async fn send(
    client: &Client,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = client.request(method, path).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beacon_is_taken_and_answered_with_nothing() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let headers = [
        ("content-type", "text/plain;charset=UTF-8"),
        ("sec-fetch-mode", "no-cors"),
        ("origin", "https://anywhere.example"),
    ];
    let body = json!([event("viewed", "u", "a"), event("viewed", "u", "b")]).to_string();
    let answer = send(&client, "POST", "/ingest", &headers, &body).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (204, ""));
    client.settled().await;
    assert_eq!(client.history("u").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_an_event() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let path = "/pixel.gif?userId=u&sku=green%20tea&event=Product+Viewed&value=3.5&campaign=spring";
    let answer = send(&client, "GET", path, &[], "").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "image/gif"),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    client.settled().await;
    let history = client.history("u").await;
    assert_eq!((&history[0]["itemId"], &history[0]["value"]), (&json!("green tea"), &json!(3.5)));
    let wrong = send(&client, "GET", "/pixel.gif?userId=u&event=viewed", &[], "").await;
    assert_eq!((wrong.status, &wrong.body["code"]), (400, &json!("invalid_event")));
    assert_eq!(send(&client, "POST", "/pixel.gif", &[], "").await.header("allow"), "GET");
    assert_eq!(send(&client, "GET", "/ingest", &[], "").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_read_answers_and_others_do_not() {
    let weir = Weir::dev()
        .set("cors.origins", "https://shop.example, http://localhost:3000")
        .start()
        .await;
    let client = weir.client();
    let body = event("viewed", "u", "i").to_string();
    let asks = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ]
    };
    for path in ["/ingest", "/history/user/u"] {
        let allowed = send(&client, "OPTIONS", path, &asks("https://shop.example"), "").await;
        assert_eq!(allowed.status, 204, "{path}");
        assert_eq!(allowed.header("access-control-allow-origin"), "https://shop.example");
        assert!(allowed.header("access-control-allow-headers").contains("content-type"));
        assert_eq!(allowed.header("access-control-allow-credentials"), "");
        let refused = send(&client, "OPTIONS", path, &asks("https://evil.example"), "").await;
        assert_eq!((refused.status, &refused.body["code"]), (403, &json!("origin_not_allowed")));
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }
    let from = |origin| [("origin", origin), ("content-type", "application/json")];
    let answer = send(&client, "POST", "/ingest", &from("http://localhost:3000"), &body).await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (202, "http://localhost:3000")
    );
    // A page must be able to read what was wrong, too.
    let wrong = send(&client, "POST", "/ingest", &from("https://shop.example"), "{").await;
    assert_eq!(
        (wrong.status, wrong.header("access-control-allow-origin")),
        (400, "https://shop.example")
    );
    let other = send(&client, "POST", "/ingest", &from("https://evil.example"), &body).await;
    assert_eq!((other.status, other.header("access-control-allow-origin")), (202, ""));
    assert_eq!(send(&client, "OPTIONS", "/ingest", &[], "").await.status, 405);
}
