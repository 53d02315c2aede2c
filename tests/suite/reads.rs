//! What applications read: histories, recommendations, and how soon an event changes them.

use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE, event, is_settled, text};
use crate::support::eventually;
use crate::support::load::numbered;
use crate::support::weir::Weir;

/// When the shop's events happened: the first minute of a day, then a minute each.
const DAY_MS: i64 = 1_717_200_000_000;
const MINUTE_MS: i64 = 60_000;

fn at(mut event: Value, minute: i64) -> Value {
    event["timestamp"] = json!(DAY_MS + minute * MINUTE_MS);
    event
}

fn named(mut event: Value, id: &str) -> Value {
    event["eventId"] = json!(id);
    event
}

/// Two circles of readers who share no item: tools, and what is for the evening.
fn shop() -> Vec<Value> {
    let mut events = Vec::new();
    let tools = (0..6).map(|n| (format!("maker-{n}"), ["drill", "screws", "glue"]));
    let evening = (0..4).map(|n| (format!("reader-{n}"), ["novel", "lamp", "tea"]));
    for (user, items) in tools.chain(evening) {
        events.extend(
            (0..).zip(items).map(|(minute, item)| at(event("viewed", &user, item), minute)),
        );
    }
    for (item, title) in [("screws", "Screws"), ("lamp", "Lamp")] {
        events.push(json!({"itemId": item, "eventType": "item_profile", "timestamp": DAY_MS, "properties": {"title": title, "price": 3.5}}));
    }
    events
}

async fn weir_with(events: &[Value]) -> (Weir, Client) {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    assert_eq!(client.post(&json!(events)).await.status, 202);
    client.settled().await;
    (weir, client)
}

/// Posts one event and returns once the graph has it.
async fn applied(client: &Client, event: &Value) {
    let before = client.status().await["generations"][0]["events"].as_u64();
    client.post(event).await.ok();
    client
        .status_when("the event is applied", |status| {
            is_settled(status) && status["generations"][0]["events"].as_u64() > before
        })
        .await;
}

fn items(answer: &Value) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|item| text(&item["itemId"])).collect()
}

