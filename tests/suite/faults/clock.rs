//! A wall clock that jumps, or stands where no clock should.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{LOG, all_is_kept, is_refused_for_now, takes_again};
use crate::support::client::{PATIENCE, event};
use crate::support::eventually;
use crate::support::faults::Faults;
use crate::support::load::Load;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;
use crate::support::weir::Weir;

pub const YEAR_MS: i64 = 365 * 86_400_000;
/// Between two events of a producer: the reading of all of them at the end shall not be what takes the time.
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_a_year_ahead_and_back_holds_nobody_up() {
    let Some(faults) = Faults::at(LOG) else { return };
    let (mut server, seed) = (NatsServer::start(), Arc::new(Seed::new()));
    let mut weir = faults.on(Weir::dev().nats(&server)).start().await;
    let client = weir.client();
    let load = Load::start_gently("jumped", &client, 4, &seed, PAUSE);
    let mut without_id = 0;
    for years in [1, 0, -1, 1, -1, 0] {
        load.grows_by(50).await;
        faults.shift_clock(years * YEAR_MS);
        load.grows_by(50).await;
        for _ in 0..10 {
            client.post(&event("viewed", "timeless", "i")).await.ok();
            without_id += 1;
        }
        match years {
            // Every part of the way notices it: the relay, the stream's connection, the log on the disk.
            1 => {
                server.kill();
                server.restart();
            }
            -1 => {
                weir.kill();
                weir.start_again().await;
            }
            _ => {}
        }
        client.settled().await;
    }
    all_is_kept(load, &client).await;
    assert_eq!(client.event_ids("timeless").await.len(), without_id, "ids stay apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_although_the_clock_jumps() {
    let Some(faults) = Faults::at(LOG) else { return };
    let (server, seed) = (NatsServer::start(), Arc::new(Seed::new()));
    let weir = faults.on(Weir::dev().nats(&server)).start().await;
    let client = weir.client();
    let load = Load::start("replayed", &client, 4, &seed);
    load.grows_by(2_000).await;
    let produced = load.stop().await;
    client.settled().await;
    faults.shift_clock(YEAR_MS);
    let begun =
        client.send(client.admin_request("POST", "/admin/jobs").json(&json!({"verb": "replay"})));
    let job = begun.await.expect("an answer").ok();
    faults.shift_clock(-YEAR_MS);
    let path = format!("/admin/jobs/{}", job["id"].as_str().expect("an id"));
    let ended = async || {
        let told = client.send(client.admin_request("GET", &path)).await.ok()?.ok();
        (told["state"] == "done").then_some(())
    };
    eventually("the job is done", PATIENCE, ended).await;
    for producer in produced {
        producer.is_in_history_once(&client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_clock_stands_outside_all_times_says_so_and_takes_events_once_it_is_right()
{
    let Some(faults) = Faults::at(LOG) else { return };
    let (server, seed) = (NatsServer::start(), Arc::new(Seed::new()));
    let mut weir = faults.on(Weir::dev().nats(&server)).start().await;
    let client = weir.client();
    let load = Load::start("timed", &client, 2, &seed);
    load.grows_by(100).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    for wrong in [-(now.as_millis() as i64), 60 * YEAR_MS] {
        faults.shift_clock(wrong);
        let refused = is_refused_for_now(&client).await;
        assert_eq!(refused.body["code"], "gateway_clock");
        // It is no reason not to start, nor not to read what there is.
        weir.kill();
        weir.start_again().await;
        assert_eq!(is_refused_for_now(&client).await.body["code"], "gateway_clock");
        assert_eq!(client.get("/health").await.status, 200);
        faults.shift_clock(0);
        takes_again(&client).await;
        load.grows_by(50).await;
    }
    all_is_kept(load, &client).await;
}
