//! How a log is opened.

use std::path::PathBuf;
use std::time::Duration;

/// Where the log lives and what bounds it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its directory; created if absent.
    pub dir: PathBuf,
    /// Size on disk at which a segment is finished.
    pub segment_bytes: u64,
    /// Age at which a segment that is not empty is finished.
    pub segment_age: Duration,
    /// Size on disk of all segments past which appends are refused; quarantined ones do not count.
    pub max_bytes: u64,
    /// Published segments kept, at most, in bytes on disk.
    pub grace_bytes: u64,
    /// How long a published segment is kept.
    pub grace_age: Duration,
}

impl Options {
    /// Takes the defaults: segments of 64 MiB or 5 min, 8 GiB in all, of which 1 GiB or 1 h of grace.
    pub fn new(dir: impl Into<PathBuf>) -> Options {
        Options {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            segment_age: Duration::from_mins(5),
            max_bytes: 8 << 30,
            grace_bytes: 1 << 30,
            grace_age: Duration::from_hours(1),
        }
    }
}
