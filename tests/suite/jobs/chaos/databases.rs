//! Several projectors on a database, a gateway and an API, and all that may go wrong between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::timeout;

use super::ending::{ENDING, active, acts, is_whole, jobs_are_right, jobs_end, log_holds, records};
use super::operator::Operator;
use super::readers::Readers;
use crate::degrade::published;
use crate::support::client::text;
use crate::support::eventually;
use crate::support::load::Load;
use crate::support::mixed::Mixed;
use crate::support::nats::{hurry_retries, retry_told};
use crate::support::seed::Seed;
use crate::support::site::{Site, in_database, is_drained};
use crate::support::weir::{Builder, Weir};

const PROJECTORS: usize = 3;
const ACTS: u64 = 12;
/// Between two requests of each producer.
const PAUSE: Duration = Duration::from_millis(40);

/// One that soon takes over what others have in hand, and whose requests end before that.
fn hasty(weir: Builder) -> Builder {
    let times = [
        ("arango.query_timeout", "800ms"),
        ("arango.request_timeout", "900ms"),
        ("projector.ack_wait", "1s"),
    ];
    times.into_iter().fold(weir, |weir, (key, value)| weir.set(key, value))
}

/// What ArangoDB may do wrong.
const FAULTS: [&str; 11] = [
    "conflicts",
    "conflicts",
    "some conflicts",
    "unavailable",
    "unavailable, no JSON",
    "slow",
    "too slow",
    "cut after",
    "cut before",
    "queue full",
    "away",
];

struct Chaos {
    site: Site,
    gateway: Weir,
    projectors: Vec<Weir>,
    /// Until when each stands still.
    frozen: [Option<Instant>; PROJECTORS],
    operator: Operator,
}

impl Chaos {
    async fn start(site: Site, seed: &Seed) -> Self {
        let gateway = site.on(Weir::gateway()).start().await;
        let mut projectors = Vec::new();
        for _ in 0..PROJECTORS {
            projectors.push(hasty(site.on(Weir::projector())).start().await);
        }
        let clients = projectors.iter().map(Weir::client).collect();
        let operator = Operator::new(seed.fork(), clients);
        Self { site, gateway, projectors, frozen: [None; PROJECTORS], operator }
    }

    async fn act(&mut self, load: &Load) {
        self.thaw(Instant::now());
        match self.operator.seed.pick(0..36) {
            0..=3 => self.kill_projector().await,
            4..=6 => self.freeze_projector(),
            7 => self.kill_gateway().await,
            8 | 9 => self.restart_nats(load).await,
            10..=12 => self.fail(),
            13 | 14 => self.heal(),
            _ => self.operator.act().await,
        }
    }

    fn any_projector(&self) -> usize {
        self.operator.seed.pick(0..PROJECTORS as u64) as usize
    }

    async fn kill_projector(&mut self) {
        let number = self.any_projector();
        self.operator.did("kill a projector", &number.to_string());
        self.frozen[number] = None;
        self.projectors[number].kill();
        self.projectors[number].start_again().await;
    }

    /// It is thawed before an act that comes later.
    fn freeze_projector(&mut self) {
        let number = self.any_projector();
        let pause = Duration::from_millis(self.operator.seed.pick(200..3_000));
        self.operator.did("freeze a projector", &format!("{number} {pause:?}"));
        self.projectors[number].freeze();
        self.frozen[number] = Some(Instant::now() + pause);
    }

    fn thaw(&mut self, now: Instant) {
        for (projector, frozen) in self.projectors.iter().zip(&mut self.frozen) {
            if frozen.take_if(|until| *until <= now).is_some() {
                projector.thaw();
            }
        }
    }

    async fn kill_gateway(&mut self) {
        self.operator.did("kill the gateway", "");
        self.gateway.kill();
        self.gateway.start_again().await;
    }

    async fn restart_nats(&mut self, load: &Load) {
        let killed = self.operator.seed.once_in(2);
        self.operator.did("restart nats-server", if killed { "killed" } else { "stopped" });
        if killed {
            self.site.nats.kill();
        } else {
            self.site.nats.stop();
        }
        load.grows_by(self.operator.seed.pick(0..40)).await;
        self.site.nats.restart();
    }

