//! `weir dev` as a child, on files of its own, alone or with everything.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::bench::Bench;
use crate::client::{Client, get};
use crate::machine::cpu_seconds;
use crate::process::{Server, free_port};

const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long the stream and the graph may take to have what was accepted.
const DRAIN_DEADLINE: Duration = Duration::from_mins(3);
/// A status costs a little; it must not be asked for all the time.
const STATUS_PAUSE: Duration = Duration::from_millis(100);

/// What runs beside the gateway and the WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// All of `weir dev`: its own nats-server, the relay, the projector.
    Everything,
    /// NATS is away for ever, so the relay and the projector only wait.
    GatewayAlone,
    /// The same as everything, on a nats-server that somebody else has started.
    OnServer,
}

/// A running `weir dev`.
pub struct WeirDev {
    server: Server,
    dir: TempDir,
    pub address: String,
    pub admin: String,
    setting: Setting,
    configured: bool,
    cpu_at_start: Option<f64>,
}

impl WeirDev {
    /// Starts it on fresh files and returns once it takes events, and the graph follows the log if it is to.
    pub fn start(bench: &Bench, setting: Setting) -> anyhow::Result<Self> {
        let nowhere = format!("nats://127.0.0.1:{}", free_port()?);
        Self::start_on(bench, setting, &nowhere, None)
    }

    /// The same with a configuration file.
    pub fn start_configured(
        bench: &Bench,
        setting: Setting,
        config: &Path,
    ) -> anyhow::Result<Self> {
        let nowhere = format!("nats://127.0.0.1:{}", free_port()?);
        Self::start_on(bench, setting, &nowhere, Some(config))
    }

    /// Tells whether its public listener speaks without TLS.
    pub fn is_plain(&self) -> bool {
        !self.configured
    }

    /// The same on the log of a nats-server at `url`.
    pub fn start_on_server(bench: &Bench, url: &str) -> anyhow::Result<Self> {
        Self::start_on(bench, Setting::OnServer, url, None)
    }

    /// The same on a cluster of them, with a configuration file.
    pub fn start_on_cluster(bench: &Bench, urls: &str, config: &Path) -> anyhow::Result<Self> {
        Self::start_on(bench, Setting::OnServer, urls, Some(config))
    }

    fn start_on(
        bench: &Bench,
        setting: Setting,
        url: &str,
        config: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let dir = bench.folder()?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let admin = format!("127.0.0.1:{}", free_port()?);
        let mut arguments: Vec<OsString> =
            ["dev", "--listen", &address, "--admin-listen", &admin].map(OsString::from).to_vec();
        arguments.extend(["--data-dir".into(), dir.path().join("data").into_os_string()]);
        if let Some(config) = config {
            arguments.extend(["--config".into(), config.into()]);
        }
        if setting != Setting::Everything {
            arguments.extend(["--nats-url".into(), url.into()]);
        }
        let server = Server::start("weir", &bench.weir, &bench.weir, &arguments, dir.path())?;
        let configured = config.is_some();
        let mut weir =
            Self { server, dir, address, admin, setting, configured, cpu_at_start: None };
        weir.wait("it is ready", START_DEADLINE, |status| {
            let live =
                status["generations"][0]["phase"] == "live" || status["nats"]["lastSeq"] == 0;
            setting == Setting::GatewayAlone || (live && status["relay"]["sound"] == true)
        })?;
        weir.cpu_at_start = weir.cpu();
        Ok(weir)
    }

    /// Waits for a condition of the status.
    fn wait(
        &mut self,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let admin = self.admin.clone();
        self.server.wait_for(what, deadline, || {
            let found = status(&admin).ok().filter(|status| condition(status));
            if found.is_none() {
                std::thread::sleep(STATUS_PAUSE);
            }
            found
        })
    }

    pub fn status(&self) -> anyhow::Result<Value> {
        status(&self.admin)
    }

    /// The highest synced sequence of the WAL: how many events it has stored since it was made.
    pub fn stored(&self) -> anyhow::Result<u64> {
        self.status()?["wal"]["highWater"].as_u64().context("the status tells no highWater")
    }

    /// Waits until what answers has the log through a sequence.
    pub fn applied(&mut self, through: u64) -> anyhow::Result<()> {
        let held = |status: &Value| {
            let graphs = status["generations"].as_array();
            let active = graphs.and_then(|all| all.iter().find(|one| one["state"] == "active"));
            active.is_some_and(|graph| graph["appliedThrough"].as_u64() >= Some(through))
        };
        self.wait("the log is in the graph", DRAIN_DEADLINE, held).map(|_| ())
    }

    /// Waits until everything that is stored is in the stream and the graph, and returns how long it took.
    pub fn drained(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let stored = self.stored()?;
        let status = self.wait("all events are in the graph", DRAIN_DEADLINE, |status| {
            status["generations"][0]["appliedThrough"].as_u64() >= Some(stored)
        })?;
        let took = began.elapsed();
        let events = status["generations"][0]["events"].as_u64().unwrap_or(0);
        if events < stored {
            bail!("{stored} events are stored, and only {events} came to the graph");
        }
        Ok(took)
    }

    /// Processor time of weir and of its nats-server since it was ready.
    pub fn cpu_used(&self) -> Option<f64> {
        Some(self.cpu()? - self.cpu_at_start?)
    }

    fn cpu(&self) -> Option<f64> {
        let weir = cpu_seconds(self.server.pid())?;
        if self.setting != Setting::Everything {
            return Some(weir);
        }
        let pid =
            std::fs::read_to_string(self.dir.path().join("data/nats/nats-server.pid")).ok()?;
        let pid = pid.split_ascii_whitespace().next()?.parse().ok()?;
        Some(weir + cpu_seconds(pid)?)
    }
}

fn status(admin: &str) -> anyhow::Result<Value> {
    let mut client = Client::connect(admin)?;
    let answer = client.send(&get("/admin/status"))?;
    if answer.status != 200 {
        bail!("/admin/status answers {}", answer.status);
    }
    Ok(serde_json::from_slice(answer.body)?)
}
