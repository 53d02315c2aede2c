//! All servers restarted in good order, one after the other.

use super::scene::Scene;
use crate::support::cluster::NODES;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: scripts/test long"]
async fn a_rolling_restart_stalls_nobody_for_long_and_loses_nothing() {
    let Some(mut scene) = Scene::begin("rolled").await else { return };
    for node in 1..=NODES {
        scene.cluster.lame_duck(node);
        scene.flows().await;
        scene.cluster.restart(node);
        scene.cluster.whole().await;
    }
    scene.end("every node restarted in turn (lame duck)").await;
}
