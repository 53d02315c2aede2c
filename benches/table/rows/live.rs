//! From a POST until a read shows the event, at a steady 2,000 events a second.
//!
//! Every tenth event has a user of its own, whose history is asked for over HTTP, again and again from the
//! answer of the POST on, until it holds the event: nothing inside weir is looked at. Times count from the
//! moment at which an event was due, so that a sender that waits does not hide a delay.
//! Beside it the bare way of a message: published singly at the same rate, received by a reader.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::runtime::Runtime;
use weir::clock;
use weir::stream::Outcome;

use crate::bench::Bench;
use crate::client::{Client, get, post};
use crate::events::{ITEMS, Random, USERS, bodies, entries, parser};
use crate::nats::{Message, NatsServer};
use crate::rounds::{Latencies, median_percentile, ratio};
use crate::table::{Line, Report, Target, Unit};
use crate::weir_dev::{Setting, WeirDev};

pub const RATE: u32 = 2000;
/// Each sends every 16 ms, so that an answer of some milliseconds delays nothing.
const SENDERS: u32 = 32;
const SAMPLED: u32 = 10;
const WATCHERS: usize = 8;
const WATCH_PAUSE: Duration = Duration::from_micros(150);
const WATCH_DEADLINE: Duration = Duration::from_secs(10);
/// Samples that wait for a watcher: more would be measured too late, and are a failure.
const WAITING: usize = 1024;
const RECEIVE_DEADLINE: Duration = Duration::from_secs(20);
const P50_MS: f64 = 3.0;
const P99_MS: f64 = 20.0;

/// An event to be seen.
struct Sample {
    user: String,
    due: Instant,
}

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let runtime = Bench::runtime()?;
    let (mut visible, mut answered, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        let (seen, posted) = weir(bench)?;
        visible.push(seen);
        answered.push(posted);
        bare.push(publish_and_receive(bench, &runtime)?);
    }
    for (percent, at_most) in [(50.0, P50_MS), (99.0, P99_MS)] {
        let of = |rounds: &[Latencies]| {
            rounds.iter().map(|round| round.percentile(percent)).collect::<Vec<f64>>()
        };
        let times = ratio(&of(&visible), &of(&bare));
        let line = Line::new(
            format!("POST to history at {RATE}/s: p{percent}"),
            median_percentile(&visible, percent),
            Unit::Milliseconds,
        );
        let line = line.beside("publish to consumer", median_percentile(&bare, percent), times);
        report.line(line.target(Target::AtMost(at_most)));
    }
    let (p50, p99) = (median_percentile(&answered, 50.0), median_percentile(&answered, 99.0));
    report.note(format!("of that, until the POST is answered: p50 {p50:.2} ms, p99 {p99:.2} ms"));
    report.note(format!(
        "{} samples a round, seen by polls of the history with a pause of {} µs",
        visible[0].len(),
        WATCH_PAUSE.as_micros()
    ));
    Ok(report)
}

/// Returns the times until events were visible, and until their POST was answered.
fn weir(bench: &Bench) -> anyhow::Result<(Latencies, Latencies)> {
    let mut weir = WeirDev::start(bench, Setting::Everything)?;
    let times = flow(bench, &weir.address)?;
    weir.drained()?;
    let (stored, events) = (weir.stored()?, bench.load().as_secs() * u64::from(RATE));
    ensure!(stored == events, "{events} events were accepted and {stored} are stored");
    Ok(times)
}

/// Sends events to the weir at an address for the length of a load, and watches for some of them.
pub fn flow(bench: &Bench, address: &str) -> anyhow::Result<(Latencies, Latencies)> {
    let events = bench.load().as_secs() as u32 * RATE;
    let (sender, samples) = sync_channel(WAITING);
    let samples = Mutex::new(samples);
    let begin = Instant::now() + Duration::from_millis(100);
    let name = clock::now_ms();
    let (posted, seen) = thread::scope(|scope| {
        let watchers: Vec<_> =
            (0..WATCHERS).map(|_| scope.spawn(|| watch(address, &samples))).collect();
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| {
                let sender = sender.clone();
                scope.spawn(move || send(address, (name, number), events, begin, &sender))
            })
            .collect();
        drop(sender);
        let posted: anyhow::Result<Vec<_>> = senders
            .into_iter()
            .map(|sender| sender.join().expect("a sender does not panic"))
            .collect();
        let seen: anyhow::Result<Vec<_>> = watchers
            .into_iter()
            .map(|watcher| watcher.join().expect("a watcher does not panic"))
            .collect();
        anyhow::Ok((posted?, seen?))
    })?;
    Ok((Latencies::new(seen.into_iter().flatten()), Latencies::new(posted.into_iter().flatten())))
}

