//! Load by wrk: random single events on 64 connections.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

const CONNECTIONS: usize = 64;
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

/// Posts events to `address` for so long; fails if one of them was not accepted.
pub fn post(address: &str, time: Duration) -> anyhow::Result<Load> {
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{}s", time.as_secs()), "-s"])
        .arg(Path::new(SCRIPT))
        .arg(format!("http://{address}/ingest"))
        .stdin(Stdio::null())
        .output()
        .context("cannot run wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix(RESULT));
    let result = result.with_context(|| format!("wrk gives no result:\n{text}{}", String::from_utf8_lossy(&output.stderr)))?;
    let load: Load = serde_json::from_str(result).context("wrk's result cannot be read")?;
    if load.failures > 0 || load.requests == 0 {
        bail!("of {} requests {} failed:\n{text}", load.requests, load.failures);
    }
    Ok(load)
}
