//! A log that workers bring into ArangoDB, or rather into the stand-in for it: what our side costs.
//!
//! Beside it the same work queue that only reads and acknowledges, and the stand-in that a bare loop feeds
//! with the same documents in requests made beforehand. Every measurement has a fresh stand-in and a fresh
//! consumer of one stored log; in the end the stand-in must hold exactly the documents of the events.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use weir::limits::ATOMIC_BATCH_MESSAGES;
use weir::projection::Projection;
use weir::projector::{Decoder, Queues, WorkerOptions, Workers};
use weir::store::arango::schema::{self, Target as Schema};
use weir::store::arango::{Arango, ArangoStore, Database};
use weir::stream::{
    EventLog, KvStore, Parked, RetryOptions, RetryQueue, StreamBounds, WorkOptions,
};

use crate::bench::Bench;
use crate::bulk::{Step, send, steps};
use crate::events::{bodies, entries, parser};
use crate::machine::cpu_seconds;
use crate::nats::{Message, NatsServer, publish};
use crate::rounds::{median, ratio};
use crate::stand_in::{StandInProcess, Tally};
use crate::table::{Line, Report, Target, Unit};

const EVENTS: usize = 300_000;
const WORKERS: [usize; 3] = [1, 2, 4];
/// What `projector.workers` and `projector.batch_events` are by default.
const USUAL_WORKERS: usize = 2;
const BATCH: usize = 500;
const ACK_WAIT: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_mins(2);
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const DATABASE: &str = "recsys_g1";
/// Holds what was made of the database, nothing of events.
const MIGRATIONS: &str = "weir_migrations";
const AT_LEAST: f64 = 60_000.0;

/// One stored log, and what must come of it.
struct Stored {
    server: NatsServer,
    events: usize,
    steps: Vec<Step>,
    documents: BTreeMap<String, usize>,
}

/// What one measurement took; processor times in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    seconds: f64,
    ours: f64,
    nats: f64,
    stand_in: f64,
    requests: f64,
    bytes: f64,
}

/// All rounds of one kind of measurement.
#[derive(Default)]
struct Rounds(Vec<Run>);

impl Rounds {
    fn of(&self, figure: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.0.iter().map(figure).collect()
    }
}

pub fn measure(bench: &Bench, report: Report) -> anyhow::Result<Report> {
    Bench::runtime()?.block_on(measure_all(bench, report))
}

async fn measure_all(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let stored = store(bench, bench.amount(EVENTS)).await?;
    let events = stored.events as f64;
    let rate = |run: &Run| events / run.seconds;
    let mut drained: [Rounds; WORKERS.len()] = Default::default();
    let mut acked: [Rounds; WORKERS.len()] = Default::default();
    let mut bare = Rounds::default();
    for round in 1..=bench.rounds() {
        for (place, workers) in WORKERS.into_iter().enumerate() {
            eprintln!("  round {round}, workers: {workers}");
            let number = (round * 10 + workers) as u64;
            acked[place].0.push(read_and_ack(&stored, workers, number).await?);
            let run = Box::pin(drain(bench, &stored, workers, number)).await?;
            drained[place].0.push(run);
        }
        bare.0.push(feed(bench, &stored).await?);
    }
    for ((drained, acked), workers) in drained.iter().zip(&acked).zip(WORKERS) {
        let (rates, beside) = (drained.of(rate), acked.of(rate));
        let what = format!("{} events, workers: {workers}", stored.events);
        let line = Line::new(what, median(&rates), Unit::PerSecond);
        let line = line.beside("workers that only ack", median(&beside), ratio(&rates, &beside));
        let usual = workers == USUAL_WORKERS;
        report.line(if usual { line.target(Target::AtLeast(AT_LEAST)) } else { line });
    }
    let usual = WORKERS.iter().position(|workers| *workers == USUAL_WORKERS).unwrap_or(0);
    let (drained, acked) = (&drained, &acked);
    let rates = drained[usual].of(rate);
    let line =
        Line::new(format!("the same, workers: {USUAL_WORKERS}"), median(&rates), Unit::PerSecond);
    let beside = bare.of(rate);
    report.line(line.beside("bare requests", median(&beside), ratio(&rates, &beside)));
    let cost = |figure: fn(&Run) -> f64| move |run: &Run| figure(run) * 1e6 / events;
    for ((drained, acked), workers) in drained.iter().zip(acked).zip(WORKERS) {
        let (costs, beside) = (drained.of(cost(|run| run.ours)), acked.of(cost(|run| run.ours)));
        let what = format!("weir's processor time a thousand events, workers: {workers}");
        let line = Line::new(what, median(&costs), Unit::Milliseconds);
        report.line(line.beside("only ack", median(&beside), ratio(&costs, &beside)));
    }
    let (drained, acked) = (&drained[usual], &acked[usual]);
    let costs = drained.of(cost(|run| run.nats));
    let beside = acked.of(cost(|run| run.nats));
    let line = Line::new("nats-server's", median(&costs), Unit::Milliseconds);
    report.line(line.beside("only ack", median(&beside), ratio(&costs, &beside)));
    let costs = drained.of(cost(|run| run.stand_in));
    let beside = bare.of(cost(|run| run.stand_in));
    let line = Line::new("the stand-in's", median(&costs), Unit::Milliseconds);
    report.line(line.beside("bare requests", median(&beside), ratio(&costs, &beside)));
    let sent = drained.of(|run| run.bytes / events);
    report.line(Line::new("sent to the database, an event", median(&sent), Unit::Bytes));
    let requests = median(&drained.of(|run| run.requests * 1e3 / events));
    let documents: usize = stored.documents.values().sum();
    report.note(format!(
        "{requests:.2} requests a thousand events; {:.2} documents an event; the counts of all collections were right each time",
        documents as f64 / events
    ));
    report.note("The database is a stand-in with ArangoDB's answers: this is what weir costs, not how fast ArangoDB is");
    stored.server.stop().await;
    Ok(report)
}