/// Posts one event in `SENDERS`, each when it is due.
fn send(
    address: &str,
    (name, number): (i64, u32),
    events: u32,
    begin: Instant,
    samples: &SyncSender<Sample>,
) -> anyhow::Result<Vec<Duration>> {
    let mut client = Client::connect(address)?;
    let mut random = Random::new(u64::from(number));
    let mut times = Vec::new();
    for event in (number..events).step_by(SENDERS as usize) {
        let due = begin + Duration::from_secs(1) * event / RATE;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // By the sender's own count, and not the same count for all senders.
        let chosen = (event / SENDERS + number).is_multiple_of(SAMPLED);
        let user = if chosen {
            format!("sample-{name}-{event}")
        } else {
            format!("u{}", random.below(USERS))
        };
        let body = format!(
            r#"{{"userId":"{user}","itemId":"i{}","eventType":"viewed"}}"#,
            random.below(ITEMS)
        );
        let answer = client.send(&post("/ingest", "application/json", body.as_bytes()))?;
        ensure!(answer.status == 202, "an event was answered {}", answer.status);
        times.push(due.elapsed());
        if chosen && samples.try_send(Sample { user, due }).is_err() {
            bail!("samples are not seen as fast as they come");
        }
    }
    Ok(times)
}

/// Polls the history of one sample after the other until each holds its event.
fn watch(address: &str, samples: &Mutex<Receiver<Sample>>) -> anyhow::Result<Vec<Duration>> {
    let mut client = Client::connect(address)?;
    let mut times = Vec::new();
    loop {
        let sample = samples.lock().expect("no watcher panics").recv();
        let Ok(Sample { user, due }) = sample else {
            return Ok(times);
        };
        let request = get(&format!("/history/user/{user}?limit=1"));
        loop {
            let answer = client.send(&request)?;
            ensure!(answer.status == 200, "a history was answered {}", answer.status);
            if answer.body.windows(9).any(|part| part == b"\"eventId\"") {
                times.push(due.elapsed());
                break;
            }
            ensure!(
                due.elapsed() < WATCH_DEADLINE,
                "an event is not visible after {WATCH_DEADLINE:?}"
            );
            thread::sleep(WATCH_PAUSE);
        }
    }
}

/// Returns the times from when a message was due until a reader on another connection had it.
fn publish_and_receive(bench: &Bench, runtime: &Runtime) -> anyhow::Result<Latencies> {
    let events = bench.load().as_secs() as u32 * RATE;
    let body = bodies(1, 1, events as usize).remove(0);
    let messages: Vec<Message> = entries(&parser(), &body).iter().map(Message::of).collect();
    let server = runtime.block_on(NatsServer::start(bench))?;
    let publishing = runtime.block_on(server.log("bench publisher"))?;
    let mut reader = runtime.block_on(server.log("bench consumer"))?.reader(1);
    let receiving = runtime.spawn(async move {
        let mut times = Vec::new();
        while times.len() < events as usize {
            let batch = reader.next().await?;
            let now = Instant::now();
            times.extend(batch.messages.iter().map(|_| now));
        }
        anyhow::Ok(times)
    });
    let begin = Instant::now() + Duration::from_millis(200);
    let due = |event: u32| begin + Duration::from_secs(1) * event / RATE;
    let mut acks = Vec::with_capacity(messages.len());
    for (event, message) in (0..).zip(&messages) {
        thread::sleep(due(event).saturating_duration_since(Instant::now()));
        let ack = runtime.block_on(publishing.send_one(message.outgoing()));
        acks.push(runtime.spawn(ack.outcome()));
    }
    for ack in acks {
        let outcome = runtime.block_on(ack)?;
        ensure!(matches!(outcome, Outcome::Stored { .. }), "a message was not stored: {outcome:?}");
    }
    let received =
        runtime.block_on(async { tokio::time::timeout(RECEIVE_DEADLINE, receiving).await });
    let received = received.context("the reader does not get all messages in time")???;
    runtime.block_on(server.stop());
    // One connection publishes, so messages come in the order in which they were due.
    Ok(Latencies::new(
        (0..).zip(received).map(|(event, at)| at.saturating_duration_since(due(event))),
    ))
}
