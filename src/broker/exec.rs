//! The last step between weir and its child: a fresh weir process that becomes the child.
//!
//! A signal for the parent's death can only be asked for by the child itself, between fork and exec. Here
//! that is an ordinary program and not code in a forked copy of a threaded process, so it is all safe.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Becomes `program`, which will get SIGTERM when the thread that started this process ends.
///
/// Returns only on failure, also when `parent` is gone already: the signal would never come.
pub fn exec_with_parent(
    parent: u32,
    program: &OsStr,
    arguments: &[OsString],
) -> io::Result<Infallible> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let now = getppid().map(Pid::as_raw_nonzero);
    if now.is_none_or(|pid| pid.get().unsigned_abs() != parent) {
        return Err(io::Error::other("the parent process is gone"));
    }
    Err(Command::new(program).args(arguments).exec())
}