async fn store(bench: &Bench, events: usize) -> anyhow::Result<Stored> {
    eprintln!("  storing {events} events");
    let server = NatsServer::start(bench).await?;
    let parser = parser();
    let bodies: Vec<String> = (0..(events / ATOMIC_BATCH_MESSAGES) as u64)
        .flat_map(|seed| bodies(seed, 1, ATOMIC_BATCH_MESSAGES))
        .collect();
    let batches: Vec<Vec<Bytes>> = bodies.iter().map(|body| entries(&parser, body)).collect();
    let log = server.log("bench filling").await?;
    publish(&log, batches.iter().map(|batch| batch.iter().map(Message::of).collect())).await?;
    let stored = log.state().await?.messages;
    ensure!(stored == events as u64, "{events} events were published, {stored} are stored");
    let steps = steps(&batches.concat(), BATCH)?;
    Ok(Stored { server, events, steps, documents: documents_of(&bodies)? })
}

/// Counts what a graph of these events holds, from the lines themselves.
fn documents_of(bodies: &[String]) -> anyhow::Result<BTreeMap<String, usize>> {
    let (mut users, mut items) = (HashSet::new(), HashSet::new());
    let mut documents: BTreeMap<String, usize> = BTreeMap::new();
    for line in bodies.iter().flat_map(|body| body.lines()) {
        let event: Value = serde_json::from_str(line)?;
        let text = |name: &str| event[name].as_str().map(str::to_owned).context("a text");
        users.insert(text("userId")?);
        items.insert(text("itemId")?);
        *documents.entry(text("eventType")?).or_default() += 1;
    }
    documents.extend([("users".to_owned(), users.len()), ("items".to_owned(), items.len())]);
    Ok(documents)
}

