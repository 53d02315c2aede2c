//! A disk that is lost with everything on it.

use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_leader_whose_disk_is_lost_comes_back_empty_and_gets_everything_again() {
    let Some(mut scene) = Scene::begin("wiped").await else { return };
    let leader = scene.cluster.leader(None).await;
    scene.cluster.kill(leader);
    // An empty server must not vote before the others have agreed on what there is.
    scene.cluster.leader(Some(leader)).await;
    scene.flows().await;
    scene.cluster.wipe(leader);
    scene.cluster.restart(leader);
    scene.cluster.whole().await;
    // It holds what the others hold: with one of them away, it is one of the two that must.
    let next = scene.cluster.leader(None).await;
    scene.cluster.kill(next);
    scene.cluster.leader(Some(next)).await;
    scene.flows().await;
    scene.cluster.restart(next);
    scene.end("the leader's disk lost, and then another node killed").await;
}
