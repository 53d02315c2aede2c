//! The stand-in for ArangoDB in a process of its own, so that its processor time is measured apart.
//!
//! The bench runs itself again with a hidden flag. The child tells in a line of JSON where it is, answers
//! each database's name with what it holds and has seen, and ends with its standard input. Developers
//! start one by `scripts/arango-stand-in`; that one serves until it is told to end.

#[path = "../../tests/support/arango/mod.rs"]
mod arango;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use weir::secret::SecretSource;
use weir::store::arango::ArangoOptions;

use self::arango::StandIn;
use crate::bench::Bench;
use crate::machine::cpu_seconds;

/// How often what it does not know is told.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(30);
/// As `arango.max_in_flight` is by default.
const MAX_IN_FLIGHT: usize = 16;

/// Where it is. The password is in a file that only this user reads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Place {
    pub url: String,
    pub user: String,
    pub password_file: PathBuf,
}

/// What it has seen so far, and how many documents each collection of a database holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub requests: u64,
    pub bytes: u64,
    pub documents: BTreeMap<String, usize>,
}

/// Serves until standard input ends; the password's file goes to `dir`.
pub fn serve_asked(dir: &Path) -> anyhow::Result<()> {
    let (server, place) = start(dir)?;
    println!("{}", serde_json::to_string(&place)?);
    for database in std::io::stdin().lines() {
        println!("{}", serde_json::to_string(&tally(&server, &database?))?);
    }
    Ok(())
}

/// Serves for a person, until the process is told to end or its parent has ended.
pub fn serve_by_hand(bench: &Bench) -> anyhow::Result<()> {
    let parent = parent_id();
    let dir = bench.folder()?;
    let (server, place) = start(dir.path())?;
    println!(
        "A stand-in for ArangoDB 3.12: it knows what weir asks, and forgets all when it ends."
    );
    println!("url            {}", place.url);
    println!("user           {}", place.user);
    println!("password file  {}", place.password_file.display());
    while parent_id() == parent {
        for violation in server.take_violations() {
            eprintln!("not known here: {violation}");
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

fn start(dir: &Path) -> anyhow::Result<(StandIn, Place)> {
    let server = StandIn::start();
    let password_file = dir.join("password");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&password_file)
        .with_context(|| format!("cannot write {}", password_file.display()))?;
    file.write_all(server.password().as_bytes())?;
    let place = Place { url: server.url(), user: StandIn::USER.to_owned(), password_file };
    Ok((server, place))
}

fn tally(server: &StandIn, database: &str) -> Tally {
    let collections = server.collections(database).into_iter();
    let counts = collections.map(|name| {
        let count = server.count(database, &name);
        (name, count)
    });
    let (requests, bytes) = (server.request_count(), server.request_bytes());
    Tally { requests, bytes, documents: counts.filter(|(_, count)| *count > 0).collect() }
}

/// A running child; dropping it ends it.
pub struct StandInProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub place: Place,
    _dir: TempDir,
}

impl StandInProcess {
    pub fn start(bench: &Bench) -> anyhow::Result<Self> {
        let dir = bench.folder()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--bench", "--arango-stand-in"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the stand-in does not start")?;
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().context("it has an output")?);
        let place = read(&mut output)?;
        Ok(Self { child, input, output, place, _dir: dir })
    }

    /// What a client of it needs.
    pub fn options(&self) -> ArangoOptions {
        ArangoOptions {
            url: self.place.url.clone(),
            user: self.place.user.clone(),
            password: Some(SecretSource::File(self.place.password_file.clone())),
            ca_file: None,
            request_timeout: TIMEOUT,
            query_timeout: TIMEOUT,
            max_in_flight: MAX_IN_FLIGHT,
        }
    }

    /// What it has seen so far, and what a database holds.
    pub fn tally(&mut self, database: &str) -> anyhow::Result<Tally> {
        writeln!(self.input.as_mut().context("it is asked")?, "{database}")?;
        read(&mut self.output)
    }

    /// Processor time so far.
    pub fn cpu(&self) -> f64 {
        cpu_seconds(self.child.id()).unwrap_or(f64::NAN)
    }

    /// Ends it; fails if it was asked what it does not know.
    pub fn stop(mut self) -> anyhow::Result<()> {
        drop(self.input.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "the stand-in was asked what it does not know ({status})");
        Ok(())
    }
}

impl Drop for StandInProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn read<T: for<'de> Deserialize<'de>>(output: &mut BufReader<ChildStdout>) -> anyhow::Result<T> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    serde_json::from_str(&line).with_context(|| format!("the stand-in says {line:?}"))
}
