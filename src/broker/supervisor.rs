//! The thread that owns the child: it starts it, waits for it, and starts it again when it dies.
//!
//! It is one OS thread that lives as long as weir, because the kernel's parent-death signal is bound to the
//! thread that started the child, not to the process.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::watch;

use crate::telemetry::names;

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_secs(5);
/// A child that lived this long was well: the next death starts with the first backoff again.
const WELL_AFTER: Duration = Duration::from_secs(30);

/// What the child does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The child's process, while it runs.
    pub pid: Option<u32>,
    /// Times it died (or could not be started) and was to be started again.
    pub restarts: u64,
}

/// How the child is started.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The command that runs [`super::exec_with_parent`]; its parent's pid, `--`, and the child follow.
    pub launcher: Vec<OsString>,
    pub child: Vec<OsString>,
    pub pid_file: PathBuf,
    /// Takes what the child writes before its own log is open; emptied at each start.
    pub output: PathBuf,
}

/// A handle of the thread; a stop asked through it is never undone.
#[derive(Debug)]
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    pub status: watch::Receiver<Status>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    /// Set exactly while the process exists and was not waited for, so its number is not another's.
    child: Option<Pid>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervisor {
    /// Starts the thread, which starts the child.
    pub fn start(launch: Launch) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (sender, status) = watch::channel(Status::default());
        let keeper = Keeper { launch, shared: Arc::clone(&shared), status: sender };
        thread::Builder::new().name("nats-supervisor".into()).spawn(move || keeper.run())?;
        Ok(Self { shared, status })
    }

    /// Sends the child `signal` and has no other follow it.
    pub fn stop(&self, signal: Signal) {
        let mut state = self.shared.lock();
        state.stopping = true;
        self.shared.changed.notify_all();
        if let Some(pid) = state.child
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::warn!(%error, "cannot signal nats-server");
        }
    }

    /// Waits until the thread and so the child have ended.
    pub async fn ended(&self) {
        let mut status = self.status.clone();
        // The sender is dropped when the thread ends.
        while status.changed().await.is_ok() {}
    }
}

/// The thread's own state.
struct Keeper {
    launch: Launch,
    shared: Arc<Shared>,
    status: watch::Sender<Status>,
}

impl Keeper {
    fn run(self) {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let begun = Instant::now();
            let child = {
                let mut state = self.shared.lock();
                if state.stopping {
                    break;
                }
                let child = self.spawn();
                state.child = child.as_ref().ok().map(pid_of);
                child
            };
            let end = match child {
                Ok(child) => self.keep(child),
                Err(error) => format!("cannot be started: {error}"),
            };
            if self.shared.lock().stopping {
                break;
            }
            if begun.elapsed() > WELL_AFTER {
                backoff = FIRST_BACKOFF;
            }
            tracing::warn!(
                end,
                wait_ms = backoff.as_millis() as u64,
                "nats-server ended, starting it again"
            );
            counter!(names::BROKER_RESTARTS).increment(1);
            self.status.send_modify(|status| status.restarts += 1);
            self.pause(backoff);
            backoff = (backoff * 2).min(LAST_BACKOFF);
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        let output = File::create(&self.launch.output)?;
        let (program, first) = self
            .launch
            .launcher
            .split_first()
            .ok_or_else(|| io::Error::other("the launcher is empty"))?;
        let mut command = Command::new(program);
        for withheld in withheld_variables() {
            command.env_remove(withheld);
        }
        command
            .args(first)
            .arg(std::process::id().to_string())
            .arg("--")
            .args(&self.launch.child)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
    }

    /// Publishes the child, waits for its end, and tells how it ended.
    fn keep(&self, mut child: Child) -> String {
        let pid = pid_of(&child);
        if let Err(error) = fs::write(&self.launch.pid_file, format!("{}\n", child.id())) {
            tracing::warn!(%error, "cannot write the pid file of nats-server");
        }
        gauge!(names::BROKER_RUNNING).set(1.0);
        self.status.send_modify(|status| status.pid = Some(child.id()));
        // Waits without reaping: until the lock is held, the number must not be given to another process.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(error) = waitid(WaitId::Pid(pid), options) {
            if error != rustix::io::Errno::INTR {
                break;
            }
        }
        let end = {
            let mut state = self.shared.lock();
            let end = child.wait();
            state.child = None;
            end
        };
        gauge!(names::BROKER_RUNNING).set(0.0);
        self.status.send_modify(|status| status.pid = None);
        if let Err(error) = fs::remove_file(&self.launch.pid_file) {
            tracing::debug!(%error, "cannot remove the pid file of nats-server");
        }
        end.map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    fn pause(&self, backoff: Duration) {
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), backoff, |state| !state.stopping);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Variables that are not for the child: our own and the way to systemd's credentials, which hold secrets, and
/// those by which systemd and weir speak, or it would be taken for weir.
fn withheld_variables() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| is_withheld(&name.to_string_lossy()))
}

fn is_withheld(name: &str) -> bool {
    let beginnings = ["WEIR_", "LISTEN_", "WATCHDOG_"];
    let names = ["CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET"];
    beginnings.iter().any(|beginning| name.starts_with(beginning)) || names.contains(&name)
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}
