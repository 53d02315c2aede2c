//! Processes killed under load, at moments drawn by chance.

use std::sync::Arc;

use crate::support::client::digest;
use crate::support::load::Load;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;
use crate::support::weir::{NatsChild, Weir};

use super::digest_from_nothing;

const ROUNDS: u64 = 10;

/// Events between two kills, at most.
const APART: u64 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_weir_and_its_server_lose_nothing_accepted_and_double_nothing() {
    let seed = Arc::new(Seed::new());
    let mut weir = Weir::dev().start().await;
    let client = weir.client();
    let load = Load::start("killed", &client, 4, &seed);
    for round in 0..ROUNDS {
        load.grows_by(seed.pick(1..APART)).await;
        let nats = weir.nats_child();
        match round % 3 {
            0 => weir.kill(),
            1 => nats.expect("the server runs").kill(),
            _ => {
                // One of the two may still be coming back from the round before.
                nats.iter().for_each(NatsChild::kill);
                weir.kill();
            }
        }
        if round % 3 != 1 {
            weir.start_again().await;
        }
    }
    load.grows_by(1).await;
    assert!(load.unanswered() > 0, "the kills were felt");
    let produced = load.stop().await;
    client.settled().await;
    for producer in produced {
        producer.is_in_history_once(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_weir_and_a_server_of_its_own_lose_nothing_of_any_producer() {
    let seed = Arc::new(Seed::new());
    let mut server = NatsServer::start();
    let mut weir = Weir::dev().nats(&server).start().await;
    let client = weir.client();
    client.settled().await;
    let mut load = Load::start("either", &client, 3, &seed);
    load.publish_directly(server.jetstream().await);
    for round in 0..6 {
        load.grows_by(seed.pick(1..APART)).await;
        if round % 3 != 0 {
            server.kill();
        }
        if round % 3 != 1 {
            weir.kill();
        }
        if round % 3 != 1 {
            weir.start_again().await;
        }
        if round % 3 != 0 {
            server.restart();
        }
    }
    load.grows_by(1).await;
    let produced = load.stop().await;
    let status = client.settled().await;
    for producer in produced {
        producer.is_in_history_once(&client).await;
    }
    assert_eq!(digest(&status), digest_from_nothing(&server).await);
}
