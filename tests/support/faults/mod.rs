//! A disk and a clock that do what a test says: a library between a weir and libc, steered while it runs.
//!
//! It needs a C compiler and a dynamic linker that knows LD_PRELOAD; without them the tests say that they are
//! skipped. A nats-server is linked statically and notices nothing.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::weir::Builder;

/// No room on the disk.
pub const ENOSPC: i32 = 28;
/// The disk cannot do it.
pub const EIO: i32 = 5;

/// What can be made to fail, by its place in the control file.
#[derive(Clone, Copy)]
pub enum Call {
    Write = 0,
    Sync = 1,
    Read = 2,
    /// A file or directory that is not there yet.
    Create = 3,
}

const ALL: [Call; 4] = [Call::Write, Call::Sync, Call::Read, Call::Create];

/// Offsets in the control file, as faults.c has them.
const CLOCK: u64 = 0;
const ERRORS: u64 = 8;
const SYNC_DELAY: u64 = 24;
const HITS: u64 = 32;
const PATH: u64 = 64;
const PATH_BYTES: usize = 256;

/// The faults of the processes that were started with them.
pub struct Faults {
    dir: TempDir,
    control: File,
}

impl Faults {
    /// Builds the library for paths that contain a text; says so, and returns none, where that cannot be done.
    pub fn at(path: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory for the library");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/faults/faults.c");
        let library = dir.path().join("faults.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .output();
        match built {
            Ok(built) if built.status.success() => {}
            Ok(built) => panic!("faults.c: {}", String::from_utf8_lossy(&built.stderr)),
            Err(error) => {
                println!("SKIPPED: no C compiler (cc) for the library of faults: {error}");
                return None;
            }
        }
        let control_path = dir.path().join("control");
        fs::write(&control_path, [0; 4096]).expect("the control file is written");
        let control = File::options().read(true).write(true).open(control_path);
        let faults = Self { dir, control: control.expect("the control file can be opened") };
        let mut text = [0; PATH_BYTES];
        text[..path.len()].copy_from_slice(path.as_bytes());
        faults.put(PATH, &text);
        Some(faults)
    }

    /// Has a weir run under them.
    pub fn on(&self, builder: Builder) -> Builder {
        let variables = self.variables();
        variables.iter().fold(builder, |builder, (name, value)| builder.variable(name, value))
    }

    /// What a process must have in its environment to run under them.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        [("LD_PRELOAD", path("faults.so")), ("FAULTS_CONTROL", path("control"))]
    }

    /// Has a kind of call fail from now on.
    pub fn fail(&self, call: Call, errno: i32) {
        self.put(ERRORS + 4 * call as u64, &errno.to_le_bytes());
    }

    /// Has the disk be full from now on.
    pub fn fill_disk(&self) {
        self.fail(Call::Write, ENOSPC);
        self.fail(Call::Create, ENOSPC);
    }

    /// Has every sync take so long.
    pub fn slow_syncs(&self, time: Duration) {
        self.put(SYNC_DELAY, &(time.as_millis() as i32).to_le_bytes());
    }

    /// Has the disk be as it should; the clock stays as it is.
    pub fn heal(&self) {
        ALL.into_iter().for_each(|call| self.fail(call, 0));
        self.slow_syncs(Duration::ZERO);
    }

    /// Has the wall clock be so many milliseconds ahead, or behind.
    pub fn shift_clock(&self, ms: i64) {
        self.put(CLOCK, &ms.to_le_bytes());
    }

    /// How often a call was made to fail, or slow.
    pub fn hits(&self, call: Call) -> u64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, HITS + 8 * call as u64).expect("it can be read");
        u64::from_le_bytes(bytes)
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.control.write_all_at(bytes, at).expect("the control file can be written");
    }
}
