//! How late an event is seen at 2,000 a second, alone and while generations are rebuilt beside it.
//!
//! Both on one `weir dev` with a million events in its log, one after the other. The rebuild keeps live lag under
//! the limit that it is told; a rebuild that ends within the load is followed by another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::ensure;
use serde_json::json;

use super::live::flow;
use crate::bench::Bench;
use crate::client::{Client, post};
use crate::events::bodies;
use crate::jobs::{retire, run};
use crate::rounds::{Latencies, median, median_percentile, ratio};
use crate::table::{Line, Report, Target, Unit};
use crate::weir_dev::{Setting, WeirDev};

const EVENTS: usize = 1_000_000;
const BATCH: usize = 1_000;
const LIVE_LAG_MS: u64 = 20;
const AT_MOST: f64 = 2.0;

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let (mut alone, mut beside, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        let mut weir = WeirDev::start(bench, Setting::Everything)?;
        fill(&weir, bench.amount(EVENTS))?;
        weir.drained()?;
        alone.push(flow(bench, &weir.address)?.0);
        weir.drained()?;
        let (seen, rate) = with_rebuilds(bench, &weir)?;
        beside.push(seen);
        rates.push(rate);
        weir.drained()?;
    }
    for percent in [50.0, 99.0] {
        let of = |rounds: &[Latencies]| {
            rounds.iter().map(|round| round.percentile(percent)).collect::<Vec<f64>>()
        };
        let line = Line::new(
            format!("POST to history beside a rebuild: p{percent}"),
            median_percentile(&beside, percent),
            Unit::Milliseconds,
        );
        let times = ratio(&of(&beside), &of(&alone));
        let line = line.beside("without it", median_percentile(&alone, percent), times);
        report.line(if percent > 90.0 { line.target(Target::RatioAtMost(AT_MOST)) } else { line });
    }
    report.note(format!(
        "the rebuild keeps live lag under {LIVE_LAG_MS} ms and has {:.1}k events/s beside the flow",
        median(&rates) / 1e3
    ));
    Ok(report)
}

fn fill(weir: &WeirDev, events: usize) -> anyhow::Result<()> {
    let mut client = Client::connect(&weir.address)?;
    for body in bodies(5, events / BATCH, BATCH) {
        let answer = client.send(&post("/ingest", "application/x-ndjson", body.as_bytes()))?;
        ensure!(answer.status == 202, "a batch was answered {}", answer.status);
    }
    Ok(())
}

/// Returns how late events were, and how many events a second were read again meanwhile.
fn with_rebuilds(bench: &Bench, weir: &WeirDev) -> anyhow::Result<(Latencies, f64)> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let rebuilding = scope.spawn(|| {
            let (mut events, mut seconds) = (0, 0.0);
            while !over.load(Ordering::Relaxed) {
                let request = json!({
                    "verb": "rebuild", "unverified": true, "liveLagMs": LIVE_LAG_MS,
                });
                let ended = run(&weir.admin, &request, "done")?;
                events += ended.job["tally"]["applied"].as_u64().unwrap_or(0);
                seconds += ended.seconds;
                retire(&weir.admin, &ended.job["generation"])?;
            }
            anyhow::Ok(events as f64 / seconds)
        });
        let flowed = flow(bench, &weir.address);
        over.store(true, Ordering::Relaxed);
        let rate = rebuilding.join().expect("it does not panic")?;
        Ok((flowed?.0, rate))
    })
}
