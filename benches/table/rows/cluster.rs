//! From a POST until a read shows the event, on three copies beside one; every copy synced before it counts.
//!
//! All servers, weir and the load share this machine's cores and its disk: on three machines the copies cost a
//! network's way and no processor time of each other.

use crate::bench::Bench;
use crate::nats::NatsServer;
use crate::nats_cluster::NatsCluster;
use crate::rounds::{Latencies, median_percentile, ratio};
use crate::rows::live::{RATE, flow};
use crate::table::{Line, Report, Unit};
use crate::weir_dev::WeirDev;

/// What was measured in one round: until it was seen, and until it was answered.
type Times = (Latencies, Latencies);

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    let runtime = Bench::runtime()?;
    let (mut one, mut three) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        let server = runtime.block_on(NatsServer::start(bench))?;
        one.push(events(bench, WeirDev::start_on_server(bench, server.url())?)?);
        runtime.block_on(server.stop());
        let cluster = NatsCluster::start(bench, &runtime)?;
        let config = cluster.weir_configuration()?;
        let weir = WeirDev::start_on_cluster(bench, &cluster.urls, &config)?;
        three.push(events(bench, weir)?);
    }
    let (seen_one, posted_one): (Vec<_>, Vec<_>) = one.into_iter().unzip();
    let (seen_three, posted_three): (Vec<_>, Vec<_>) = three.into_iter().unzip();
    for percent in [50.0, 99.0] {
        let of = |rounds: &[Latencies]| {
            rounds.iter().map(|round| round.percentile(percent)).collect::<Vec<f64>>()
        };
        let name = format!("POST to history at {RATE}/s on three copies: p{percent}");
        let measured = median_percentile(&seen_three, percent);
        let line = Line::new(name, measured, Unit::Milliseconds);
        let beside = median_percentile(&seen_one, percent);
        report.line(line.beside("on one copy", beside, ratio(&of(&seen_three), &of(&seen_one))));
    }
    for (copies, posted) in [("three copies", &posted_three), ("one copy", &posted_one)] {
        let (p50, p99) = (median_percentile(posted, 50.0), median_percentile(posted, 99.0));
        report.note(format!(
            "of that, until the POST is answered, on {copies}: p50 {p50:.2} ms, p99 {p99:.2} ms"
        ));
    }
    report.note(
        "three nats-servers, weir and the load share this machine's cores and disk".to_owned(),
    );
    Ok(report)
}

fn events(bench: &Bench, mut weir: WeirDev) -> anyhow::Result<Times> {
    let times = flow(bench, &weir.address)?;
    weir.drained()?;
    Ok(times)
}
