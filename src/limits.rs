//! Every bound of the system in one place, each with its reason.
//!
//! A queue, loop or buffer without a bound here is a defect.

/// Longest user, item, source or event id, in bytes (inclusive).
pub const ID_BYTES: usize = 256;

/// Largest event as stored in the log, in bytes (inclusive): a WAL record holds at least two.
pub const EVENT_BYTES: usize = 32 * 1024;

/// Largest WAL record, in bytes: past a quarter of a segment sled moves a value to a file it never syncs.
pub const WAL_RECORD_BYTES: usize = 64 * 1024;

/// Bytes of appends waiting for the WAL's committer: about a quarter second of its throughput.
pub const WAL_QUEUE_BYTES: usize = 32 << 20;

/// Bytes of one group commit: bounds how long one sync can keep its waiters.
pub const WAL_COMMIT_BYTES: usize = 4 << 20;

/// Bytes of recent WAL records kept in memory: a relay that follows the head never reads sled.
pub const WAL_TAIL_BYTES: usize = 16 << 20;

/// sled's page cache for one open WAL segment: pages are written once and read in order.
pub const WAL_CACHE_BYTES: u64 = 32 << 20;

/// sled's own segment within a WAL segment: large enough that no leaf is moved to a file of its own.
pub const WAL_SLED_SEGMENT_BYTES: usize = 8 << 20;

/// Sealed WAL segments held open for reading: one being read and the one after it.
pub const WAL_OPEN_SEGMENTS: usize = 2;

/// Quarantined WAL segments kept for a person to look at: their readable records live on elsewhere.
pub const WAL_QUARANTINES: usize = 4;

/// Lost ranges of the WAL remembered one by one; older ones stay in the total alone.
pub const WAL_LOST_RANGES: usize = 256;

/// Longest time an acknowledged append is younger than HIGHWATER knows.
pub const WAL_HIGH_WATER_PERIOD: std::time::Duration = std::time::Duration::from_millis(100);

/// Longest time CURSOR lags behind what was marked published: a lag only means sending again.
pub const WAL_CURSOR_PERIOD: std::time::Duration = std::time::Duration::from_millis(500);

/// Pause between two sealed segments that are checked in the background after a start.
pub const WAL_CHECK_PERIOD: std::time::Duration = std::time::Duration::from_secs(1);

/// What a full WAL asks its callers to wait: a segment is given up as a whole.
pub const WAL_RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);
