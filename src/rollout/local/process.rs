//! Processes of a place, known by what they were started with: no file with a number can be wrong.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::options::{LocalOptions, Place};
use crate::rollout::provider::ProviderError;

/// Times that a process is looked for before it counts as gone.
const LOOKS: u32 = 3;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The process that runs a role in a place, if one does.
pub(super) fn find(role: &str, place: &Place) -> Option<Pid> {
    let entries = fs::read_dir("/proc").ok()?;
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).find_map(|number| {
        let line = fs::read(format!("/proc/{number}/cmdline")).ok()?;
        (is_of(&line, role, &place.data_dir) && !is_dead(number)).then(|| Pid::from_raw(number))?
    })
}

/// The same, once more after a moment if none is seen: a process that becomes another program has no command line
/// for an instant.
pub(super) async fn find_surely(role: &str, place: &Place) -> Option<Pid> {
    for _ in 0..LOOKS {
        if let Some(pid) = find(role, place) {
            return Some(pid);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    find(role, place)
}

/// Whether a command line is that of a role with this data directory.
fn is_of(line: &[u8], role: &str, data_dir: &Path) -> bool {
    let parts: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    // A script that becomes the binary has its own name before the role.
    let Some(at) = parts.iter().skip(1).position(|part| *part == role.as_bytes()) else {
        return false;
    };
    let dir = data_dir.as_os_str().as_bytes();
    parts[at..].windows(2).any(|pair| pair[0] == b"--data-dir" && pair[1] == dir)
}

/// A process that has ended stays in the table until its parent looks.
fn is_dead(number: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_none_or(|state| matches!(state, 'Z' | 'X'))
}

/// Starts a binary in a place; it goes on when whoever started it ends.
pub(super) fn spawn(
    options: &LocalOptions,
    place: &Place,
    binary: &Path,
) -> Result<(), ProviderError> {
    let failed = |what: PathBuf| {
        move |error: std::io::Error| ProviderError::last(format!("{}: {error}", what.display()))
    };
    let path = options.log(place);
    let log = File::options().create(true).append(true).open(&path).map_err(failed(path))?;
    let again = log.try_clone().map_err(failed(binary.to_owned()))?;
    let arguments: Vec<OsString> = options.arguments(place);
    let mut command = Command::new(binary);
    command.args(arguments).envs(&options.env);
    command.stdin(Stdio::null()).stdout(again).stderr(log);
    // A group of its own: Ctrl-C at the rollout does not end it.
    command.process_group(0);
    command.spawn().map(drop).map_err(failed(binary.to_owned()))
}

/// Has the process of a place end in order, and kills it after a while; its log on disk outlives both.
pub(super) async fn end(role: &str, place: &Place, within: Duration) -> Result<(), ProviderError> {
    let Some(pid) = find_surely(role, place).await else { return Ok(()) };
    signal(pid, Signal::TERM)?;
    if is_gone(role, place, within).await {
        return Ok(());
    }
    signal(pid, Signal::KILL)?;
    if is_gone(role, place, within).await {
        return Ok(());
    }
    Err(ProviderError::last(format!("the process {} does not end", pid.as_raw_nonzero())))
}

fn signal(pid: Pid, signal: Signal) -> Result<(), ProviderError> {
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(ProviderError::last(format!("the process cannot be ended: {error}"))),
    }
}

async fn is_gone(role: &str, place: &Place, within: Duration) -> bool {
    let end = tokio::time::Instant::now() + within;
    while find(role, place).is_some() {
        if tokio::time::Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_role_and_its_directory() {
        let line = |parts: &[&str]| parts.join("\0").into_bytes();
        let of = |parts: &[&str]| is_of(&line(parts), "gateway", Path::new("/data/blue"));
        assert!(of(&["/weir", "gateway", "--data-dir", "/data/blue", "--listen", "a:1"]));
        assert!(of(&[
            "/bin/sh",
            "/weir-2",
            "gateway",
            "--config",
            "c",
            "--data-dir",
            "/data/blue"
        ]));
        assert!(!of(&["/weir", "gateway", "--data-dir", "/data/blue2"]));
        assert!(!of(&["/weir", "wal", "status", "--data-dir", "/data/blue"]));
        assert!(!of(&["vi", "/data/blue"]) && !of(&[]));
    }
}
