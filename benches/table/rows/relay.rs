//! A WAL that was filled while NATS was away, and how fast it reaches the stream.
//!
//! Beside it the bare publish: the same batches, made beforehand, as many in flight, to a server of the
//! same settings (`sync_interval: always`). Every measurement has a fresh server and a fresh stream.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use weir::limits::ATOMIC_BATCH_MESSAGES;
use weir::relay::{self, Relay};
use weir::wal::{self, Wal};

use crate::bench::Bench;
use crate::events::{bodies, entries, parser};
use crate::nats::{Message, NatsServer, publish};
use crate::rounds::{median, ratio};
use crate::table::{Line, Report, Target, Unit};

const BACKLOG: usize = 300_000;
const DEADLINE: Duration = Duration::from_mins(2);
const AT_LEAST: f64 = 0.8;

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let backlog = bench.amount(BACKLOG);
    let runtime = Bench::runtime()?;
    let (mut relayed, mut bare) = (Vec::new(), Vec::new());
    let mut entry_bytes = 0;
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        let batches = batches(round as u64, backlog);
        entry_bytes = batches[0][0].len();
        relayed.push(
            runtime.block_on(relay_backlog(bench, batches.clone(), backlog)).context("relay")?,
        );
        bare.push(runtime.block_on(publish_bare(bench, batches, backlog)).context("bare publish")?);
    }
    let line = Line::new(
        format!("a backlog of {backlog} to the stream"),
        median(&relayed),
        Unit::PerSecond,
    );
    report.line(
        line.beside("bare publish", median(&bare), ratio(&relayed, &bare))
            .target(Target::RatioAtLeast(AT_LEAST)),
    );
    report.note(format!("entries of about {entry_bytes} bytes, read back from the WAL's files; batches of {ATOMIC_BATCH_MESSAGES}"));
    Ok(report)
}

fn batches(seed: u64, backlog: usize) -> Vec<Vec<Bytes>> {
    let parser = parser();
    bodies(seed, backlog / ATOMIC_BATCH_MESSAGES, ATOMIC_BATCH_MESSAGES)
        .iter()
        .map(|body| entries(&parser, body))
        .collect()
}

/// Returns events a second from the relay's start until all are known to be stored.
async fn relay_backlog(
    bench: &Bench,
    batches: Vec<Vec<Bytes>>,
    backlog: usize,
) -> anyhow::Result<f64> {
    let dir = bench.folder()?;
    let wal_dir = dir.path().join("wal");
    let options = wal::Options::new(&wal_dir);
    let wal = tokio::task::spawn_blocking(move || Wal::open(options)).await??;
    for batch in batches {
        wal.append(batch).await?;
    }
    let server = NatsServer::start(bench).await?;
    let log = server.log("bench relay").await?;
    let (relay, handle) = Relay::build(relay::Options::new(&wal_dir), wal.clone(), log.clone())?;
    let stop = CancellationToken::new();
    let began = Instant::now();
    let running = tokio::spawn(relay.run(stop.clone()));
    let mut cursor = handle.cursor();
    let all =
        tokio::time::timeout(DEADLINE, cursor.wait_for(|cursor| *cursor >= backlog as u64)).await;
    all.context("the backlog does not reach the stream in time")?.context("the relay ended")?;
    let seconds = began.elapsed().as_secs_f64();
    stop.cancel();
    running.await?;
    wal.close().await;
    let stored = log.state().await?.messages;
    ensure!(
        stored == backlog as u64,
        "{backlog} events were relayed and {stored} are in the stream"
    );
    server.stop().await;
    Ok(backlog as f64 / seconds)
}

async fn publish_bare(
    bench: &Bench,
    batches: Vec<Vec<Bytes>>,
    backlog: usize,
) -> anyhow::Result<f64> {
    let server = NatsServer::start(bench).await?;
    let log = server.log("bench publish").await?;
    let messages: Vec<Vec<Message>> =
        batches.into_iter().map(|batch| batch.iter().map(Message::of).collect()).collect();
    let began = Instant::now();
    publish(&log, messages.into_iter()).await?;
    let seconds = began.elapsed().as_secs_f64();
    server.stop().await;
    Ok(backlog as f64 / seconds)
}
