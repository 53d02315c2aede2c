//! A generation rebuilt in memory by a running `weir dev`, beside the same pull loop that only reads; until it is
//! verified and promoted, of one log and of one ten times as long; and a replay of one type in ten.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;
use tokio::runtime::Runtime;

use super::catch_up::{fill_up, read_only};
use crate::bench::Bench;
use crate::jobs::{Ended, retire, run};
use crate::nats::NatsServer;
use crate::rounds::{median, ratio};
use crate::table::{Line, Report, Target, Unit};
use crate::weir_dev::WeirDev;

const EVENTS: usize = 1_000_000;
const TIMES: usize = 10;
const AT_LEAST: f64 = 0.7;
const GROWTH: f64 = 11.0;
/// A lag that nothing reaches here: how fast a rebuild is alone is what is asked.
const ANY_LAG: Duration = Duration::from_mins(1);

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let runtime = Bench::runtime()?;
    let events = bench.amount(EVENTS);
    let server = runtime.block_on(NatsServer::start(bench))?;
    eprintln!("  storing {events} events");
    runtime.block_on(fill_up(&server, 0, events))?;
    let mut weir = WeirDev::start_on_server(bench, server.url())?;
    weir.applied(events as u64)?;
    rates(bench, &runtime, &server, &weir, events, &mut report)?;
    let one = promoted(&weir, events)?;
    eprintln!("  storing {} events", TIMES * events);
    runtime.block_on(fill_up(&server, events, TIMES * events))?;
    weir.applied((TIMES * events) as u64)?;
    let ten = promoted(&weir, TIMES * events)?;
    report.line(Line::new(
        format!("{events} events until verified and promoted"),
        one.seconds,
        Unit::Seconds,
    ));
    let line = Line::new(format!("{TIMES} times the events"), ten.seconds, Unit::Seconds);
    let line = line.beside("one time", one.seconds, ten.seconds / one.seconds);
    report.line(line.target(Target::RatioAtMost(GROWTH)));
    for (count, ended) in [(events, &one), (TIMES * events, &ten)] {
        let of = |what: &str| ended.job[what]["seconds"].as_f64().unwrap_or(f64::NAN);
        let (built, checked) = (of("pace"), of("report"));
        report.note(format!(
            "{count}: built and checked {built:.1} s, of that checked {checked:.1} s"
        ));
    }
    drop(weir);
    runtime.block_on(server.stop());
    Ok(report)
}

/// How fast a range is applied to a new graph, and again to one that has it, a type alone.
fn rates(
    bench: &Bench,
    runtime: &Runtime,
    server: &NatsServer,
    weir: &WeirDev,
    events: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut read, mut rebuilt, mut replayed) = (Vec::new(), Vec::new(), Vec::new());
    let live_lag_ms = ANY_LAG.as_millis() as u64;
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        read.push(events as f64 / runtime.block_on(read_only(server, events))?);
        let request = json!({ "verb": "rebuild", "unverified": true, "liveLagMs": live_lag_ms });
        let ended = run(&weir.admin, &request, "done")?;
        ensure!(ended.job["tally"]["applied"] == events, "not all is applied: {:#}", ended.job);
        rebuilt.push(events as f64 / ended.seconds);
        retire(&weir.admin, &ended.job["generation"])?;
        let filter = json!({ "types": ["purchased"] });
        let request = json!({ "verb": "replay", "filter": filter, "liveLagMs": live_lag_ms });
        replayed.push(events as f64 / run(&weir.admin, &request, "done")?.seconds);
    }
    for (what, rates, target) in [
        ("a rebuild into memory", &rebuilt, Some(Target::RatioAtLeast(AT_LEAST))),
        ("a replay of one type in ten", &replayed, None),
    ] {
        let line = Line::new(format!("{what}, {events} events"), median(rates), Unit::PerSecond);
        let line = line.beside("the loop that only reads", median(&read), ratio(rates, &read));
        report.line(match target {
            Some(target) => line.target(target),
            None => line,
        });
    }
    Ok(())
}

/// Rebuilds, verifies and promotes; what answered before goes.
fn promoted(weir: &WeirDev, events: usize) -> anyhow::Result<Ended> {
    eprintln!("  {events} events until promoted");
    let live_lag_ms = ANY_LAG.as_millis() as u64;
    let request = json!({ "verb": "rebuild", "promote": true, "liveLagMs": live_lag_ms });
    let ended = run(&weir.admin, &request, "promoted")?;
    ensure!(ended.job["report"]["expectedDocuments"].as_u64() > Some(0), "nothing was verified");
    let status = weir.status()?;
    let before = status["generations"].as_array().into_iter().flatten();
    for graph in before.filter(|graph| graph["state"] != "active") {
        retire(&weir.admin, &graph["id"])?;
    }
    Ok(ended)
}
