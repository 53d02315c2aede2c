//! A site whose versions are brought out by `weir rollout`: nginx in front, one nats-server behind, two places.
//!
//! The processes that a rollout starts outlive it, so the site ends those whose data lies in its directory.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, PATIENCE};
use super::nats::NatsServer;
use super::nginx::Nginx;
use super::ports::free_port;
use super::weir::command;
use super::{Waiting, eventually};

/// How a rollout of a test goes on.
pub struct Pace {
    pub steps: &'static str,
    pub least_duration: &'static str,
    pub least_requests: u32,
    pub look_every: &'static str,
}

impl Pace {
    /// Nothing is waited for: what brings the first version out.
    pub const AT_ONCE: Self =
        Self { steps: "[100]", least_duration: "0s", least_requests: 0, look_every: "100ms" };
    /// Steps that ask for no requests.
    pub const UNUSED: Self =
        Self { steps: "[50, 100]", least_duration: "1s", least_requests: 0, look_every: "500ms" };
    /// Seconds, not minutes.
    pub const QUICK: Self = Self {
        steps: "[20, 50, 100]",
        least_duration: "1s",
        least_requests: 30,
        look_every: "500ms",
    };
}

/// The site.
pub struct RolloutSite {
    own: TempDir,
    pub nats: NatsServer,
    nginx: Nginx,
    places: [(u16, u16); 2],
    role: &'static str,
    variables: Vec<(&'static str, String)>,
}

/// A `weir rollout` that runs, or has ended.
pub struct Running {
    child: Child,
    log: PathBuf,
}

const NAMES: [&str; 2] = ["blue", "green"];

impl RolloutSite {
    /// Starts the servers, and brings the first version of a gateway out; none where there is no nginx.
    pub async fn start() -> Option<Self> {
        Self::of("gateway", &[]).await
    }

    /// The same with another role, and variables that both versions have.
    pub async fn of(role: &'static str, variables: &[(&'static str, String)]) -> Option<Self> {
        let own = tempfile::tempdir().expect("a directory for the site");
        let nginx = Nginx::start(own.path())?;
        let places = [(free_port(), free_port()), (free_port(), free_port())];
        let site = Self {
            own,
            nats: NatsServer::start(),
            nginx,
            places,
            role,
            variables: variables.to_vec(),
        };
        site.configure(&Pace::AT_ONCE);
        let ended = site.run(&["start", "--to", env!("CARGO_BIN_EXE_weir")]).ended().await;
        assert!(ended.0.success(), "{}", ended.1);
        site.configure(&Pace::QUICK);
        Some(site)
    }

    pub fn dir(&self) -> &Path {
        self.own.path()
    }

    fn config(&self) -> PathBuf {
        self.dir().join("rollout.toml")
    }

    /// Writes the file that describes rollouts.
    pub fn configure(&self, pace: &Pace) {
        let place = |at: usize| {
            let (listen, admin) = self.places[at];
            format!(
                "[[local.place]]\nname = \"{name}\"\nlisten = \"127.0.0.1:{listen}\"\n\
                 admin = \"127.0.0.1:{admin}\"\ndata_dir = \"{}\"\n",
                self.dir().join(NAMES[at]).display(),
                name = NAMES[at],
            )
        };
        let Pace { steps, least_duration, least_requests, look_every } = pace;
        let text = format!(
            "dir = \"{}\"\n[plan]\nsteps = {steps}\nleast_duration = \"{least_duration}\"\n\
             least_requests = {least_requests}\nstep_deadline = \"40s\"\nlook_every = \"{look_every}\"\n\
             ready_within = \"20s\"\ndrain_within = \"30s\"\n\
             [judge]\nalpha = 0.05\nslow_by = \"50ms\"\nslow_alone = 0.5\nlag_events = 50\n\
             [local]\ncommand = [{:?}]\nstop_within = \"20s\"\nrecover_within = \"20s\"\n\
             [local.nginx]\nfile = \"{}\"\ntest = {}\nreload = {}\n{}{}",
            self.dir().join("rollout").display(),
            self.role,
            self.nginx.split().display(),
            self.nginx.command(&["-t", "-q"]),
            self.nginx.command(&["-s", "reload"]),
            place(0),
            place(1),
        );
        fs::write(self.config(), text).expect("the configuration can be written");
    }

    /// Makes a version that differs by variables of its environment.
    pub fn version(&self, name: &str, variables: &[(&str, String)]) -> String {
        let path = self.dir().join(name);
        let variables: Vec<String> =
            variables.iter().map(|(name, value)| format!("'{name}={value}'")).collect();
        let script = format!(
            "#!/bin/sh\nexec env {} '{}' \"$@\"\n",
            variables.join(" "),
            env!("CARGO_BIN_EXE_weir")
        );
        fs::write(&path, script).expect("a version can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
        path.display().to_string()
    }

    /// Begins a `weir rollout …`.
    pub fn run(&self, arguments: &[&str]) -> Running {
        let log = self.dir().join("rollout.out");
        let out = File::options().create(true).append(true).open(&log).expect("a log");
        let mut command = self.command(arguments);
        command.stdout(out.try_clone().expect("a second handle")).stderr(out);
        Running { child: command.spawn().expect("weir can be started"), log }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command();
        command.arg("rollout").args(arguments).arg("--config").arg(self.config());
        command.env("WEIR_NATS__URL", self.nats.url()).env("WEIR_ACCESS__MODE", "open");
        command.env("WEIR_NATS__MAX_BYTES", "512MiB").envs(self.variables.iter().cloned());
        command.stdin(Stdio::null());
        command
    }

    /// What `weir rollout status --json` tells.
    pub fn status(&self) -> Value {
        let told = self.command(&["status", "--json"]).output().expect("weir can be started");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        serde_json::from_slice(&told.stdout).expect("it is JSON")
    }

    /// Waits until the rollout is at a step.
    pub async fn is_at_step(&self, at: u64) {
        let there = async || {
            let status = self.status();
            (status["state"] == "step" && status["at"] == at).then_some(())
        };
        eventually("the rollout is at the step", PATIENCE, there).await;
    }

    /// What producers talk to, with the admin listener of a place.
    pub fn client(&self, place: usize) -> Client {
        Client::new(self.nginx.url(), format!("http://127.0.0.1:{}", self.places[place].1))
    }

    /// The processes that run in a place.
    pub fn processes(&self, place: usize) -> Vec<i32> {
        running_in(&self.dir().join(NAMES[place]))
    }
}

impl Drop for RolloutSite {
    fn drop(&mut self) {
        for pid in (0..2).flat_map(|place| self.processes(place)) {
            kill_process(Pid::from_raw(pid).expect("a pid is positive"), Signal::KILL).ok();
        }
        if std::thread::panicking() {
            for file in ["rollout.out", "rollout/blue.log", "rollout/green.log"] {
                let text = fs::read_to_string(self.dir().join(file)).unwrap_or_default();
                eprintln!("{file}:\n{text}");
            }
        }
    }
}

impl Running {
    /// Ends it as a power failure would.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// Waits for its end; returns how it ended and what it has said.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let waiting = Waiting::until("the rollout ends", Duration::from_secs(90));
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                return (status, fs::read_to_string(&self.log).unwrap_or_default());
            }
            waiting.look_again().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Processes that were started on a data directory, and are alive.
fn running_in(dir: &Path) -> Vec<i32> {
    let dir = dir.display().to_string();
    let is_there = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part == dir.as_bytes())
    };
    let entries = fs::read_dir("/proc").expect("/proc can be read").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_there).collect()
}
