//! Reads while something is away: answered from whatever can answer, and telling so.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE};
use crate::support::eventually;
use crate::support::load::numbered;
use crate::support::site::Site;
use crate::support::weir::Weir;

use super::publish;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The questions of a page of a shop.
const QUESTIONS: [&str; 6] = [
    "/history/user/ann?limit=5",
    "/history/user/ben?limit=50",
    "/recommendations/user/ann?limit=5",
    "/recommendations/user/nobody?limit=5",
    "/recommendations/item/item-1?limit=5",
    "/recommendations/item/nothing?limit=5",
];

/// Some users with items in common.
fn shop() -> Vec<Value> {
    let users = [("ann", 0..12), ("ben", 6..18), ("cem", 0..9), ("dot", 10..20)];
    let mut all: Vec<Value> = users
        .into_iter()
        .flat_map(|(user, numbers)| numbers.map(move |number| numbered(user, number)))
        .collect();
    all[3]["eventType"] = json!("purchased");
    all.push(json!({
        "itemId": "item-7", "eventType": "item_profile", "eventId": "about-7",
        "timestamp": 1_750_000_000_000_u64, "properties": {"title": "Seven"},
    }));
    all
}

/// A database that holds a log.
async fn filled(site: &Site, events: Vec<Value>) {
    let projector = site.on(Weir::projector()).start().await;
    publish(&site.nats.jetstream().await, events).await;
    site.drained(&projector.client(), "g1").await;
    site.holds_the_log("g1").await;
}

/// Everything answered, and where all of it came from, which must be one place.
async fn answers(client: &Client) -> (Vec<Value>, String) {
    let mut answers = Vec::new();
    let mut sources = Vec::new();
    for question in QUESTIONS {
        let mut answer = client.get(question).await.ok();
        sources.push(answer["source"].take());
        answers.push(answer);
    }
    assert!(sources.iter().all(|source| *source == sources[0]), "{sources:?}");
    (answers, sources[0].as_str().expect("a source").to_owned())
}

