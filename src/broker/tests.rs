//! Tests with a real nats-server, real processes and real signals.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::exec::exec_with_parent;
use super::{Broker, Options, StartError, Status};

const PATIENCE: Duration = Duration::from_secs(20);
const DIR: &str = "WEIR_TEST_BROKER_DIR";

fn options(dir: &Path) -> Options {
    let test = "broker::tests::becomes_the_child";
    let launcher = ["--exact", "--ignored", "--nocapture", test, "--"];
    let executable = env::current_exe().unwrap().into_os_string();
    Options {
        server: env::var_os("WEIR_NATS_SERVER").map(PathBuf::from),
        launcher: [executable].into_iter().chain(launcher.map(OsString::from)).collect(),
        ..Options::new(dir.join("nats"))
    }
}

#[test]
#[ignore = "the launcher that other tests run as a process of its own"]
fn becomes_the_child() {
    let mut arguments = env::args_os().skip_while(|argument| argument != "--").skip(1);
    let parent = arguments.next().unwrap().into_string().unwrap();
    assert_eq!(arguments.next().unwrap(), "--");
    let program = arguments.next().unwrap();
    let rest: Vec<OsString> = arguments.collect();
    let Err(error) = exec_with_parent(parent.parse().unwrap(), &program, &rest);
    panic!("{error}");
}

#[tokio::test]
#[ignore = "the parent that another test runs as a process of its own and kills"]
async fn is_a_parent() {
    let broker = Broker::start(options(Path::new(&env::var_os(DIR).unwrap()))).await.unwrap();
    let pid = broker.status().borrow().pid.unwrap();
    println!("child {pid} {}", broker.url);
    std::future::pending::<()>().await;
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn status(broker: &Broker, wanted: impl Fn(&Status) -> bool) -> Status {
    let mut status = broker.status();
    let found = tokio::time::timeout(PATIENCE, status.wait_for(wanted)).await;
    *found.expect("the status comes in time").unwrap()
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// Tells whether the process runs a nats-server (and is no zombie).
fn runs(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains("nats.conf")
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

fn greets(url: &str) -> bool {
    let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", port(url))) else {
        return false;
    };
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with("INFO ")
}

#[tokio::test]
async fn a_killed_child_comes_back_on_the_same_port_and_a_stop_ends_it() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(options(folder.path())).await.unwrap();
    assert!(greets(&broker.url));
    let first = status(&broker, |status| status.pid.is_some()).await;
    for times in 1..=2 {
        let now = *broker.status().borrow();
        signal(now.pid.unwrap(), Signal::KILL);
        status(&broker, |status| status.restarts == times && status.pid.is_some()).await;
        eventually("it serves again", || greets(&broker.url)).await;
    }
    // As a terminal's Ctrl-C does.
    let now = *broker.status().borrow();
    signal(now.pid.unwrap(), Signal::INT);
    let last = status(&broker, |status| status.restarts == 3 && status.pid.is_some()).await;
    assert_ne!(first.pid, last.pid);
    let url = broker.url.clone();
    broker.stop().await;
    assert!(!runs(last.pid.unwrap()));
    assert!(!greets(&url));
    assert!(!folder.path().join("nats/nats-server.pid").exists());

    let again = Broker::start(options(folder.path())).await.unwrap();
    assert_eq!(again.url, url, "the port is kept across runs");
    again.stop().await;
}

#[tokio::test]
async fn the_death_of_the_parent_ends_the_child() {
    let folder = TempDir::new().unwrap();
    let mut parent = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "broker::tests::is_a_parent"])
        .env(DIR, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let child = BufReader::new(parent.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("child ").map(|(_, rest)| rest.to_owned()))
        .expect("the parent tells its child");
    let (pid, url) = child.split_once(' ').unwrap();
    let pid: u32 = pid.parse().unwrap();
    assert!(runs(pid) && greets(url));
    let in_use = Broker::start(options(folder.path())).await.unwrap_err();
    assert!(matches!(in_use, StartError::InUse { .. }), "{in_use}");

    parent.kill().unwrap();
    assert_eq!(parent.wait().unwrap().signal(), Some(9));
    eventually("the child ends with its parent", || !runs(pid)).await;

    let after = Broker::start(options(folder.path())).await.unwrap();
    assert_eq!(after.url, url, "the next run takes the same port");
    after.stop().await;
}

#[tokio::test]
async fn a_stale_child_is_ended_and_a_stranger_is_not() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(options(folder.path())).await.unwrap();
    let url = broker.url.clone();
    let server = broker.server.path.clone();
    broker.stop().await;

    // One that nobody watches, as after a kill that the death signal did not survive.
    let config = folder.path().join("nats/nats.conf").canonicalize().unwrap();
    let pid_file = folder.path().join("nats/nats-server.pid");
    let mut stale = Command::new(server).arg("-c").arg(&config).spawn().unwrap();
    fs::write(&pid_file, stale.id().to_string()).unwrap();
    eventually("the stale one serves", || greets(&url)).await;
    let reaper = std::thread::spawn(move || stale.wait().unwrap());
    let broker = Broker::start(options(folder.path())).await.unwrap();
    assert_eq!(broker.url, url);
    eventually("the stale one has ended", || reaper.is_finished()).await;
    broker.stop().await;

    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(&pid_file, stranger.id().to_string()).unwrap();
    let broker = Broker::start(options(folder.path())).await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "a stranger was ended");
    broker.stop().await;
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_is_told_with_its_last_words() {
    let folder = TempDir::new().unwrap();
    let mut options = options(folder.path());
    // A file where the store must be.
    fs::create_dir(folder.path().join("nats")).unwrap();
    fs::write(folder.path().join("nats/jetstream"), "").unwrap();
    options.start_deadline = PATIENCE;
    let error = Broker::start(options).await.unwrap_err().to_string();
    assert!(error.contains("ends as soon as it starts"), "{error}");
    assert!(error.contains("is not a directory"), "{error}");
}

#[test]
fn nothing_is_executed_for_a_parent_that_is_gone() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .args(["broker::tests::becomes_the_child", "--", "1", "--", "echo", "ran"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("ran\n"));
}
