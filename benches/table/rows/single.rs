//! Single events by POST on 64 connections, answered after the sync, beside two gateways that keep nothing.

use crate::bare::BareHyper;
use crate::bench::Bench;
use crate::older::OlderGateway;
use crate::rounds::{median, ratio};
use crate::table::{Line, Report, Target, Unit};
use crate::weir_dev::{Setting, WeirDev};
use crate::wrk::{self, Load};

const OLDER: &str = "older gateway";
const BARE: &str = "bare hyper";
const TIMES_OLDER: f64 = 2.5;
const TIMES_BARE: f64 = 0.4;

/// The loads of all rounds; a baseline that is not there has none.
#[derive(Default)]
struct Loads {
    everything: Vec<Load>,
    alone: Vec<Load>,
    older: Vec<Load>,
    bare: Vec<Load>,
    notes: Vec<String>,
}

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    if let Some(why) = wrk::missing() {
        report.note(format!("left out: {why}"));
        return Ok(report);
    }
    let mut loads = Loads::default();
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        loads.everything.push(weir(bench, Setting::Everything, &mut loads.notes)?);
        match OlderGateway::start(bench) {
            Ok(older) => loads.older.push(wrk::post(bench, &older.address)?),
            Err(error) if round == 1 => {
                report.note(format!("the older gateway is left out: {error:#}"));
            }
            Err(error) => return Err(error),
        }
        loads.bare.push(bare(bench)?);
        loads.alone.push(weir(bench, Setting::GatewayAlone, &mut loads.notes)?);
    }
    for (name, loads_of) in
        [("weir dev", &loads.everything), ("its gateway alone (NATS away)", &loads.alone)]
    {
        compare(&mut report, name, loads_of, &loads);
    }
    for (name, of) in [
        ("weir dev", &loads.everything),
        ("gateway alone", &loads.alone),
        (OLDER, &loads.older),
        (BARE, &loads.bare),
    ] {
        if !of.is_empty() {
            let (p50, p99) = (median_of(of, |load| load.p50_ms), median_of(of, |load| load.p99_ms));
            report.note(format!("{name}: latency p50 {p50:.2} ms, p99 {p99:.2} ms"));
        }
    }
    report.notes.append(&mut loads.notes);
    Ok(report)
}

fn compare(report: &mut Report, name: &str, measured: &[Load], loads: &Loads) {
    let rates = |of: &[Load]| of.iter().map(Load::rate).collect::<Vec<f64>>();
    let measured = rates(measured);
    for (what, baseline, times) in
        [(OLDER, &loads.older, TIMES_OLDER), (BARE, &loads.bare, TIMES_BARE)]
    {
        let mut line =
            Line::new(format!("one event a POST: {name}"), median(&measured), Unit::PerSecond)
                .target(Target::RatioAtLeast(times));
        let baseline = rates(baseline);
        if !baseline.is_empty() {
            line = line.beside(what, median(&baseline), ratio(&measured, &baseline));
        }
        report.line(line);
    }
}

fn weir(bench: &Bench, setting: Setting, notes: &mut Vec<String>) -> anyhow::Result<Load> {
    let mut weir = WeirDev::start(bench, setting)?;
    let load = wrk::post(bench, &weir.address)?;
    let (stored, cpu) = (weir.stored()?, weir.cpu_used());
    anyhow::ensure!(
        stored >= load.requests,
        "{} events were accepted and only {stored} are stored",
        load.requests
    );
    let drained = if setting == Setting::Everything { Some(weir.drained()?) } else { None };
    let name = if drained.is_some() { "weir dev" } else { "gateway alone" };
    let mut note = vec![format!("{name}: {} accepted, {stored} stored", load.requests)];
    note.extend(
        cpu.map(|cpu| format!("{:.1} µs of processor an event", cpu * 1e6 / stored as f64)),
    );
    note.extend(
        drained.map(|took| format!("all in the graph {:.1} s after the load", took.as_secs_f64())),
    );
    notes.push(note.join(", "));
    Ok(load)
}

fn bare(bench: &Bench) -> anyhow::Result<Load> {
    let bare = BareHyper::start()?;
    wrk::post(bench, &bare.address.to_string())
}

fn median_of(loads: &[Load], field: impl Fn(&Load) -> f64) -> f64 {
    median(&loads.iter().map(field).collect::<Vec<f64>>())
}
