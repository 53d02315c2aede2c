//! How long and how much: what every row is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

/// Begins the name of every folder, before the number of the process that made it.
const PREFIX: &str = "bench-";

/// The bounds of a run.
#[derive(Debug)]
pub struct Bench {
    pub quick: bool,
    /// On the disk of the repository's target folder.
    pub dir: PathBuf,
    /// The binary under test.
    pub weir: PathBuf,
}

impl Bench {
    pub fn new(quick: bool) -> Self {
        let bench = Self {
            quick,
            dir: env!("CARGO_TARGET_TMPDIR").into(),
            weir: env!("CARGO_BIN_EXE_weir").into(),
        };
        remove_left_over(&bench.dir);
        bench
    }

    pub fn rounds(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    /// How long one load lasts.
    pub fn load(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 8 })
    }

    /// So many of something large, a tenth when it has to be quick.
    pub fn amount(&self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }

    /// A folder that is removed with its handle.
    pub fn folder(&self) -> anyhow::Result<TempDir> {
        std::fs::create_dir_all(&self.dir)
            .with_context(|| format!("cannot make {}", self.dir.display()))?;
        tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempdir_in(&self.dir)
            .with_context(|| format!("cannot make a folder in {}", self.dir.display()))
    }

    /// A runtime like the product's, on two threads.
    pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("cannot start a runtime")
    }
}

/// Removes the folders of runs that were killed: they may hold gigabytes.
fn remove_left_over(dir: &Path) {
    let folders = std::fs::read_dir(dir).into_iter().flatten().flatten();
    for folder in folders {
        let name = folder.file_name().to_string_lossy().into_owned();
        let pid =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // What cannot be removed is only in the way of the disk.
            std::fs::remove_dir_all(folder.path()).ok();
        }
    }
}
