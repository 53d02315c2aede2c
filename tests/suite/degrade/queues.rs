//! Two queues: what may yet work waits in RETRY, what never can lies in PARKED, and nobody waits for either.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::arango::StandIn;
use crate::support::client::{Client, PATIENCE, text};
use crate::support::eventually;
use crate::support::load::numbered;
use crate::support::site::{Site, in_database, is_drained};
use crate::support::weir::Weir;

use super::{events, publish};

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_all_documents_that_fails_for_a_while_waits_and_arrives() {
    let Some(site) = Site::failing().await else { return };
    site.stand_in().fault("locked").writes().share_of_elements(1302, 0.05);
    let projector = site.on(Weir::projector()).start().await;
    publish(&site.nats.jetstream().await, events("any", 0..600)).await;
    let waits = |status: &Value| {
        let graph = in_database(status, "g1");
        graph["lag"] == 0 && graph["retrying"].as_u64() > Some(10)
    };
    let status = projector.client().status_when("some wait in RETRY", waits).await;
    assert_eq!(in_database(&status, "g1")["parked"], 0);
    assert_eq!(in_database(&status, "g1")["lastFailure"]["code"], "arango_1302");
    site.stand_in().clear_faults();
    site.drained(&projector.client(), "g1").await;
    site.holds_the_log("g1").await;
}

