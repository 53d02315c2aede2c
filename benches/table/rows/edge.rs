//! What keys, rates, rules of privacy and TLS cost a single event: the same load with and without them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::bench::Bench;
use crate::client::{Client, post};
use crate::rounds::{median, ratio};
use crate::table::{Line, Report, Target, Unit};
use crate::weir_dev::{Setting, WeirDev};
use crate::wrk::{self, Load};

const PLAIN: &str = "without";
/// Keys and limits may cost a fifth, TLS with them two fifths.
const KEYED_AT_LEAST: f64 = 0.8;
const TLS_AT_LEAST: f64 = 0.6;
const KNOWN_DEADLINE: Duration = Duration::from_secs(20);
/// Far more than is sent, so that it is counted and refuses nothing.
const RATES: [&str; 4] = ["--rate-events", "10000000", "--rate-bytes", "100GiB"];

pub fn measure(bench: &Bench, mut report: Report) -> anyhow::Result<Report> {
    if let Some(why) = wrk::missing() {
        report.note(format!("left out: {why}"));
        return Ok(report);
    }
    let (mut plain, mut keyed, mut both) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=bench.rounds() {
        eprintln!("  round {round}");
        let mut weir = WeirDev::start(bench, Setting::Everything)?;
        plain.push(wrk::post(bench, &weir.address)?);
        weir.drained()?;
        let key = key(bench, &weir)?;
        keyed.push(wrk::post_as(bench, &format!("http://{}", weir.address), Some(&key))?);
        weir.drained()?;
        drop(weir);
        both.push(over_tls(bench)?);
    }
    let rates = |loads: &[Load]| loads.iter().map(Load::rate).collect::<Vec<f64>>();
    let baseline = rates(&plain);
    for (name, loads, least) in [
        ("with a key, rates, and addresses cut", &keyed, KEYED_AT_LEAST),
        ("the same over TLS", &both, TLS_AT_LEAST),
    ] {
        let measured = rates(loads);
        report.line(
            Line::new(format!("one event a POST, {name}"), median(&measured), Unit::PerSecond)
                .target(Target::RatioAtLeast(least))
                .beside(PLAIN, median(&baseline), ratio(&measured, &baseline)),
        );
    }
    Ok(report)
}

fn over_tls(bench: &Bench) -> anyhow::Result<Load> {
    let dir = bench.folder()?;
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let (cert, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, pair.cert.pem())?;
    std::fs::write(&key_file, pair.signing_key.serialize_pem())?;
    let config = dir.path().join("weir.toml");
    let shown = |path: &Path| path.display().to_string();
    let text =
        format!("[tls]\ncert_file = {:?}\nkey_file = {:?}\n", shown(&cert), shown(&key_file));
    std::fs::write(&config, text)?;
    let mut weir = WeirDev::start_configured(bench, Setting::Everything, &config)?;
    let key = key(bench, &weir)?;
    let load = wrk::post_as(bench, &format!("https://{}", weir.address), Some(&key))?;
    weir.drained()?;
    Ok(load)
}

/// Makes a key with everything a key can bound, and waits until the gateway knows it.
fn key(bench: &Bench, weir: &WeirDev) -> anyhow::Result<String> {
    let mut command = Command::new(&bench.weir);
    command.args(["keys", "create", "--name", "bench", "--scope", "write", "--ip", "truncate"]);
    command.args(["--type", "viewed,purchased", "--admin-listen", &weir.admin]).args(RATES);
    let output = command.output().context("weir keys create")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let key = String::from_utf8(output.stdout)?.trim().to_owned();
    if !weir.is_plain() {
        // wrk itself finds out; a moment is enough, since the key is in memory when it is.
        std::thread::sleep(Duration::from_secs(1));
        return Ok(key);
    }
    let path = format!("/ingest?key={key}");
    let body = br#"{"userId":"u","itemId":"i","eventType":"viewed"}"#;
    let began = Instant::now();
    while began.elapsed() < KNOWN_DEADLINE {
        let mut client = Client::connect(&weir.address)?;
        if client.send(&post(&path, "application/json", body))?.status == 202 {
            return Ok(key);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the gateway does not know the key after {KNOWN_DEADLINE:?}")
}
