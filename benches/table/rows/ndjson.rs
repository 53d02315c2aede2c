//! NDJSON of 1,000 events a request, answered after the sync.

use std::thread;
use std::time::Instant;

use anyhow::{Context, ensure};

use crate::bench::Bench;
use crate::client::{Client, post};
use crate::events::bodies;
use crate::rounds::{Latencies, median, median_percentile};
use crate::table::{Line, Report, Target, Unit};
use crate::weir_dev::{Setting, WeirDev};

const EVENTS: usize = 1000;
/// Enough that one commit gathers while another syncs.
const CONNECTIONS: usize = 8;
/// Bodies of each connection, sent in turn.
const BODIES: usize = 8;
const AT_LEAST: f64 = 250_000.0;

/// What one round brought.
struct Load {
    rate: f64,
    latencies: Latencies,
}

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let settings = [
        (Setting::Everything, "weir dev"),
        (Setting::GatewayAlone, "its gateway alone (NATS away)"),
    ];
    let mut loads = [Vec::new(), Vec::new()];
    let mut notes = Vec::new();
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        for ((setting, name), loads) in settings.iter().zip(&mut loads) {
            loads.push(weir(bench, *setting, name, &mut notes)?);
        }
    }
    for ((_, name), loads) in settings.iter().zip(loads) {
        let rates: Vec<f64> = loads.iter().map(|load| load.rate).collect();
        let what = format!("NDJSON of {EVENTS}: {name}");
        report.line(
            Line::new(what, median(&rates), Unit::PerSecond).target(Target::AtLeast(AT_LEAST)),
        );
        let latencies: Vec<Latencies> = loads.into_iter().map(|load| load.latencies).collect();
        let (p50, p99) = (median_percentile(&latencies, 50.0), median_percentile(&latencies, 99.0));
        report.note(format!(
            "{name}: a request on {CONNECTIONS} connections p50 {p50:.2} ms, p99 {p99:.2} ms"
        ));
    }
    report.notes.append(&mut notes);
    Ok(report)
}

fn weir(
    bench: &Bench,
    setting: Setting,
    name: &str,
    notes: &mut Vec<String>,
) -> anyhow::Result<Load> {
    let mut weir = WeirDev::start(bench, setting)?;
    let (load, accepted, seconds) = send(&weir.address, bench)?;
    let (stored, cpu) = (weir.stored()?, weir.cpu_used());
    ensure!(stored == accepted, "{accepted} events were accepted and {stored} are stored");
    let mut note = vec![format!("{name}: {accepted} accepted and stored")];
    note.extend(
        cpu.map(|cpu| format!("{:.2} µs of processor an event", cpu * 1e6 / stored as f64)),
    );
    if setting == Setting::Everything {
        let drained = weir.drained()?.as_secs_f64();
        let rate = stored as f64 / (seconds + drained);
        note.push(format!(
            "all in the graph {drained:.1} s after the load: {rate:.0} events/s from end to end"
        ));
    }
    notes.push(note.join(", "));
    Ok(load)
}

/// Sends on all connections; returns the load, the events that were accepted, and the seconds it took.
fn send(address: &str, bench: &Bench) -> anyhow::Result<(Load, u64, f64)> {
    let requests: Vec<Vec<Vec<u8>>> = (0..CONNECTIONS as u64)
        .map(|seed| {
            bodies(seed, BODIES, EVENTS)
                .iter()
                .map(|body| post("/ingest", "application/x-ndjson", body.as_bytes()))
                .collect()
        })
        .collect();
    let began = Instant::now();
    let end = began + bench.load();
    let sent = thread::scope(|scope| {
        let senders: Vec<_> = requests
            .iter()
            .map(|requests| scope.spawn(move || send_until(address, requests, end)))
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().expect("a sender does not panic"))
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let latencies = Latencies::new(sent.into_iter().flatten());
    let accepted = (latencies.len() * EVENTS) as u64;
    Ok((Load { rate: accepted as f64 / seconds, latencies }, accepted, seconds))
}

fn send_until(
    address: &str,
    requests: &[Vec<u8>],
    end: Instant,
) -> anyhow::Result<Vec<std::time::Duration>> {
    let mut client = Client::connect(address)?;
    let mut times = Vec::new();
    for request in requests.iter().cycle() {
        let began = Instant::now();
        if began >= end {
            break;
        }
        let answer = client.send(request).context("a request was not answered")?;
        ensure!(
            answer.status == 202,
            "a request was answered {}: {}",
            answer.status,
            String::from_utf8_lossy(answer.body)
        );
        times.push(began.elapsed());
    }
    Ok(times)
}
