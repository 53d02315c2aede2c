//! One nats-server of a cluster, on a machine of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::holds_within;

/// How long a server that was told to go may take: its clients leave, and it closes one a second that does not.
const GOING: Duration = Duration::from_secs(30);

/// A running, or stopped, node.
pub struct Node {
    pub name: String,
    folder: PathBuf,
    child: Option<Child>,
}

impl Node {
    /// One that does not run yet, with its files in a folder that is there.
    pub fn new(name: String, folder: PathBuf) -> Self {
        Self { name, folder, child: None }
    }

    pub fn start(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("nats-server starts"));
    }

    /// Ends it as a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
        }
    }

    /// Has it hand over what it leads and its clients, and end by itself.
    pub fn lame_duck(&mut self) {
        let mut child = self.child.take().expect("it runs");
        kill_process(Pid::from_child(&child), Signal::USR2).expect("our own child is signalled");
        let ended = || child.try_wait().expect("our own child can be waited for").is_some();
        assert!(holds_within(GOING, ended), "{} does not go", self.name);
    }

    /// Loses all that it had stored.
    pub fn wipe(&self) {
        assert!(self.child.is_none(), "a disk is lost only while the server is down");
        fs::remove_dir_all(self.store()).expect("the files can be removed");
    }

    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("nats.log")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(20_000);
            let tail = log.get(from..).unwrap_or(&log);
            eprintln!("the end of the log of {}:\n{tail}", self.name);
        }
    }
}
