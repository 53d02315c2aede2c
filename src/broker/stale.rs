//! The pid file, and the end of a child that outlived its weir.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, sleep};

const TERM_DEADLINE: Duration = Duration::from_secs(10);
const KILL_DEADLINE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Ends the process named in `pid_file` if it was started with `config`, and waits until it is gone.
///
/// Any other process of that number is left alone. The caller holds the directory's lock, so no living
/// weir owns the child.
pub(super) async fn end_stale(pid_file: &Path, config: &Path) -> io::Result<()> {
    let Some(pid) = read_pid(pid_file) else {
        return Ok(());
    };
    // The handle is opened before the check, so a number that is given to another process meanwhile is safe.
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(());
    };
    for (signal, deadline) in [(Signal::TERM, TERM_DEADLINE), (Signal::KILL, KILL_DEADLINE)] {
        if !is_ours(pid, config) {
            return Ok(());
        }
        tracing::warn!(pid = %pid, ?signal, "ending the nats-server of an earlier run");
        if pidfd_send_signal(&handle, signal).is_err() {
            return Ok(());
        }
        let end = Instant::now() + deadline;
        while is_ours(pid, config) && Instant::now() < end {
            sleep(LOOK_AGAIN).await;
        }
    }
    if is_ours(pid, config) {
        return Err(io::Error::other("it does not end, not even by SIGKILL"));
    }
    Ok(())
}

fn read_pid(pid_file: &Path) -> Option<Pid> {
    let text = fs::read_to_string(pid_file).ok()?;
    Pid::from_raw(text.trim().parse().ok()?)
}

/// Tells whether the process lives and has `config` among its arguments; a zombie has none.
fn is_ours(pid: Pid, config: &Path) -> bool {
    let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
    let Ok(line) = fs::read(path) else {
        return false;
    };
    line.split(|byte| *byte == 0).any(|argument| argument == config.as_os_str().as_encoded_bytes())
}
