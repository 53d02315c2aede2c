//! A log in a temporary directory, and what tests do to it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;

use crate::wal::{Options, ReadOutcome, Wal};

/// Small segments, no grace.
pub fn options(dir: &Path) -> Options {
    Options { segment_bytes: 64 << 10, grace_bytes: 0, ..Options::new(dir) }
}

/// A temporary directory for a log.
pub fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// An entry that tells its number, of `size` bytes.
pub fn entry(number: u64, size: usize) -> Bytes {
    let mut text = format!("entry-{number}-").into_bytes();
    text.resize(size.max(text.len()), b'.');
    Bytes::from(text)
}

/// Appends entries `from ..= to`, each alone.
pub async fn fill(wal: &Wal, from: u64, to: u64, size: usize) {
    for number in from..=to {
        let outcome = wal.append(vec![entry(number, size)]).await.unwrap();
        assert_eq!((outcome.first, outcome.last), (number, number));
    }
}

/// Reads all from `from` to the committed end.
pub async fn read_all(wal: &Wal, from: u64) -> ReadOutcome {
    let mut all = ReadOutcome { next: from, ..ReadOutcome::default() };
    while all.next <= *wal.committed().borrow() {
        let outcome = wal.read(all.next, 100, 1 << 20).await.unwrap();
        assert!(outcome.next > all.next, "a read must advance");
        all.entries.extend(outcome.entries);
        all.lost.extend(outcome.lost);
        all.next = outcome.next;
    }
    all
}

/// The sequences that a read found.
pub fn sequences(outcome: &ReadOutcome) -> Vec<u64> {
    outcome.entries.iter().map(|(sequence, _)| *sequence).collect()
}

/// Copies a log's directory as a crash would leave it: marks first, so that none promises too much, and
/// all of it again if a segment was given up meanwhile, since the marks are from before that.
pub fn crash_copy(from: &Path, to: &Path) {
    loop {
        for name in ["HIGHWATER", "CURSOR", "DAMAGE"] {
            let _ = std::fs::copy(from.join(name), to.join(name));
        }
        let copied = segments(from);
        for dir in &copied {
            copy_dir(dir, &to.join(dir.file_name().unwrap()));
        }
        if copied.iter().all(|dir| dir.exists()) {
            return;
        }
        for entry in std::fs::read_dir(to).unwrap().flatten().map(|entry| entry.path()) {
            let _ = std::fs::remove_dir_all(&entry).or_else(|_| std::fs::remove_file(&entry));
        }
    }
}

/// What is given up while it is copied is left out.
fn copy_dir(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    std::fs::create_dir_all(to).unwrap();
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            copy_dir(&entry.path(), &to.join(entry.file_name()));
        } else {
            let _ = std::fs::copy(entry.path(), to.join(entry.file_name()));
        }
    }
}

/// The segments' directories, oldest first.
pub fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut segments: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("segment-"))
        .collect();
    segments.sort();
    segments
}

/// Waits for a condition, at most 20 s.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Changes every place of a file that holds `text`, and returns how many there were.
pub fn spoil(path: &Path, text: &str) -> usize {
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> = bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, window)| *window == text.as_bytes())
        .map(|(at, _)| at)
        .collect();
    for at in &places {
        bytes[*at] ^= 1;
    }
    std::fs::write(path, bytes).unwrap();
    places.len()
}
