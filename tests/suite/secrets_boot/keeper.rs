//! A plan in a folder of its own, and `weir secrets` at work on it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::weir::command;

pub const SOON: Duration = Duration::from_secs(30);

/// How a command ended, and all that it said.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub said: String,
}

/// A plan and the folder of its secrets.
pub struct Site {
    pub folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Site {
    pub fn new(plan: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("plan.toml"), plan).expect("it is written");
        // Nothing of the machine that runs the tests counts.
        let variables = vec![("AWS_EC2_METADATA_DISABLED".to_owned(), String::new())];
        Self { folder, variables }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, beside) = (self.path(name), self.path("beside"));
        fs::write(&beside, text).expect("it is written");
        fs::rename(beside, &path).expect("it is renamed");
        path
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn target(&self) -> PathBuf {
        self.path("secrets")
    }

    /// What the file of a secret holds now.
    pub fn value(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.target().join(name)).ok()
    }

    fn command(&self, verb: &str) -> std::process::Command {
        let mut command = command();
        for (name, _) in std::env::vars() {
            if name.starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command.args(["secrets", verb, "--config"]).arg(self.path("plan.toml"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if verb != "check" {
            command.arg("--to").arg(self.target()).arg("--allow-disk");
        }
        command
    }

    pub async fn run(&self, verb: &str, more: &[&str]) -> Ended {
        let mut command = self.command(verb);
        command.args(more).stdin(Stdio::null());
        let ending = tokio::task::spawn_blocking(move || command.output());
        let output = ending.await.expect("it does not panic").expect("weir runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        Ended { code: output.status.code(), said }
    }

    /// Fetches once, within some seconds.
    pub async fn fetch(&self, deadline: &str) -> Ended {
        self.run("fetch", &["--deadline", deadline]).await
    }

    /// Starts a command that goes on.
    pub fn start(&self, verb: &str) -> Keeper {
        let path = self.path(&format!("{verb}.log"));
        let log = File::create(&path).expect("a log");
        let mut command = self.command(verb);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
        Keeper { child: command.spawn().expect("weir runs"), log: path }
    }

    pub async fn holds(&self, name: &str, value: &str) {
        let what = format!("{name} holds its value");
        eventually(&what, SOON, async || (self.value(name)? == value).then_some(())).await;
    }
}

/// A `weir secrets` that runs; killed when dropped.
pub struct Keeper {
    child: Child,
    log: PathBuf,
}

impl Keeper {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub async fn says(&self, text: &str) {
        let what = format!("it says {text:?}");
        eventually(&what, SOON, async || self.log().contains(text).then_some(())).await;
    }

    pub fn hurry(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).expect("our own child");
    }

    pub async fn ended(&mut self) -> Ended {
        let child = &mut self.child;
        let status = eventually("it ends", SOON, async || child.try_wait().expect("our own child"));
        let code = status.await.code();
        Ended { code, said: self.log() }
    }

    /// Ends it as an operator does; it must end well.
    pub async fn stop(&mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("our own child");
        let ended = self.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.said
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("its log:\n{}", self.log());
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// No secret stands in a text.
#[track_caller]
pub fn keeps_silent(text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is told:\n{text}");
    }
}

/// How often a text says something.
pub fn times(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}
