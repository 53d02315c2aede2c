//! A real weir of a test's own, of all roles or of one: free ports, its own directory and log, killed and
//! removed when dropped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::client::{Client, PATIENCE};
use super::nats::{NatsServer, binary};
use super::ports::free_port;
use super::systemd::Heard;
use super::tls::{Authority, Pair};
use super::{eventually, holds_within};

/// Which command runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Dev,
    Gateway,
    Projector,
    Api,
}

/// How a weir is to run.
pub struct Builder {
    role: Role,
    data_dir: Option<PathBuf>,
    flags: Vec<(&'static str, String)>,
    variables: Vec<(String, String)>,
    /// A socket that somebody else keeps open for its public listener.
    socket: Option<TcpListener>,
    /// What its clients trust, if the public listener speaks TLS.
    authority: Option<String>,
}

/// A running, or stopped, weir.
pub struct Weir {
    /// What is removed with it; the log lies here.
    own: TempDir,
    role: Role,
    data_dir: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(String, String)>,
    socket: Option<TcpListener>,
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
    pub fn nats(self, server: &NatsServer) -> Self {
        self.flag("--nats-url", &server.url())
    }

    /// Uses the servers at these addresses instead of a child.
    pub fn nats_urls(self, urls: &str) -> Self {
        self.flag("--nats-url", urls)
    }

    /// Uses the ArangoDB at this address.
    pub fn arango(self, url: &str) -> Self {
        self.flag("--arango-url", url)
    }

    fn flag(mut self, name: &'static str, value: &str) -> Self {
        self.flags.push((name, value.to_owned()));
        self
    }

    /// Has the public listener speak TLS with this certificate.
    pub fn tls(mut self, authority: &Authority, pair: &Pair) -> Self {
        self.authority = Some(authority.pem());
        self.set("tls.cert_file", &pair.cert.display().to_string())
            .set("tls.key_file", &pair.key.display().to_string())
    }

    /// Hands a socket over for the public listener, as systemd does; it stays open between starts. The address that
    /// is configured is another one.
    pub fn inherits(mut self, socket: TcpListener) -> Self {
        self.socket = Some(socket);
        self
    }

    /// Has it tell somebody how it does.
    pub fn notifies(self, heard: &Heard) -> Self {
        self.variable("NOTIFY_SOCKET", &heard.path())
            .variable("WATCHDOG_USEC", &heard.watchdog().as_micros().to_string())
    }

    /// Sets a configuration key through the environment.
    pub fn set(self, key: &str, value: &str) -> Self {
        let name = format!("WEIR_{}", key.replace('.', "__").to_uppercase());
        self.variable(&name, value)
    }

    /// Sets a variable of its environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and returns once it does its duty, or, without a gateway, once it answers.
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
        let (mut listen, admin) = (free_port(), free_port());
        let address = |port| format!("127.0.0.1:{port}");
        let mut arguments: Vec<OsString> =
            vec![self.role.command().into(), "--data-dir".into(), data_dir.clone().into()];
        let mut flags = self.flags;
        if self.role != Role::Projector {
            flags.push(("--listen", address(listen)));
        }
        flags.push(("--admin-listen", address(admin)));
        arguments.extend(flags.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
        if let Some(socket) = &self.socket {
            listen = socket.local_addr().expect("a bound socket").port();
        }
        // A projector has no public listener; its health is told by the other one too.
        let public = if self.role == Role::Projector { admin } else { listen };
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        let client = Client::trusting(
            format!("{scheme}://{}", address(public)),
            format!("http://{}", address(admin)),
            self.authority.as_deref(),
        );
        let (role, variables, socket) = (self.role, self.variables, self.socket);
        Weir { own, role, data_dir, arguments, variables, socket, child: None, client }
    }
}

impl Role {
    fn command(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Gateway => "gateway",
            Self::Projector => "projector",
            Self::Api => "api",
        }
    }

