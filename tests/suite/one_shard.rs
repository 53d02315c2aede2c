//! A part of ArangoDB that cannot be written, against a real weir and nats-server: it costs the rest nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::arango::StandIn;
use crate::support::eventually;
use crate::support::weir::Weir;

const DATABASE: &str = "recsys_g1";

async fn start(stand_in: &StandIn) -> Weir {
    let weir = Weir::dev()
        .arango(&stand_in.url())
        .set("arango.user", StandIn::USER)
        .set("arango.password", &stand_in.password())
        .start()
        .await;
    weir.client().post(&event(1)).await;
    let first = || {
        stand_in.databases().iter().any(|name| name == DATABASE)
            && stand_in.collections(DATABASE).iter().any(|name| name == "viewed")
            && stand_in.count(DATABASE, "viewed") == 1
    };
    eventually("the first edge is there", Duration::from_secs(20), async || first().then_some(()))
        .await;
    weir
}

fn event(number: usize) -> serde_json::Value {
    let user = if number.is_multiple_of(3) { "bad" } else { "good" };
    json!({"eventId": format!("e{number}"), "userId": user, "itemId": "i", "eventType": "viewed"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_that_cannot_be_written_opens_no_breaker_and_delays_nothing_of_the_rest() {
    let stand_in = StandIn::start();
    let weir = start(&stand_in).await;
    // 1465: the leader of a shard is not known now.
    stand_in.fault("shard").writes().elements_if(1465, |_, document| {
        document["_from"] == "users/bad" || document["_key"] == "bad"
    });
    let mut slowest = Duration::ZERO;
    for round in 1..25 {
        // One at a time, as they come where little happens: each is a batch of its own.
        weir.client().post(&event(3 * round)).await;
        for of in 1..3 {
            let began = Instant::now();
            weir.client().post(&event(3 * round + of)).await;
            let there =
                async || (stand_in.count(DATABASE, "viewed") == 2 * round + of - 1).then_some(());
            eventually("the edge is there", Duration::from_secs(40), there).await;
            slowest = slowest.max(began.elapsed());
        }
    }
    assert!(slowest < Duration::from_secs(2), "the slowest took {slowest:?}");
    stand_in.clear_fault("shard");
    let all = async || (stand_in.count(DATABASE, "viewed") == 1 + 24 + 48).then_some(());
    eventually("what failed comes back", Duration::from_mins(1), all).await;
    stand_in.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_a_while_gets_everything_and_little_waits_in_retry() {
    let stand_in = StandIn::start();
    let weir = start(&stand_in).await;
    stand_in.fault("away").writes().unavailable_without_json();
    for number in 2..41 {
        weir.client().post(&event(number)).await;
    }
    let database = |status: &serde_json::Value| {
        let graphs = status["generations"].as_array().cloned().unwrap_or_default();
        graphs.into_iter().find(|graph| graph["store"] == "arangodb").unwrap_or_default()
    };
    let open = |status: &serde_json::Value| database(status)["breakerOpen"] == true;
    weir.client().status_when("the breaker is open", open).await;
    let before = stand_in.struck("away");
    // Some trials fail meanwhile: each gives back what it was made with.
    let tried = async || (stand_in.struck("away") >= before + 4).then_some(());
    eventually("it is tried again", Duration::from_mins(1), tried).await;
    let status = weir.client().status().await;
    let waiting = database(&status)["retrying"].as_u64().expect("it is known");
    assert_eq!((waiting, stand_in.count(DATABASE, "viewed")), (0, 1), "{status}");
    stand_in.clear_fault("away");
    let all = async || (stand_in.count(DATABASE, "viewed") == 40).then_some(());
    eventually("all of it is there", Duration::from_mins(1), all).await;
    stand_in.assert_clean();
}
