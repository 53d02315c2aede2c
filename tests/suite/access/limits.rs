//! How much a key may send.

use serde_json::json;

use super::key;
use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::weir::Weir;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_has_sent_too_much_is_told_when_to_go_on() {
    let server = NatsServer::start();
    let weir = Weir::dev().nats(&server).set("access.mode", "keys").start().await;
    let slow = weir.client().showing(&key(&server, &["--scope", "write", "--rate-events", "50"]));
    let quick = weir.client().showing(&key(&server, &["--scope", "write"]));
    let one = event("viewed", "u", "i");
    let first = eventually("the key is known", PATIENCE, async || {
        let answer = slow.post(&one).await;
        (answer.status == 202).then_some(answer)
    })
    .await;
    assert_eq!(first.header("ratelimit-limit"), "100");
    assert!(first.header("ratelimit-remaining").parse::<u64>().expect("a number") >= 90);
    // A batch is admitted whole, and paid for afterwards.
    assert_eq!(slow.post(&json!(vec![one.clone(); 400])).await.status, 202);
    let refused = slow.post(&one).await;
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")));
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((4..=8).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    let other = quick.post(&one).await;
    assert_eq!((other.status, other.header("ratelimit-limit")), (202, ""));
    eventually("it may go on", PATIENCE, async || {
        (slow.post(&one).await.status == 202).then_some(())
    })
    .await;
}