/// Waits until reads are answered from a source.
async fn answered_from(client: &Client, path: &str, source: &str) {
    let from = async || (client.get(path).await.body["source"] == source).then_some(());
    eventually(&format!("{path} is answered from {source}"), PATIENCE, from).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_image_lets_arangodb_answer_and_both_say_the_same() {
    let mut site = Site::migrated().await;
    filled(&site, shop()).await;
    site.nats.kill();
    let mut api = site.on(Weir::api()).start().await;
    let client = api.client();
    let (cold, source) = answers(&client).await;
    assert_eq!(source, "arangodb");
    let ready = client.ready("api").await;
    assert_eq!(ready.status, 200);
    let degraded = ready.body["roles"][0]["degraded"].to_string();
    assert!(degraded.contains("the graph in memory is behind the log"), "{degraded}");

    site.nats.restart();
    answered_from(&client, QUESTIONS[0], "memory").await;
    let (warm, source) = answers(&client).await;
    assert_eq!((source.as_str(), &warm), ("memory", &cold));

    // NATS goes away again: the image goes on, and after a restart the database does.
    site.nats.kill();
    client.status_when("NATS is away", |status| status["nats"]["connected"] == false).await;
    assert_eq!(answers(&client).await, (warm.clone(), "memory".to_owned()));
    api.stop().await;
    api.start_again().await;
    let (restarted, source) = answers(&client).await;
    assert_eq!((source.as_str(), restarted), ("arangodb", warm));
}

#[tokio::test(flavor = "multi_thread")]
async fn ingestion_and_reads_go_on_without_nats_over_restarts_of_both() {
    let mut site = Site::migrated().await;
    filled(&site, shop()).await;
    let mut gateway = site.on(Weir::gateway()).start().await;
    let projector = site.on(Weir::projector()).start().await;
    let mut api = site.on(Weir::api()).start().await;
    answered_from(&api.client(), QUESTIONS[0], "memory").await;
    site.nats.kill();
    let post = async |number| gateway_takes(&gateway.client(), number).await;
    for number in 100..120 {
        post(number).await;
    }
    gateway.kill();
    api.kill();
    gateway.start_again().await;
    api.start_again().await;
    for number in 120..140 {
        gateway_takes(&gateway.client(), number).await;
    }
    let (_, source) = answers(&api.client()).await;
    assert_eq!(source, "arangodb");
    site.nats.restart();
    super::published(&gateway.client()).await;
    site.drained(&projector.client(), "g1").await;
    site.holds_the_log("g1").await;
    let all = async || (api.client().history("later").await.len() == 40).then_some(());
    eventually("the image has what was accepted", PATIENCE, all).await;
    answered_from(&api.client(), QUESTIONS[0], "memory").await;
}

async fn gateway_takes(client: &Client, number: u64) {
    assert_eq!(client.post(&numbered("later", number)).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_cold_image_and_no_database_an_answer_is_partial_and_comes_soon() {
    let Some(mut site) = Site::failing().await else { return };
    filled(&site, shop()).await;
    let mut api = site.on(Weir::api()).set("arango.query_timeout", "300ms").start().await;
    let client = api.client();
    answered_from(&client, QUESTIONS[0], "memory").await;
    let (whole, _) = answers(&client).await;
    // Its snapshot says what it knew, but not whether that is all.
    api.stop().await;
    site.nats.kill();
    api.start_again().await;
    site.stand_in().stop();
    let (partial, source) = answers(&client).await;
    assert_eq!((source.as_str(), &partial), ("partial", &whole));
    assert_eq!(client.ready("api").await.status, 200);
    site.stand_in().start_again();
    answered_from(&client, QUESTIONS[0], "arangodb").await;

    // One that never answers is no different.
    site.stand_in().fault("hangs").queries().slow(Duration::from_mins(1));
    let began = Instant::now();
    let (partial, source) = answers(&client).await;
    assert_eq!((source.as_str(), &partial), ("partial", &whole));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    site.stand_in().clear_faults();
    answered_from(&client, QUESTIONS[0], "arangodb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_answers_is_503_with_a_time_to_retry() {
    let Some(site) = Site::failing().await else { return };
    filled(&site, shop()).await;
    // Of another projection, so that its image is of no use here.
    let store = site.nats.jetstream().await.get_key_value("WEIR").await.expect("the bucket");
    let record = store.get("generation.g1").await.expect("it answers").expect("it is there");
    let mut record: Value = serde_json::from_slice(&record).expect("JSON");
    record["fingerprint"] = json!("of another projection");
    store.put("generation.g1", record.to_string().into()).await.expect("it is written");
    let api = site.on(Weir::api()).start().await;
    let client = api.client();
    let from_database =
        async || (client.get(QUESTIONS[0]).await.body["source"] == "arangodb").then_some(());
    eventually("no image of another projection is asked", PATIENCE, from_database).await;
    site.stand_in().stop();
    for question in QUESTIONS {
        let answer = client.get(question).await;
        assert_eq!((answer.status, &answer.body["code"]), (503, &json!("graph_unavailable")));
        assert!(answer.header("retry-after").parse::<u32>().expect("seconds") > 0);
    }
    site.stand_in().start_again();
    answered_from(&client, QUESTIONS[0], "arangodb").await;
}

/// Events of users of all sorts, as an image of 30 days sees them.
fn of_all_ages() -> Vec<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let event = |user: &str, of: &str, item: &str, days: u64| {
        json!({
            "userId": user, "itemId": item, "eventType": of,
            "eventId": format!("{user}-{item}-{days}"), "timestamp": now - days * DAY_MS,
        })
    };
    vec![
        event("long", "viewed", "old-item", 100),
        event("long", "viewed", "new-item", 1),
        event("young", "viewed", "new-item", 2),
        event("young", "liked", "other-item", 3),
        event("buyer", "purchased", "bought-item", 200),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_image_leaves_to_arangodb_what_it_has_not() {
    let Some(site) = Site::failing().await else { return };
    filled(&site, of_all_ages()).await;
    let api = site.on(Weir::api()).set("image.days", "30").start().await;
    let client = api.client();
    answered_from(&client, "/history/user/young", "memory").await;
    let source = async |path: &str, entries: usize| {
        let answer = client.get(path).await.ok();
        assert_eq!(answer["events"].as_array().map(Vec::len), Some(entries), "{answer:#}");
        answer["source"].as_str().expect("a source").to_owned()
    };
    assert_eq!(source("/history/user/long", 2).await, "arangodb");
    assert_eq!(source("/history/user/young", 2).await, "memory");
    assert_eq!(source("/history/user/buyer", 1).await, "memory", "purchases are never bounded");
    let recommended = async |path: &str| client.get(path).await.ok()["source"].clone();
    assert_eq!(recommended("/recommendations/item/old-item").await, "arangodb");
    assert_eq!(recommended("/recommendations/user/long").await, "arangodb");
    assert_eq!(recommended("/recommendations/item/other-item").await, "memory");

    site.stand_in().stop();
    assert_eq!(source("/history/user/long", 1).await, "partial");
    assert_eq!(source("/history/user/young", 2).await, "memory");
    assert_eq!(recommended("/recommendations/item/old-item").await, "partial");
    let named = async || {
        client.get("/history/user/long").await.ok();
        let ready = client.ready("api").await;
        let told = ready.body["roles"][0]["degraded"].to_string();
        (ready.status == 200 && told.contains("ArangoDB does not answer")).then_some(())
    };
    eventually("readiness names what is missing", PATIENCE, named).await;
    site.stand_in().start_again();
    answered_from(&client, "/history/user/long", "arangodb").await;
}
