//! One process that holds all graphs in its memory, and all that may go wrong with it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::ending::{ENDING, acts, is_whole, jobs_are_right, jobs_end, log_holds, records};
use super::operator::Operator;
use super::readers::Readers;
use crate::degrade::published;
use crate::support::client::text;
use crate::support::load::Load;
use crate::support::mixed::Mixed;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;
use crate::support::site::graph_below;
use crate::support::weir::Weir;

const ACTS: u64 = 12;
const PAUSE: Duration = Duration::from_millis(25);

struct Chaos {
    nats: NatsServer,
    weir: Weir,
    operator: Operator,
}

impl Chaos {
    async fn act(&mut self, load: &Load) {
        match self.operator.seed.pick(0..30) {
            0..=3 => self.kill().await,
            4 => self.stop().await,
            5 | 6 => self.freeze().await,
            7 | 8 => self.restart_nats(load).await,
            _ => self.operator.act().await,
        }
    }

    async fn kill(&mut self) {
        self.operator.did("kill weir", "");
        self.weir.kill();
        self.weir.start_again().await;
    }

    async fn stop(&mut self) {
        self.operator.did("stop weir", "");
        self.weir.stop().await;
        self.weir.start_again().await;
    }

    /// That it stands still is all that happens for as long.
    async fn freeze(&mut self) {
        let pause = Duration::from_millis(self.operator.seed.pick(100..3_000));
        self.operator.did("freeze weir", &format!("{pause:?}"));
        self.weir.freeze();
        tokio::time::sleep(pause).await;
        self.weir.thaw();
    }

    async fn restart_nats(&mut self, load: &Load) {
        let killed = self.operator.seed.once_in(2);
        self.operator.did("restart nats-server", if killed { "killed" } else { "stopped" });
        if killed {
            self.nats.kill();
        } else {
            self.nats.stop();
        }
        load.grows_by(self.operator.seed.pick(0..40)).await;
        self.nats.restart();
    }
}

fn graph<'s>(status: &'s Value, id: &str) -> &'s Value {
    let graphs = status["generations"].as_array();
    graphs.and_then(|all| all.iter().find(|one| one["id"] == id)).unwrap_or(&Value::Null)
}

/// Whether some graphs hold the whole log.
fn all_hold(status: &Value, ids: &[String]) -> bool {
    let last = &status["nats"]["lastSeq"];
    last.is_u64() && ids.iter().all(|id| graph(status, id)["appliedThrough"] == *last)
}

/// Holds that generations have the digests that the model has; returns the last status.
async fn digests_are_right(weir: &Weir, nats: &NatsServer) {
    let context = nats.jetstream().await;
    let records = records(&context).await;
    let whole = records.iter().filter(|record| is_whole(record));
    let (frozen, following): (Vec<_>, Vec<_>) = whole.partition(|record| record["asOf"].is_u64());
    let following: Vec<String> = following.iter().map(|record| text(&record["id"])).collect();
    assert!(!following.is_empty());
    let holds = |status: &Value| all_hold(status, &following);
    weir.client().status_within(ENDING, "everything is applied", holds).await;
    let mut wanted: Vec<(String, String)> = Vec::new();
    let digest = graph_below(&context, u64::MAX).await.read().digest().to_string();
    wanted.extend(following.into_iter().map(|id| (id, digest.clone())));
    for record in frozen {
        let below = record["asOf"].as_u64().expect("a number");
        let digest = graph_below(&context, below).await.read().digest().to_string();
        wanted.push((text(&record["id"]), digest));
    }
    let right = |status: &Value| {
        wanted.iter().all(|(id, digest)| graph(status, id)["digest"] == digest.as_str())
    };
    let what = format!("the digests are {wanted:?}");
    weir.client().status_within(Duration::from_secs(20), &what, right).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_a_process_its_server_and_jobs_every_graph_is_what_the_log_says() {
    let seed = Arc::new(Seed::new());
    let nats = NatsServer::start();
    let weir = Weir::dev().nats(&nats).start().await;
    let client = weir.client();
    let operator = Operator::new(seed.fork(), vec![client.clone()]);
    let mut chaos = Chaos { nats, weir, operator };
    let mut load = Load::start_gently("chaos", &client, 2, &seed, PAUSE);
    load.publish_directly(chaos.nats.jetstream().await);
    let mixed = Mixed::start(&client, chaos.nats.jetstream().await, &seed, PAUSE);
    load.grows_by(100).await;
    let readers = Readers::start_patiently(&client);
    for _ in 0..acts(ACTS) {
        chaos.act(&load).await;
        load.grows_by(chaos.operator.seed.pick(3..80)).await;
    }
    let (produced, accepted) = (load.stop().await, mixed.stop().await);
    let Chaos { nats, mut weir, operator } = chaos;
    published(&client).await;
    let context = nats.jetstream().await;
    log_holds(&context, produced.iter().flat_map(|p| p.accepted.clone()).chain(accepted)).await;
    let jobs = jobs_end(&client).await;
    operator.say("all jobs are over");
    jobs_are_right(&jobs);
    digests_are_right(&weir, &nats).await;
    for producer in &produced {
        producer.is_in_history_once(&client).await;
    }
    let answers = readers.stop().await;
    println!("{}{answers} answers to readers", operator.table);

    weir.stop().await;
    let fresh = Weir::dev().nats(&nats).start().await;
    digests_are_right(&fresh, &nats).await;
}