/// An event of one collection that is written by nobody else.
fn liked(number: u64) -> Value {
    let mut event = numbered("mixed", number);
    if number.is_multiple_of(3) {
        event["eventType"] = json!("liked");
    }
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_takes_no_writes_parks_nothing_and_heals_by_itself() {
    let Some(site) = Site::failing().await else { return };
    let projector = site.on(Weir::projector()).start().await;
    let client = projector.client();
    let context = site.nats.jetstream().await;
    // Its vertices are known then, as in a flow that goes on.
    publish(&context, events("mixed", 2_000..2_050)).await;
    site.drained(&client, "g1").await;

    // A third of all: the breaker stays closed, the others go on.
    site.stand_in().fault("no leader").writes().collection("liked").elements(1465);
    publish(&context, (0..300).map(liked)).await;
    let others_go_on = |status: &Value| {
        let graph = in_database(status, "g1");
        graph["lag"] == 0 && graph["retrying"] == 100
    };
    let status = client.status_when("the others are applied", others_go_on).await;
    assert_eq!(in_database(&status, "g1")["breakerOpen"], false);
    assert_eq!(in_database(&status, "g1")["parked"], 0);
    assert_eq!(site.stand_in().count(&site.database("g1"), "liked"), 0);
    site.stand_in().clear_faults();
    site.drained(&client, "g1").await;

    // Nearly all: the breaker opens, and what is not tried waits in the log.
    site.stand_in().fault("few followers").writes().collection("viewed").elements(1429);
    publish(&context, events("mixed", 1_000..1_400)).await;
    let opened = |status: &Value| in_database(status, "g1")["breakerOpen"] == true;
    let status = client.status_when("the breaker opens", opened).await;
    assert_eq!(in_database(&status, "g1")["parked"], 0);
    assert_eq!(in_database(&status, "g1")["lastFailure"]["code"], "arango_1429");
    site.stand_in().clear_faults();
    let status = site.drained(&client, "g1").await;
    assert_eq!(in_database(&status, "g1")["parked"], 0);
    assert_eq!(in_database(&status, "g1")["breakerOpen"], false);
    site.holds_the_log("g1").await;
}

/// Has every edge of an item fail for good.
fn poison(stand_in: &StandIn) {
    stand_in.fault("poison").writes().collection("viewed").elements_if(1233, |_, edge| {
        edge["_to"].as_str().is_some_and(|to| to.ends_with("/poison"))
    });
}

fn poisonous(number: u64) -> Value {
    let mut event = numbered("drinker", number);
    event["itemId"] = json!("poison");
    event
}

async fn parked(site: &Site) -> Vec<Value> {
    let listed = site.weir("parked list --json").await.json();
    listed["entries"].as_array().expect("a list").clone()
}

/// Waits until so many entries are open.
async fn holds_parked(client: &Client, count: u64) {
    let holds = |status: &Value| {
        let graph = in_database(status, "g1");
        graph["parked"] == count && graph["lag"] == 0 && graph["retrying"] == 0
    };
    client.status_when(&format!("{count} are parked"), holds).await;
}

/// Has the server deliver the whole log once more.
async fn delivered_again(site: &Site, client: &Client) {
    let applied = |status: &Value| in_database(status, "g1")["events"].as_u64().unwrap_or(0);
    let before = applied(&client.status().await);
    let stream = site.nats.jetstream().await.get_stream("EVENTS").await.expect("the stream");
    stream.delete_consumer("projector-g1").await.expect("it is gone");
    let again = |status: &Value| applied(status) > before && is_drained(status, "g1");
    client.status_when("the log was delivered again", again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_parked_once_and_leaves_when_it_is_applied_or_given_up() {
    let Some(site) = Site::failing().await else { return };
    poison(site.stand_in());
    let projector = site.on(Weir::projector()).start().await;
    let client = projector.client();
    let context = site.nats.jetstream().await;
    publish(&context, events("sound", 0..40)).await;
    publish(&context, (0..3).map(poisonous)).await;
    publish(&context, events("sound", 40..80)).await;
    holds_parked(&client, 3).await;
    let entries = parked(&site).await;
    assert_eq!(entries.len(), 3);
    for entry in &entries {
        assert_eq!(entry["reason"], "arango_1233", "{entry}");
        assert!(text(&entry["error"]).contains("poison (injected)"), "{entry}");
        assert_eq!((&entry["attempts"], &entry["generation"]), (&json!(1), &json!("g1")));
        assert_eq!(entry["subject"], "events.viewed");
    }
    let origins = |name: &str| -> BTreeSet<String> {
        entries.iter().map(|entry| entry[name].to_string()).collect()
    };
    assert_eq!(origins("sequence"), ["41", "42", "43"].map(str::to_owned).into());
    assert_eq!(origins("messageId"), ["0", "1", "2"].map(|n| format!("\"drinker-{n}\"")).into());
    let ids: Vec<String> = entries.iter().map(|entry| text(&entry["id"])).collect();
    let open: BTreeSet<String> = ids.iter().cloned().collect();
    let shown = site.weir(&format!("parked show {} --json", ids[0])).await.json();
    assert!(text(&shown["payload"]).contains(&text(&entries[0]["messageId"])), "{shown}");

    // However often it is delivered.
    delivered_again(&site, &client).await;
    holds_parked(&client, 3).await;
    let still = parked(&site).await;
    assert_eq!(still.iter().map(|entry| text(&entry["id"])).collect::<BTreeSet<_>>(), open);

    // Tried in vain it stays, and says that it was tried.
    site.weir(&format!("parked redrive --id {} --yes", ids[0])).await.ok();
    let tried = async || {
        let entry = parked(&site).await.into_iter().find(|entry| entry["id"] == *ids[0])?;
        (entry["attempts"].as_u64() >= Some(2)).then_some(())
    };
    eventually("the attempt is counted", PATIENCE, tried).await;
    holds_parked(&client, 3).await;

    // The third is given up while it is still poison.
    let dropped = site.weir(&format!("parked drop --id {} --yes --json", ids[2])).await.json();
    assert_eq!(dropped["done"], 1);
    holds_parked(&client, 2).await;
    site.stand_in().clear_faults();
    // The first by a redrive; the second, as all, by another delivery.
    let redriven = site.weir(&format!("parked redrive --id {} --yes --json", ids[0])).await.json();
    assert_eq!(redriven["done"], 1);
    holds_parked(&client, 1).await;
    delivered_again(&site, &client).await;
    holds_parked(&client, 0).await;
    assert!(parked(&site).await.is_empty());
    site.holds_the_log("g1").await;
}