fn item<'a>(answer: &'a Value, id: &str) -> &'a Value {
    let found = answer["items"].as_array().unwrap().iter().find(|item| item["itemId"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {answer:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_changes_the_next_answer() {
    let (_weir, client) = weir_with(&shop()).await;
    applied(&client, &at(event("viewed", "eve", "novel"), 10)).await;
    let before = client.recommendations("eve", "limit=2").await;
    assert_eq!(
        (&before["userId"], &before["basis"], &before["generation"], &before["source"]),
        (&json!("eve"), &json!("history"), &json!("g1"), &json!("memory"))
    );
    assert_eq!(items(&before), ["lamp", "tea"]);
    assert_eq!(item(&before, "lamp")["because"], json!(["novel"]));
    assert_eq!(item(&before, "lamp")["attrs"], json!({"title": "Lamp", "price": 3.5}));
    assert!(item(&before, "tea").get("attrs").is_none());

    applied(&client, &at(event("clicked", "eve", "drill"), 11)).await;
    let after = client.recommendations("eve", "limit=1").await;
    assert_eq!(items(&after), ["screws"], "what goes with the newest item comes first");
    assert_eq!(item(&after, "screws")["because"], json!(["drill"]));
    assert!(item(&after, "screws")["score"].as_f64().unwrap() > 0.0);
    let all = client.recommendations("eve", "limit=1000").await;
    assert_eq!(item(&all, "lamp")["because"], json!(["novel"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_has_seen_or_bought_is_left_out_as_asked() {
    let (_weir, client) = weir_with(&shop()).await;
    applied(&client, &at(event("viewed", "eve", "drill"), 10)).await;
    applied(&client, &at(event("purchased", "eve", "screws"), 11)).await;
    let all = ["drill", "glue", "lamp", "novel", "screws", "tea"];
    let without = |left_out: &[&str]| -> Vec<&str> {
        all.into_iter().filter(|item| !left_out.contains(item)).collect()
    };
    let cases = [
        ("", without(&["drill", "screws"])),
        ("exclude=seen", without(&["drill", "screws"])),
        ("exclude=purchased", without(&["screws"])),
        ("exclude=none", without(&[])),
    ];
    for (parameters, expected) in cases {
        let answer = client.recommendations("eve", parameters).await;
        let mut found = items(&answer);
        assert!(
            found[0] == "glue" || found[0] == "drill",
            "what goes with the tools first: {found:?}"
        );
        found.sort();
        assert_eq!(found, expected, "{parameters:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_are_those_of_the_latest_profile_whatever_the_order() {
    let (_weir, client) = weir_with(&shop()).await;
    let profile = |title: &str, minute| {
        at(
            json!({"itemId": "lamp", "eventType": "item_profile", "properties": {"title": title}}),
            minute,
        )
    };
    applied(&client, &profile("Newest", 20)).await;
    applied(&client, &profile("Late but older", 10)).await;
    let answer = client.recommendations("nobody", "limit=1000").await;
    assert_eq!(item(&answer, "lamp")["attrs"], json!({"title": "Newest"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_nobody_knows_gets_what_is_popular_and_marked_so() {
    let (_weir, client) = weir_with(&shop()).await;
    let answer = client.recommendations("nobody", "limit=4").await;
    assert_eq!(answer["basis"], "popular");
    assert_eq!(items(&answer)[..3], ["drill", "glue", "screws"]);
    for item in answer["items"].as_array().unwrap() {
        assert_eq!((&item["popular"], &item["because"]), (&json!(true), &json!([])));
    }
    let (_weir, client) =
        weir_with(&[at(json!({"userId": "alone", "eventType": "searched"}), 0)]).await;
    for user in ["nobody", "alone"] {
        assert_eq!(client.recommendations(user, "").await["items"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_bought_this_also_bought_counts_buyers_and_forgets_refunds() {
    let mut events = shop();
    for (n, other) in [(0, "screws"), (1, "screws"), (2, "screws"), (3, "glue")] {
        let user = format!("buyer-{n}");
        events.push(named(at(event("purchased", &user, "drill"), 20), &format!("drill-{n}")));
        events.push(named(at(event("purchased", &user, other), 21), &format!("other-{n}")));
    }
    let (_weir, client) = weir_with(&events).await;
    let also = async |parameters: &str| {
        client.get(&format!("/recommendations/item/drill?{parameters}")).await.ok()
    };
    let bought = also("type=purchased").await;
    assert_eq!(
        (&bought["itemId"], items(&bought)),
        (&json!("drill"), vec!["screws".to_owned(), "glue".to_owned()])
    );
    assert_eq!(
        (&item(&bought, "screws")["support"], &item(&bought, "glue")["support"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(item(&bought, "screws")["because"], json!(["drill"]));
    assert_eq!(item(&bought, "screws")["attrs"]["title"], "Screws");
    assert_eq!(
        item(&also("").await, "glue")["support"],
        7,
        "six have viewed both, one has bought both"
    );
    assert_eq!(items(&also("limit=1").await).len(), 1);
    assert_eq!(items(&also("type=liked").await), Vec::<String>::new());
    assert_eq!(
        items(&client.get("/recommendations/item/unknown").await.ok()),
        Vec::<String>::new()
    );

    for n in 0..3 {
        let refund = json!({"userId": format!("buyer-{n}"), "itemId": "screws", "eventType": "refunded", "retracts": format!("other-{n}")});
        applied(&client, &refund).await;
    }
    assert_eq!(items(&also("type=purchased").await), ["glue"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_takes_its_purchase_out_of_the_history_whatever_comes_first() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let purchase = |user: &str, id: &str| named(at(event("purchased", user, "drill"), 1), id);
    let refund = |user: &str| {
        at(
            json!({"userId": user, "itemId": "drill", "eventType": "refunded", "retracts": "order-1"}),
            5,
        )
    };
    for event in [purchase("after", "order-1"), purchase("after", "order-2"), refund("after")] {
        applied(&client, &event).await;
    }
    for event in [refund("before"), purchase("before", "order-1"), purchase("before", "order-2")] {
        applied(&client, &event).await;
    }
    // Another shop's order of the same number is another order.
    let mut elsewhere = purchase("before", "order-1");
    elsewhere["source"] = json!("another shop");
    applied(&client, &elsewhere).await;
    assert_eq!(client.event_ids("after").await, ["order-2"]);
    let kept: Vec<Value> = client
        .history("before")
        .await
        .iter()
        .map(|event| json!([event["eventId"], event["source"]]))
        .collect();
    assert_eq!(kept.len(), 2);
    assert!(
        kept.contains(&json!(["order-2", "default"]))
            && kept.contains(&json!(["order-1", "another shop"])),
        "{kept:?}"
    );
    assert_eq!(
        client.history_pages("after", "limit=1").await.concat().len(),
        1,
        "what is taken back fills no page"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_history_add_up_to_all_of_it_newest_first() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    // Many share a moment, and they arrive in another order than they happened in.
    let events: Vec<Value> = (0..240_i64)
        .map(|n| (n * 77) % 240)
        .map(|n| {
            let kind = if n % 3 == 0 { "purchased" } else { "viewed" };
            named(at(event(kind, "pat", &format!("item-{n}")), n / 8), &format!("e-{n}"))
        })
        .collect();
    client.post(&json!(events)).await.ok();
    client.settled().await;
    let whole = client.history("pat").await;
    assert_eq!(whole.len(), 240);
    let times: Vec<String> = whole.iter().map(|event| text(&event["timestamp"])).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older));
    assert_eq!(times[0], "2024-06-01T00:29:00.000Z");

    let pages = client.history_pages("pat", "limit=7").await;
    assert!(pages[..pages.len() - 1].iter().all(|page| page.len() == 7));
    assert_eq!(pages.concat(), whole);
    let bought: Vec<Value> =
        whole.iter().filter(|event| event["eventType"] == "purchased").cloned().collect();
    assert_eq!(client.history_pages("pat", "limit=9&type=purchased").await.concat(), bought);
    let older = client.history_pages("pat", "limit=1000&before=2024-06-01T00:10:00Z").await;
    let minutes = 20 * 8;
    assert_eq!(times[minutes - 1], "2024-06-01T00:10:00.000Z");
    assert_eq!(older.concat(), whole[minutes..], "a moment itself is not before it");
    assert_eq!(client.get("/history/user/pat").await.ok()["events"].as_array().unwrap().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_on_where_it_ended_though_newer_events_came() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let events: Vec<Value> = (0..1_500).map(|number| numbered("pat", number)).collect();
    client.post(&json!(events)).await.ok();
    client.settled().await;
    let first = client.get("/history/user/pat?limit=1000").await.ok();
    assert_eq!(first["events"].as_array().unwrap().len(), 1_000);
    applied(&client, &event("viewed", "pat", "newest")).await;
    let rest = client
        .get(&format!("/history/user/pat?limit=1000&before={}", text(&first["next"])))
        .await
        .ok();
    let ids: Vec<&str> = rest["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["eventId"].as_str().unwrap())
        .collect();
    assert_eq!((ids.len(), ids[0], ids[499]), (500, "pat-499", "pat-0"));
    assert!(rest.get("next").is_none(), "the end has no next");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_in_paths_may_be_anything_that_an_id_may_be() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let user = "müller/7?a=b#c 100%";
    client.post(&event("viewed", user, "../i&?")).await.ok();
    client.settled().await;
    let history = client.history("m%C3%BCller%2F7%3Fa%3Db%23c%20100%25").await;
    assert_eq!((history.len(), &history[0]["itemId"]), (1, &json!("../i&?")));
    assert_eq!(client.history("nobody").await, Vec::<Value>::new());
    let also = client.get("/recommendations/item/..%2Fi%26%3F").await.ok();
    assert_eq!(also["itemId"], "../i&?");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_told_precisely() {
    let weir = Weir::dev().start().await;
    let client = weir.client();
    let mut told = serde_json::Map::new();
    let wrong = [
        "/history/user/u?limit=0",
        "/history/user/u?limit=1001",
        "/history/user/u?limit=many&type=teleported&before=then",
        "/history/user/u?type=item_profile",
        "/history/user/u?befor=1",
        "/history/user/%07",
        "/history/user/%ff",
        "/recommendations/user/u?exclude=all",
        "/recommendations/user/u?limit=-1",
        "/recommendations/user/u?type=viewed",
        "/recommendations/item/i?type=nothing",
        "/recommendations/item/i?exclude=seen",
    ];
    for path in wrong {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, "application/problem+json"),
            "{path}"
        );
        let details = answer.body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|error| error["detail"].clone());
        told.insert(
            path.to_owned(),
            json!([answer.body["code"], answer.body["detail"], details.collect::<Vec<_>>()]),
        );
    }
    insta::assert_json_snapshot!("wrong_parameters", told);
    for path in ["/history/user/", "/recommendations/user/", "/history/user/a/b"] {
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
    let long = client.get(&format!("/history/user/{}", "u".repeat(257))).await;
    assert_eq!((long.status, &long.body["code"]), (400, &json!("invalid_id")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_read_within_moments_of_its_answer() {
    let (_weir, client) = weir_with(&shop()).await;
    let mut waits = Vec::new();
    for number in 0..40 {
        client.post(&numbered("quick", number)).await.ok();
        let answered = std::time::Instant::now();
        let there =
            async || (client.history("quick").await.len() as u64 == number + 1).then_some(());
        eventually("the event is in the history", PATIENCE, there).await;
        waits.push(answered.elapsed());
    }
    waits.sort();
    // Milliseconds by design; the bound only refuses what is another order of magnitude, as a polling loop is.
    assert!(waits[waits.len() / 2].as_millis() < 150, "{waits:?}");
}
