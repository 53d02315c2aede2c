//! A log that is read into an empty graph, beside the same pull loop that only reads.
//!
//! One stored log serves all rounds. How the time grows is read within each: when the first tenth was in.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio_util::sync::CancellationToken;
use weir::event::Upcasters;
use weir::limits::ATOMIC_BATCH_MESSAGES;
use weir::projection::Projection;
use weir::projector::{self, Decoder, MemoryProjector};

use crate::bench::Bench;
use crate::events::{bodies, entries, parser};
use crate::nats::{Message, NatsServer, publish};
use crate::rounds::{median, ratio};
use crate::table::{Line, Report, Target, Unit};

const EVENTS: usize = 1_000_000;
const TIMES: usize = 10;
const DEADLINE: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// Longer than a round takes: a snapshot is not what is measured.
const SNAPSHOT_EVERY: Duration = Duration::from_hours(1);
const AT_LEAST: f64 = 0.7;
const GROWTH: f64 = 11.0;

/// Seconds until the first tenth and until all of the log was applied.
struct Applied {
    tenth: f64,
    all: f64,
}

pub fn measure(bench: &Bench, report: Report) -> anyhow::Result<Report> {
    Bench::runtime()?.block_on(measure_all(bench, report))
}

async fn measure_all(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let events = bench.amount(EVENTS);
    let server = NatsServer::start(bench).await?;
    eprintln!("  storing {events} events");
    fill(&server, events).await?;
    let (mut applied, mut read) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        read.push(events as f64 / read_only(&server, events).await?);
        applied.push(apply(&server, events, round).await?);
    }
    let rates: Vec<f64> = applied.iter().map(|applied| events as f64 / applied.all).collect();
    let line = Line::new(format!("a log of {events} into memory"), median(&rates), Unit::PerSecond);
    report.line(
        line.beside("the loop that only reads", median(&read), ratio(&rates, &read))
            .target(Target::RatioAtLeast(AT_LEAST)),
    );
    let of = |field: fn(&Applied) -> f64| applied.iter().map(field).collect::<Vec<f64>>();
    let (all, tenth) = (of(|applied| applied.all), of(|applied| applied.tenth));
    let line = Line::new(format!("{TIMES} times the events"), median(&all), Unit::Seconds);
    report.line(
        line.beside("the first tenth", median(&tenth), ratio(&all, &tenth))
            .target(Target::RatioAtMost(GROWTH)),
    );
    server.stop().await;
    Ok(report)
}

/// Stores so many events in a log that is empty.
async fn fill(server: &NatsServer, events: usize) -> anyhow::Result<()> {
    fill_up(server, 0, events).await
}

/// Stores events until a log that has `stored` of them has `events`.
pub async fn fill_up(server: &NatsServer, stored: usize, events: usize) -> anyhow::Result<()> {
    let log = server.log("bench filling").await?;
    let parser = parser();
    let seeds = (stored / ATOMIC_BATCH_MESSAGES) as u64..(events / ATOMIC_BATCH_MESSAGES) as u64;
    let batches = seeds.map(|seed| {
        let body = bodies(seed, 1, ATOMIC_BATCH_MESSAGES).remove(0);
        entries(&parser, &body).iter().map(Message::of).collect()
    });
    publish(&log, batches).await?;
    let stored = log.state().await?.messages;
    ensure!(
        stored == events as u64,
        "{events} events were published and {stored} are in the stream"
    );
    Ok(())
}

/// Returns the seconds from opening a reader until it has had everything.
pub async fn read_only(server: &NatsServer, events: usize) -> anyhow::Result<f64> {
    let log = server.log("bench reader").await?;
    let began = Instant::now();
    let reading = async {
        let mut reader = log.reader(1);
        let mut read = 0;
        while read < events {
            read += reader.next().await?.messages.len();
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(DEADLINE, reading).await.context("the log is not read in time")??;
    Ok(began.elapsed().as_secs_f64())
}

/// Runs a projector on an empty graph, as `weir dev` would after losing its snapshot.
async fn apply(server: &NatsServer, events: usize, round: usize) -> anyhow::Result<Applied> {
    let log = server.log("bench projector").await?;
    let options = projector::Options {
        snapshot: server.dir().join(format!("round-{round}.snapshot")),
        snapshot_every: SNAPSHOT_EVERY,
        recent: None,
        until: None,
    };
    let parser = parser();
    let projection = Projection::new(parser.types().clone());
    let projector = MemoryProjector::build(
        log,
        Decoder::new(parser),
        projection,
        &Upcasters::shipped(),
        options,
    )?;
    let (status, store) = (projector.status(), projector.store());
    let began = Instant::now();
    let running = tokio::spawn(projector.run(CancellationToken::new()));
    let through = async |sequence: usize| {
        while status.applied_through.load(Ordering::Acquire) < sequence as u64 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        began.elapsed().as_secs_f64()
    };
    let applying =
        async { Applied { tenth: through(events / TIMES).await, all: through(events).await } };
    let applied =
        tokio::time::timeout(DEADLINE, applying).await.context("the log is not applied in time")?;
    // No last snapshot: the graph is thrown away.
    running.abort();
    let edges = store.read().edge_count() as usize;
    ensure!(edges == events, "{events} events became {edges} edges");
    Ok(applied)
}
