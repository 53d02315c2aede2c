//! Children that end with this process, and ports for them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

const END_PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const SHOWN_LINES: usize = 8;

/// A running program, a server mostly; dropping it ends it.
pub struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a program through `weir exec-with-parent`, so that it gets SIGTERM when this thread ends.
    pub fn start<A: AsRef<OsStr>>(
        name: &'static str,
        weir: &Path,
        program: &Path,
        arguments: &[A],
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let output =
            File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        let mut command = Command::new(weir);
        // What the caller's environment configures is not what is measured.
        let configured = std::env::vars_os()
            .map(|(key, _)| key)
            .filter(|key| key.to_string_lossy().starts_with("WEIR_"));
        configured.filter(|key| key != "WEIR_NATS_SERVER").for_each(|key| {
            command.env_remove(key);
        });
        let child = command
            .args([
                OsStr::new("exec-with-parent"),
                OsStr::new(&std::process::id().to_string()),
                OsStr::new("--"),
            ])
            .arg(program)
            .args(arguments)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `condition` gives something; fails when the child ends or the deadline passes.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        deadline: Duration,
        mut condition: impl FnMut() -> Option<T>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + deadline;
        loop {
            if let Some(value) = condition() {
                return Ok(value);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}) before {what}:\n{}", self.name, self.last_words());
            }
            if Instant::now() > end {
                bail!(
                    "{}: not within {deadline:?}: {what}; its last words:\n{}",
                    self.name,
                    self.last_words()
                );
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until it ends by itself and returns what it wrote.
    pub fn output(mut self, deadline: Duration) -> anyhow::Result<String> {
        let end = Instant::now() + deadline;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!(
                    "{} does not end within {deadline:?}; its last words:\n{}",
                    self.name,
                    self.last_words()
                );
            }
            thread::sleep(LOOK_AGAIN);
        }
        fs::read_to_string(&self.log)
            .with_context(|| format!("{} wrote what is no text", self.name))
    }

    fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

impl Drop for Server {
    /// In order first, by force when that takes too long.
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            // A child that has ended already needs no signal.
            kill_process(pid, Signal::TERM).ok();
        }
        let end = Instant::now() + END_PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                eprintln!("  {} does not end in time, killing it", self.name);
                self.child.kill().ok();
                self.child.wait().ok();
                return;
            }
            thread::sleep(LOOK_AGAIN);
        }
    }
}

/// A port of the loopback that is free now.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}
