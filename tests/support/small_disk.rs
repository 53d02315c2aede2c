//! A disk of a few megabytes: a tmpfs that is mounted for a test and unmounted when dropped.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A mounted file system, empty at first.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one; says so, and returns none, where that is not permitted.
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory to mount it at");
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(dir));
        }
        println!("SKIPPED: a small file system can be mounted only by root");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all room that is left; what is returned is removed to give it back.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut ballast = File::options().create(true).append(true).open(&path).expect("a file");
        // The last bytes go one page at a time.
        for piece in [vec![0_u8; 1 << 16], vec![0; 4096]] {
            let full = loop {
                if let Err(error) = ballast.write_all(&piece) {
                    break error;
                }
            };
            assert_eq!(full.kind(), io::ErrorKind::StorageFull, "{full}");
        }
        path
    }

    /// Gives back the room that was taken.
    pub fn empty(&self) {
        fs::remove_file(self.path().join("ballast")).expect("the ballast is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that was killed may still hold a file for a moment.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.path().display());
        }
    }
}