/// Reads and acknowledges everything, by so many workers over one connection.
async fn read_and_ack(stored: &Stored, workers: usize, number: u64) -> anyhow::Result<Run> {
    let log = stored.server.log("bench acks").await?;
    let options =
        WorkOptions { ack_wait: ACK_WAIT, ..WorkOptions::events(format!("bench-acks-{number}")) };
    let (before, began) = (stored.cpu(), Instant::now());
    let read = Arc::new(AtomicUsize::new(0));
    let all = stored.events;
    let stop = CancellationToken::new();
    let working = (0..workers).map(|_| {
        let (mut queue, read, stop) = (log.work(options.clone()), read.clone(), stop.clone());
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    () = stop.cancelled() => break,
                    next = queue.next(BATCH) => next?,
                };
                queue.answers().ack_all(&next).await;
                if read.fetch_add(next.len(), Ordering::Relaxed) + next.len() >= all {
                    stop.cancel();
                }
            }
            queue.release().await;
            anyhow::Ok(())
        })
    });
    let working: Vec<_> = working.collect();
    let reading = async {
        for worker in working {
            worker.await.context("a worker panicked")??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(DEADLINE, reading).await.context("the log is not read in time")??;
    let seconds = began.elapsed().as_secs_f64();
    stored.acknowledged(&log, &options).await?;
    let after = stored.cpu();
    Ok(Run { seconds, ours: after.0 - before.0, nats: after.1 - before.1, ..Run::default() })
}

/// Brings everything into a fresh stand-in, as `weir projector` does.
async fn drain(bench: &Bench, stored: &Stored, workers: usize, number: u64) -> anyhow::Result<Run> {
    let (mut server, database) = database(bench).await?;
    let parser = parser();
    let types = parser.types().clone();
    let store = ArangoStore::new(database, types.clone());
    let reads = (Decoder::new(parser), Projection::new(types));
    let queues = Box::pin(stored.queues(number)).await?;
    let log = queues.control.clone();
    let options = WorkerOptions { workers, batch: BATCH, ack_wait: ACK_WAIT, begins: None };
    let tally = server.tally(DATABASE)?;
    let (before, stand_in, began) = (stored.cpu(), server.cpu(), Instant::now());
    let (working, handle) = Workers::build(number, store, reads, queues, options);
    let stop = CancellationToken::new();
    let running = tokio::spawn(working.run(stop.clone()));
    let applied = async {
        while handle.status.events.load(Ordering::Relaxed) < stored.events as u64 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    let applied = tokio::time::timeout(DEADLINE, applied).await;
    let seconds = began.elapsed().as_secs_f64();
    applied.with_context(|| {
        format!("the log is not applied in time; last failure: {:?}", handle.status.last_failure())
    })?;
    stored.acknowledged(&log, &WorkOptions::events(format!("projector-g{number}"))).await?;
    stop.cancel();
    running.await?;
    let after = stored.cpu();
    let mut run = Run {
        seconds,
        ours: after.0 - before.0,
        nats: after.1 - before.1,
        stand_in: server.cpu() - stand_in,
        ..Run::default()
    };
    let Tally { requests, bytes, documents } = server.tally(DATABASE)?;
    run.requests = (requests - tally.requests) as f64;
    run.bytes = (bytes - tally.bytes) as f64;
    stored.check(documents)?;
    server.stop()?;
    Ok(run)
}

/// Feeds a fresh stand-in with requests made beforehand, as many at once as usual workers would.
async fn feed(bench: &Bench, stored: &Stored) -> anyhow::Result<Run> {
    let (mut server, _) = database(bench).await?;
    let steps = stored.steps.clone();
    let (before, stand_in, began) = (stored.cpu(), server.cpu(), Instant::now());
    send(&server.place, DATABASE, steps, USUAL_WORKERS).await?;
    let seconds = began.elapsed().as_secs_f64();
    let run = Run {
        seconds,
        ours: stored.cpu().0 - before.0,
        stand_in: server.cpu() - stand_in,
        ..Run::default()
    };
    stored.check(server.tally(DATABASE)?.documents)?;
    server.stop()?;
    Ok(run)
}

/// A fresh stand-in with a generation's database as `weir migrate apply` makes it.
async fn database(bench: &Bench) -> anyhow::Result<(StandInProcess, Database)> {
    let server = StandInProcess::start(bench)?;
    let database = Arango::new(server.options())?.database(DATABASE);
    let schema = Schema {
        types: parser().types().clone(),
        shards: 1,
        replication_factor: 1,
        write_concern: 1,
        one_shard: false,
    };
    schema::apply(&database, &schema, &mut |_| {}).await.context("the database is not made")?;
    Ok((server, database))
}

impl Stored {
    /// Processor time so far: ours, and the nats-server's.
    fn cpu(&self) -> (f64, f64) {
        (cpu_seconds(std::process::id()).unwrap_or(f64::NAN), self.server.cpu().unwrap_or(f64::NAN))
    }

    async fn queues(&self, generation: u64) -> anyhow::Result<Queues> {
        let control = self.server.log("bench control").await?;
        let nats = control.nats().clone();
        let parked = Parked::new(nats.clone(), StreamBounds::default()).await;
        Ok(Queues {
            reading: self.server.log("bench workers").await?,
            kv: KvStore::new(nats.clone(), 1).await,
            retry: RetryQueue::new(nats, RetryOptions::default()).await,
            open: parked.open_ids(generation),
            parked,
            control,
        })
    }

    /// Waits until the server has every acknowledgement.
    async fn acknowledged(&self, log: &EventLog, options: &WorkOptions) -> anyhow::Result<()> {
        let queue = log.work(options.clone());
        let waiting = async {
            while queue.state().await?.ack_floor < self.events as u64 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(DEADLINE, waiting).await.context("not everything is acknowledged")?
    }

    /// Holds what the stand-in has against what must come of the events.
    fn check(&self, mut documents: BTreeMap<String, usize>) -> anyhow::Result<()> {
        documents.remove(MIGRATIONS);
        ensure!(
            documents == self.documents,
            "the stand-in holds {documents:?} and should hold {:?}",
            self.documents
        );
        Ok(())
    }
}
