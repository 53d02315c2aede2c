//! Starts the child, waits until it serves, and stops it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::configuration::configuration;
use super::find::{FindError, Server, find_server};
use super::ports::{self, Ports};
use super::stale::end_stale;
use super::supervisor::{Launch, Status, Supervisor};

const LOOK_AGAIN: Duration = Duration::from_millis(20);
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);
/// A server that dies this often before it served once has a cause that stays.
const HOPELESS: u64 = 3;
const SHOWN_LINES: usize = 5;

/// How to run the child.
#[derive(Clone, Debug)]
pub struct Options {
    /// Holds all of the child's files; made if missing, used by one weir at a time.
    pub dir: PathBuf,
    /// The server to run; without it, it is searched for.
    pub server: Option<PathBuf>,
    /// Most bytes of all its streams; without it, three quarters of the free disk.
    pub max_file_bytes: Option<u64>,
    /// Longest wait until it serves; a large store takes a while to recover.
    pub start_deadline: Duration,
    /// Longest wait for an orderly end before it is killed.
    pub stop_deadline: Duration,
    /// The command that runs [`super::exec_with_parent`].
    pub launcher: Vec<OsString>,
}

impl Options {
    /// Returns the defaults for a child in `dir`, launched by this very executable.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            server: None,
            max_file_bytes: None,
            start_deadline: Duration::from_mins(1),
            stop_deadline: Duration::from_secs(10),
            launcher: vec!["/proc/self/exe".into(), "exec-with-parent".into()],
        }
    }
}

/// Why the child does not serve. Final, but for [`StartError::InUse`].
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Find(#[from] FindError),
    #[error("another weir uses {dir}; stop it, or choose another data directory")]
    InUse { dir: PathBuf },
    #[error("the nats-server of an earlier run: {0}")]
    Stale(#[source] io::Error),
    #[error("cannot prepare {dir} for nats-server: {source}")]
    Prepare { dir: PathBuf, source: io::Error },
    #[error("nats-server does not serve ({why}); its last words:\n{words}")]
    NotServing { why: &'static str, words: String },
}

/// A running nats-server child; stopped by [`Broker::stop`], and told to stop when dropped.
#[derive(Debug)]
pub struct Broker {
    /// `nats://127.0.0.1:port`, the same across restarts of the child.
    pub url: String,
    /// `http://127.0.0.1:port` of the server's monitoring.
    pub monitor_url: String,
    /// What runs.
    pub server: Server,
    supervisor: Supervisor,
    stop_deadline: Duration,
    _lock: File,
}

impl Broker {
    /// Starts the child and returns once it serves JetStream.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let server = find_server(options.server.as_deref()).await?;
        let failed = |source| StartError::Prepare { dir: options.dir.clone(), source };
        let dir = make_dir(&options.dir).map_err(failed)?;
        let lock = lock(&dir)?;
        let config = dir.join("nats.conf");
        let pid_file = dir.join("nats-server.pid");
        end_stale(&pid_file, &config).await.map_err(StartError::Stale)?;
        let ports = ports::choose(&dir.join("ports")).map_err(failed)?;
        fs::write(&config, configuration(&dir, ports, options.max_file_bytes)).map_err(failed)?;
        let launch = Launch {
            launcher: options.launcher,
            child: vec![server.path.clone().into(), "-c".into(), config.into()],
            pid_file,
            output: dir.join("nats-server.out"),
        };
        let supervisor = Supervisor::start(launch).map_err(failed)?;
        let broker = Self {
            url: format!("nats://127.0.0.1:{}", ports.client),
            monitor_url: format!("http://127.0.0.1:{}", ports.monitor),
            server,
            supervisor,
            stop_deadline: options.stop_deadline,
            _lock: lock,
        };
        match broker.wait_until_serving(ports, options.start_deadline).await {
            Ok(()) => {
                tracing::info!(url = broker.url, version = %broker.server.version, "nats-server runs");
                Ok(broker)
            }
            Err(why) => {
                broker.stop().await;
                let words = last_words(&dir);
                Err(StartError::NotServing { why, words })
            }
        }
    }

    /// Returns a watch of the child's status.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.supervisor.status.clone()
    }

    /// Ends the child in order (SIGTERM), by force after the stop deadline, and returns when it is gone.
    pub async fn stop(self) {
        self.supervisor.stop(Signal::TERM);
        if timeout(self.stop_deadline, self.supervisor.ended()).await.is_err() {
            tracing::warn!("nats-server does not end in time, killing it");
            self.supervisor.stop(Signal::KILL);
            self.supervisor.ended().await;
        }
    }

    async fn wait_until_serving(
        &self,
        ports: Ports,
        deadline: Duration,
    ) -> Result<(), &'static str> {
        let status = self.supervisor.status.clone();
        let end = Instant::now() + deadline;
        loop {
            let serves = serves_jetstream(ports.client).await;
            let now = *status.borrow();
            if serves && now.pid.is_some() {
                return Ok(());
            }
            if now.restarts >= HOPELESS {
                return Err("it ends as soon as it starts");
            }
            if Instant::now() > end {
                return Err("it does not answer in time");
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.supervisor.stop(Signal::TERM);
    }
}

fn make_dir(dir: &Path) -> io::Result<PathBuf> {
    // Events are personal data: nobody else reads them.
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    dir.canonicalize()
}

/// Takes the directory for this process; the kernel gives it back when the process ends, however it ends.
fn lock(dir: &Path) -> Result<File, StartError> {
    let prepare = |source| StartError::Prepare { dir: dir.to_owned(), source };
    let file = File::create(dir.join("lock")).map_err(prepare)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(prepare(source)),
    }
}

/// Asks for the greeting, which comes only after JetStream has recovered its streams.
async fn serves_jetstream(port: u16) -> bool {
    let greeting = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await?;
        io::Result::Ok(line)
    };
    match timeout(ANSWER_DEADLINE, greeting).await {
        Ok(Ok(line)) => line.starts_with("INFO ") && line.contains("\"jetstream\":true"),
        _ => false,
    }
}

/// Returns the last lines of what the child wrote.
fn last_words(dir: &Path) -> String {
    let mut words = Vec::new();
    for name in ["nats-server.out", "nats-server.log"] {
        let text = fs::read(dir.join(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.len().saturating_sub(SHOWN_LINES);
        words.extend(lines[shown..].iter().map(|line| format!("  {line}")));
    }
    words.join("\n")
}
