//! Load by wrk: random single events on 64 connections.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::bench::Bench;
use crate::process::Server;

const CONNECTIONS: usize = 64;
/// How much longer than its load wrk may take.
const GRACE: Duration = Duration::from_secs(20);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/bench.d/post.lua");
/// Begins the line in which the script tells its result.
const RESULT: &str = "result ";

/// What one load brought.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Load {
    pub requests: u64,
    pub seconds: f64,
    /// Answers that were no 2xx, and failures of sockets.
    pub failures: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Load {
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// Says why there can be no load.
pub fn missing() -> Option<&'static str> {
    let there = Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status();
    there.is_err().then_some("wrk is not installed")
}

/// Posts events to `address` for as long as a load lasts; fails if one of them was not accepted.
pub fn post(bench: &Bench, address: &str) -> anyhow::Result<Load> {
    post_as(bench, &format!("http://{address}"), None)
}

/// The same to a URL, showing a key.
pub fn post_as(bench: &Bench, url: &str, key: Option<&str>) -> anyhow::Result<Load> {
    let dir = bench.folder()?;
    let (connections, seconds) =
        (format!("-c{CONNECTIONS}"), format!("-d{}s", bench.load().as_secs()));
    let url = format!("{url}/ingest");
    let mut arguments = vec!["-t1", &connections, &seconds, "-s", SCRIPT, &url];
    arguments.extend(key.into_iter().flat_map(|key| ["--", key]));
    let wrk = Server::start("wrk", &bench.weir, "wrk".as_ref(), &arguments, dir.path())?;
    let text = wrk.output(bench.load() + GRACE)?;
    let result = text.lines().find_map(|line| line.strip_prefix(RESULT));
    let result = result.with_context(|| format!("wrk gives no result:\n{text}"))?;
    let load: Load = serde_json::from_str(result).context("wrk's result cannot be read")?;
    if load.failures > 0 || load.requests == 0 {
        bail!("of {} requests {} failed:\n{text}", load.requests, load.failures);
    }
    Ok(load)
}
