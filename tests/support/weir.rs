//! A real `weir dev` of a test's own: free ports, its own directory and log, killed and removed when dropped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::client::{Client, PATIENCE};
use super::nats::{NatsServer, binary};
use super::ports::free_port;
use super::{eventually, holds_within};

/// How a weir is to run.
pub struct Builder {
    data_dir: Option<PathBuf>,
    nats_url: Option<String>,
    settings: Vec<(String, String)>,
}

/// A running, or stopped, weir.
pub struct Weir {
    /// What is removed with it; the log lies here.
    own: TempDir,
    data_dir: PathBuf,
    arguments: Vec<OsString>,
    settings: Vec<(String, String)>,
    child: Option<Child>,
    client: Client,
}

impl Builder {
    /// Keeps its files there, and leaves them there.
    pub fn data_dir(mut self, dir: &Path) -> Self {
        self.data_dir = Some(dir.to_owned());
        self
    }

    /// Uses this server instead of a child.
    pub fn nats(mut self, server: &NatsServer) -> Self {
        self.nats_url = Some(server.url());
        self
    }

    /// Sets a configuration key through the environment.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let name = format!("WEIR_{}", key.replace('.', "__").to_uppercase());
        self.settings.push((name, value.to_owned()));
        self
    }

    /// Starts it and returns once its gateway takes events.
    pub async fn start(self) -> Weir {
        let mut weir = self.build();
        weir.start_again().await;
        weir
    }

    /// Runs it to its end, which must come by itself; returns how it ended and what it said.
    pub async fn run(self) -> (ExitStatus, String) {
        let mut weir = self.build();
        weir.spawn();
        let status = weir.ended(PATIENCE).await;
        (status, weir.log())
    }

    fn build(self) -> Weir {
        let own = tempfile::tempdir().expect("a directory for weir");
        let data_dir = self.data_dir.unwrap_or_else(|| own.path().join("data"));
        let (listen, admin) = (free_port(), free_port());
        let address = |port| format!("127.0.0.1:{port}");
        let mut arguments: Vec<OsString> =
            vec!["dev".into(), "--data-dir".into(), data_dir.clone().into()];
        arguments.extend(["--listen".into(), address(listen).into()]);
        arguments.extend(["--admin-listen".into(), address(admin).into()]);
        arguments
            .extend(self.nats_url.into_iter().flat_map(|url| ["--nats-url".into(), url.into()]));
        let client = Client::new(
            format!("http://{}", address(listen)),
            format!("http://{}", address(admin)),
        );
        Weir { own, data_dir, arguments, settings: self.settings, child: None, client }
    }
}

impl Weir {
    /// Begins to describe one: a data directory of its own and a nats-server child, unless said otherwise.
    pub fn dev() -> Builder {
        // Small, so that any disk has room for as many servers as there are tests.
        let settings = vec![("WEIR_NATS__MAX_BYTES".to_owned(), "512MiB".to_owned())];
        Builder { data_dir: None, nats_url: None, settings }
    }

    pub fn client(&self) -> Client {
        self.client.clone()
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Starts it, again, on its files and ports; returns once its gateway takes events.
    pub async fn start_again(&mut self) {
        self.spawn();
        let client = self.client();
        eventually("weir is up", PATIENCE, async || {
            let child = self.child.as_mut().expect("just started");
            let ended = child.try_wait().expect("our own child can be waited for");
            assert!(ended.is_none(), "weir ended: {ended:?}");
            let answer = client.send(client.request("GET", "/health/ready/gateway")).await;
            answer.ok().filter(|answer| answer.status == 200)
        })
        .await;
    }

    fn spawn(&mut self) {
        assert!(self.child.is_none(), "weir runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("WEIR_")) {
            command.env_remove(name);
        }
        let server = binary();
        if server.is_absolute() {
            command.env("WEIR_NATS_SERVER", server);
        }
        command.args(&self.arguments).envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.child = Some(command.spawn().expect("weir can be started"));
    }

    /// Ends it as a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Asks it to stop, as an operator does.
    pub fn terminate(&self) {
        let child = self.child.as_ref().expect("weir runs");
        kill_process(Pid::from_child(child), Signal::TERM).expect("our own child can be signalled");
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let child = self.child.as_mut().expect("weir runs");
        let status = eventually("weir ends", deadline, async || {
            child.try_wait().expect("our own child can be waited for")
        });
        let status = status.await;
        self.child = None;
        status
    }

    /// Stops it in order, which must succeed.
    pub async fn stop(&mut self) {
        self.terminate();
        let status = self.ended(PATIENCE).await;
        assert!(status.success(), "{status}");
    }

    /// Returns the pid file of the nats-server child.
    pub fn nats_pid_file(&self) -> PathBuf {
        self.data_dir.join("nats/nats-server.pid")
    }

    /// Returns the nats-server child, if it runs.
    pub fn nats_child(&self) -> Option<NatsChild> {
        let pid = fs::read_to_string(self.nats_pid_file()).ok()?.trim().parse().ok()?;
        let child = NatsChild { pid, config: self.data_dir.join("nats/nats.conf") };
        child.runs().then_some(child)
    }

    /// Returns everything it wrote, over all its starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.own.path().join("weir.out")
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let nats = self.nats_child();
        self.kill();
        if let Some(nats) = nats
            && !holds_within(Duration::from_secs(2), || !nats.runs())
        {
            nats.kill();
            holds_within(Duration::from_secs(2), || !nats.runs());
        }
        if std::thread::panicking() {
            let nats =
                fs::read_to_string(self.data_dir.join("nats/nats-server.log")).unwrap_or_default();
            eprintln!("weir's log:\n{}\nits nats-server's log:\n{nats}", self.log());
        }
    }
}

/// The nats-server that a weir has started; never a process that only got its number.
#[derive(Debug)]
pub struct NatsChild {
    pid: i32,
    config: PathBuf,
}

impl NatsChild {
    pub fn runs(&self) -> bool {
        let config = self.config.canonicalize().unwrap_or_else(|_| self.config.clone());
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*config.to_string_lossy())
    }

    /// Ends it as a power failure would.
    pub fn kill(&self) {
        if self.runs() {
            kill_process(Pid::from_raw(self.pid).expect("a pid is positive"), Signal::KILL).ok();
        }
    }
}
