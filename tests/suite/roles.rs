//! The roles in processes of their own: each with its part, over one NATS server.

use serde_json::Value;

use crate::support::client::{Client, event, text};
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

/// Waits until an API has applied what the stream holds.
async fn caught_up(client: &Client, messages: u64) -> Value {
    let whole = |status: &Value| {
        status["nats"]["lastSeq"] == messages
            && status["generations"][0]["appliedThrough"] == messages
            && status["generations"][0]["phase"] == "live"
    };
    client.status_when(&format!("{messages} events are applied"), whole).await
}

/// Waits until everything a gateway has is in the stream.
async fn published(client: &Client) {
    client
        .status_when("everything is published", |status| {
            status["relay"]["sound"] == true
                && status["wal"]["published"] == status["wal"]["highWater"]
        })
        .await;
}

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_gateway_are_answered_by_an_api_that_shares_its_data_directory() {
    let server = NatsServer::start();
    let gateway = Weir::gateway().nats(&server).start().await;
    let mut api = Weir::api().nats(&server).data_dir(gateway.data_dir()).start().await;
    for item in ["tea", "cup"] {
        let answer = gateway.client().post(&event("purchased", "ann", item)).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    caught_up(&api.client(), 2).await;
    assert_eq!(api.client().history("ann").await.len(), 2);
    // After a restart it goes on from its snapshot.
    api.stop().await;
    gateway.client().post(&event("viewed", "ann", "pot")).await.ok();
    api.start_again().await;
    let status = caught_up(&api.client(), 3).await;
    assert_eq!(status["generations"][0]["events"], 1, "the snapshot holds the others");
    assert_eq!(api.client().history("ann").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_has_its_own_routes_readiness_and_status() {
    let server = NatsServer::start();
    let gateway = Weir::gateway().nats(&server).start().await;
    let api = Weir::api().nats(&server).start().await;
    let projector = Weir::projector().nats(&server).arango("http://127.0.0.1:9").start().await;
    caught_up(&api.client(), 0).await;
    published(&gateway.client()).await;
    for (weir, role, parts) in [
        (&gateway, "gateway", &["nats", "projection", "relay", "roles", "version", "wal"][..]),
        (&api, "api", &["generations", "nats", "projection", "roles", "version"]),
        (&projector, "projector", &["generations", "nats", "projection", "roles", "version"]),
    ] {
        let client = weir.client();
        let status = client.status().await;
        assert_eq!(fields(&status), parts, "{role}");
        assert_eq!(status["roles"][0], role);
        assert_eq!(client.get("/health").await.ok()["status"], "ok");
        let ready = client.get("/health/ready").await;
        assert_eq!(ready.body["roles"].as_array().map(Vec::len), Some(1), "{}", ready.body);
        assert_eq!(ready.body["roles"][0]["role"], role);
        assert_eq!(client.ready(role).await.body["roles"], ready.body["roles"]);
        let other = client.ready("dev").await;
        assert_eq!((other.status, text(&other.body["code"]).as_str()), (404, "unknown_role"));
        assert!(text(&other.body["detail"]).ends_with(role), "{}", other.body);
        let told = weir.bare_command().args(["status", "--admin-url", client.admin_url()]).output();
        let told = String::from_utf8(told.expect("weir runs").stdout).expect("text");
        assert!(
            told.starts_with(&format!("weir {} {role}\n", env!("CARGO_PKG_VERSION"))),
            "{told}"
        );
    }
    // Neither does what the other is for.
    assert_eq!(gateway.client().get("/history/user/ann").await.status, 404);
    assert_eq!(api.client().post(&event("viewed", "ann", "tea")).await.status, 404);
    assert_eq!(gateway.client().ready("gateway").await.status, 200);
    assert_eq!(api.client().ready("api").await.status, 200);
    let metrics = |weir: &Weir| reqwest::get(format!("{}/metrics", weir.client().admin_url()));
    for (weir, has, has_not) in [
        (&gateway, "weir_wal_high_water", "weir_graph_edges"),
        (&api, "weir_graph_edges", "weir_wal_high_water"),
    ] {
        let told = metrics(weir).await.expect("an answer").text().await.expect("text");
        let value = |name: &str| told.lines().any(|line| line.starts_with(&format!("{name} ")));
        assert!(value(has) && !value(has_not), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_takes_events_and_an_api_answers_while_nats_is_away() {
    let mut server = NatsServer::start();
    let gateway = Weir::gateway().nats(&server).start().await;
    let api = Weir::api().nats(&server).start().await;
    gateway.client().post(&event("viewed", "ann", "tea")).await.ok();
    caught_up(&api.client(), 1).await;

    server.kill();
    for item in ["cup", "pot"] {
        assert_eq!(gateway.client().post(&event("viewed", "ann", item)).await.status, 202);
    }
    assert_eq!(api.client().history("ann").await.len(), 1);
    let is_away = |status: &Value| status["nats"]["connected"] == false;
    gateway.client().status_when("the gateway has noticed", is_away).await;
    let ready = gateway.client().ready("gateway").await;
    assert_eq!(ready.status, 200);
    assert!(text(&ready.body["roles"][0]["degraded"][0]).contains("events wait"));
    assert_eq!(api.client().ready("api").await.status, 200);

    server.restart();
    caught_up(&api.client(), 3).await;
    assert_eq!(api.client().history("ann").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_one_role_cannot_share_a_data_directory_and_two_of_different_ones_can() {
    let server = NatsServer::start();
    let gateway = Weir::gateway().nats(&server).start().await;
    let dir = gateway.data_dir();
    let _api = Weir::api().nats(&server).data_dir(dir).start().await;
    for (second, role) in
        [(Weir::gateway(), "gateway"), (Weir::api(), "api"), (Weir::dev(), "gateway")]
    {
        let (status, told) = second.nats(&server).data_dir(dir).run().await;
        assert_eq!(status.code(), Some(1), "{told}");
        let wanted = format!("another weir uses the data directory {} as {role}", dir.display());
        assert!(told.contains(&wanted) && told.contains("--data-dir"), "{told}");
    }
    assert_eq!(gateway.client().post(&event("viewed", "ann", "tea")).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_what_it_needs_says_what_to_set() {
    for (role, wanted) in [
        (Weir::gateway(), &["nats.url", "weir gateway needs it", "--nats-url"][..]),
        (Weir::api(), &["nats.url", "weir api needs it", "WEIR_NATS__URL"]),
        (Weir::projector(), &["nats.url", "arango.url", "--arango-url", "2 problems"]),
    ] {
        let (status, told) = role.run().await;
        assert_eq!(status.code(), Some(2), "{told}");
        assert!(wanted.iter().all(|wanted| told.contains(wanted)), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_publishes_what_it_took_first() {
    let server = NatsServer::start();
    let mut gateway = Weir::gateway().nats(&server).start().await;
    let api = Weir::api().nats(&server).start().await;
    let events: Vec<Value> =
        (0..500).map(|number| event("viewed", "ann", &format!("i{number}"))).collect();
    gateway.client().post_ndjson(&events).await.ok();
    gateway.stop().await;
    caught_up(&api.client(), 500).await;
    assert_eq!(api.client().history("ann").await.len(), 500);
}
