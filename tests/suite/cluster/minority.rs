//! A server cut off from the two others, while clients still reach it or nobody does.

use async_nats::jetstream::Context;

use super::scene::Scene;

/// Publishes to a server that is cut off, which must not say that it has it.
async fn is_not_acknowledged(context: &Context) {
    for number in 0..3 {
        let event = format!(r#"{{"userId":"cut","itemId":"i","eventId":"cut-{number}"}}"#);
        let sent = context.publish("events.viewed", event.into()).await;
        let acknowledged = match sent {
            Ok(sent) => sent.await.is_ok(),
            Err(_) => false,
        };
        assert!(!acknowledged, "one copy of three is acknowledged");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_leader_cut_off_from_the_others_acknowledges_nothing_and_its_clients_leave_it() {
    let Some(scene) = Scene::begin_at_the_leader("cut").await else { return };
    let leader = scene.cluster.leader(None).await;
    let there = scene.cluster.context_at("producer", leader).await;
    scene.cluster.cut_from_others(leader);
    is_not_acknowledged(&there).await;
    // Clients of the one that was cut off find that it answers nothing, and go to the others.
    scene.flows().await;
    is_not_acknowledged(&there).await;
    scene.cluster.heal(leader);
    scene.end("the stream's leader cut off from the others, healed").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_leader_that_nobody_reaches_is_done_without_and_catches_up_when_it_is_back() {
    let Some(scene) = Scene::begin("gone").await else { return };
    let leader = scene.cluster.leader(None).await;
    scene.cluster.cut_from_all(leader);
    scene.flows().await;
    scene.load.grows_by(200).await;
    scene.cluster.heal(leader);
    scene.end("the stream's leader cut off from everybody, healed").await;
}