    fn fail(&mut self) {
        let seed = &self.operator.seed;
        let times = seed.pick(1..20) as u32;
        let fault = self.site.stand_in().fault("chaos");
        let fault = if seed.once_in(2) { fault.writes() } else { fault.path("/_api/") };
        let kind = *seed.one_of(&FAULTS);
        match kind {
            "conflicts" => fault.share_of_elements(1200, 0.2),
            "some conflicts" => fault.times(20 * times).elements(1200),
            "unavailable" => fault.times(times).unavailable(),
            "unavailable, no JSON" => fault.times(times).unavailable_without_json(),
            "slow" => fault.slow(Duration::from_millis(seed.pick(20..400))),
            "too slow" => fault.times(times).slow(Duration::from_millis(1_500)),
            "cut after" => fault.times(times).cut_after_write(),
            "cut before" => fault.times(times).cut_before(),
            "queue full" => fault.times(times).queue_full(),
            _ => self.site.stand_in().stop(),
        }
        self.operator.did(&format!("ArangoDB: {kind}"), &times.to_string());
    }

    fn heal(&mut self) {
        self.operator.did("ArangoDB is well", "");
        self.site.stand_in().clear_faults();
        self.site.stand_in().start_again();
    }

    fn everything_is_well(&mut self) {
        self.heal();
        self.thaw(Instant::now() + Duration::from_hours(1));
    }
}

/// Whether a projector has nothing left to do for some generations.
fn all_drained(status: &Value, generations: &[String]) -> bool {
    generations.iter().all(|generation| is_drained(status, generation))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_projectors_servers_and_jobs_every_database_is_what_the_log_says() {
    let seed = Arc::new(Seed::new());
    let Some(site) = Site::failing().await else { return };
    let mut chaos = Chaos::start(site, &seed).await;
    let gateway = chaos.gateway.client();
    let mut load = Load::start_gently("chaos", &gateway, 2, &seed, PAUSE);
    load.publish_directly(chaos.site.nats.jetstream().await);
    let mixed = Mixed::start(&gateway, chaos.site.nats.jetstream().await, &seed, PAUSE);
    let api = hasty(chaos.site.on(Weir::api())).start().await;
    load.grows_by(100).await;
    let warm = |status: &Value| {
        status["generations"].as_array().is_some_and(|all| all.iter().any(|g| g["phase"] == "live"))
    };
    api.client().status_when("the image is warm", warm).await;
    let readers = Readers::start(&api.client());
    for _ in 0..acts(ACTS) {
        chaos.act(&load).await;
        load.grows_by(chaos.operator.seed.pick(3..50)).await;
    }
    chaos.everything_is_well();
    let (produced, accepted) = (load.stop().await, mixed.stop().await);
    let accepted: Vec<String> =
        produced.iter().flat_map(|p| p.accepted.clone()).chain(accepted).collect();
    ends_right(&chaos, &accepted).await;
    let answers = readers.stop().await;
    let seen = |status: &Value| {
        let graph = &status["generations"][0];
        status["nats"]["lastSeq"].is_u64() && graph["appliedThrough"] == status["nats"]["lastSeq"]
    };
    api.client().status_when("the image has everything", seen).await;
    for producer in &produced {
        producer.is_in_history_once(&api.client()).await;
    }
    println!("{}{answers} answers to readers", chaos.operator.table);
}

async fn ends_right(chaos: &Chaos, accepted: &[String]) {
    let (site, operator) = (&chaos.site, &chaos.operator);
    published(&chaos.gateway.client()).await;
    let context = site.nats.jetstream().await;
    log_holds(&context, accepted.iter().cloned()).await;
    operator.say("everything is published");
    let client = chaos.projectors[0].client();
    let jobs = jobs_end(&client).await;
    operator.say("all jobs are over");
    jobs_are_right(&jobs);
    let records = records(&context).await;
    let whole = records.iter().filter(|record| is_whole(record));
    let (frozen, following): (Vec<_>, Vec<_>) = whole.partition(|record| record["asOf"].is_u64());
    let following: Vec<String> = following.iter().map(|record| text(&record["id"])).collect();
    assert!(following.contains(&active(&context).await), "what answers follows the log");
    let drained = |status: &Value| all_drained(status, &following);
    let mut status = Value::Null;
    // The inner deadline lies behind the outer one, which tells more.
    let hurried = eventually("everything is applied", 2 * ENDING, async || {
        // An event that failed some times waits for minutes.
        hurry_retries(&context).await;
        status = client.status().await;
        drained(&status).then_some(())
    });
    let applied = timeout(ENDING, hurried).await.is_ok();
    assert!(applied, "not everything is applied: {status:#}\n{}", retry_told(&context).await);
    operator.say(&format!("{following:?} have {} events", status["nats"]["lastSeq"]));
    for generation in &following {
        assert!(!in_database(&status, generation).is_null());
        site.holds_the_log(generation).await;
        client.verified(generation).await;
    }
    for record in frozen {
        let below = record["asOf"].as_u64().expect("a number");
        site.holds_the_log_below(&text(&record["id"]), below).await;
    }
}