    /// What answers 200 once it is up. A gateway waits for nobody; others may have to.
    fn up(self) -> &'static str {
        match self {
            Self::Dev | Self::Gateway => "/health/ready/gateway",
            Self::Projector | Self::Api => "/health",
        }
    }
}

impl Weir {
    /// Begins to describe one of all roles: a data directory of its own and a nats-server child, unless said
    /// otherwise.
    pub fn dev() -> Builder {
        Self::of(Role::Dev)
    }

    /// Begins to describe a gateway alone; it needs a NATS server.
    pub fn gateway() -> Builder {
        Self::of(Role::Gateway)
    }

    /// Begins to describe a projector alone; it needs a NATS server and an ArangoDB.
    pub fn projector() -> Builder {
        Self::of(Role::Projector)
    }

    /// Begins to describe an API alone; it needs a NATS server.
    pub fn api() -> Builder {
        Self::of(Role::Api)
    }

    fn of(role: Role) -> Builder {
        // Small, so that any disk has room for as many servers as there are tests.
        let small = [("NATS", "512MiB"), ("RETRY", "64MiB"), ("PARKED", "64MiB")];
        let variables =
            small.map(|(stream, bytes)| (format!("WEIR_{stream}__MAX_BYTES"), bytes.to_owned()));
        let variables = variables.to_vec();
        let builder = Builder {
            role,
            data_dir: None,
            flags: Vec::new(),
            variables,
            socket: None,
            authority: None,
        };
        // What is not about keys needs none; a later value wins.
        builder.set("access.mode", "open")
    }

    pub fn client(&self) -> Client {
        self.client.clone()
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Starts it, again, on its files and ports; returns as [`Builder::start`] does.
    pub async fn start_again(&mut self) {
        self.spawn();
        let (client, up) = (self.client(), self.role.up());
        eventually("weir is up", PATIENCE, async || {
            let child = self.child.as_mut().expect("just started");
            let ended = child.try_wait().expect("our own child can be waited for");
            assert!(ended.is_none(), "weir ended: {ended:?}");
            let answer = client.send(client.request("GET", up)).await;
            answer.ok().filter(|answer| answer.status == 200)
        })
        .await;
    }

    fn spawn(&mut self) {
        assert!(self.child.is_none(), "weir runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log");
        let mut command = self.bare_command();
        command.args(&self.arguments).stdin(Stdio::null());
        if let Some(socket) = &self.socket {
            command = handing_over(&command, socket);
        }
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.child = Some(command.spawn().expect("weir can be started"));
    }

    /// Returns weir without arguments, with the variables of this one.
    pub fn bare_command(&self) -> Command {
        let mut command = command();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Returns the number of the running process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("weir runs").id()
    }

    /// Ends it as a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Has it do nothing until it is thawed or killed.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Has a frozen one go on, as if no time had passed.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("weir runs");
        kill_process(Pid::from_child(child), signal).expect("our own child can be signalled");
    }

    /// Asks it to stop, as an operator does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
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

/// The same command with a socket as descriptor 3, by systemd's protocol: `LISTEN_PID` is the process that may
/// take it, and a shell keeps its number when it becomes another program.
fn handing_over(command: &Command, socket: &TcpListener) -> Command {
    const SCRIPT: &str = "exec 3<&0 </dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", SCRIPT]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let socket = socket.try_clone().expect("a second handle");
    shell.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "public");
    shell.stdin(Stdio::from(OwnedFd::from(socket)));
    shell
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

/// Returns weir without arguments, and with no variables of weir's.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("WEIR_")) {
        command.env_remove(name);
    }
    for name in ["CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS"] {
        command.env_remove(name);
    }
    let server = binary();
    if server.is_absolute() {
        command.env("WEIR_NATS_SERVER", server);
    }
    command
}

/// The nats-server that a weir has started; never a process that only got its number.
#[derive(Debug)]
pub struct NatsChild {
    pid: i32,
    config: PathBuf,
}

impl NatsChild {
    pub fn pid(&self) -> i32 {
        self.pid
    }

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
