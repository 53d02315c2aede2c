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
    let made = async || stand_in.databases().iter().any(|name| name == DATABASE).then_some(());
    eventually("the database is made", Duration::from_secs(20), made).await;
    weir
}

fn event(number: usize) -> serde_json::Value {
    let user = if number % 3 == 0 { "bad" } else { "good" };
    json!({"eventId": format!("e{number}"), "userId": user, "itemId": "i", "eventType": "viewed"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_that_cannot_be_written_opens_no_breaker_and_delays_nothing_of_the_rest() {
    let stand_in = StandIn::start();
    let weir = start(&stand_in).await;
    weir.client().post(&event(1)).await;
    let first = async || (stand_in.count(DATABASE, "viewed") == 1).then_some(());
    eventually("the first edge is there", Duration::from_secs(20), first).await;
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
    eventually("what failed comes back", Duration::from_secs(60), all).await;
    stand_in.assert_clean();
}
