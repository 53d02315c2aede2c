//! The server that takes all writes, killed under load.

use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_killed_under_load_loses_nothing_that_was_acknowledged() {
    let Some(mut scene) = Scene::begin_with_database("killed").await else { return };
    let leader = scene.cluster.leader(None).await;
    scene.cluster.kill(leader);
    let next = scene.cluster.leader(Some(leader)).await;
    assert_ne!(next, leader);
    scene.flows().await;
    scene.cluster.restart(leader);
    scene.end("the stream's leader killed (kill -9)").await;
}
