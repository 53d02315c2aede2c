//! Every bound of the system in one place, each with its reason.
//!
//! A queue, loop or buffer without a bound here is a defect.

/// Longest user, item, source or event id, in bytes (inclusive).
pub const ID_BYTES: usize = 256;

/// Largest event as stored in the log, in bytes (inclusive): a WAL record holds at least two.
pub const EVENT_BYTES: usize = 32 * 1024;

/// Largest WAL record, in bytes: past a quarter of a segment sled moves a value to a file it never syncs.
pub const WAL_RECORD_BYTES: usize = 64 * 1024;

/// Most items in one answer: what the reads' `limit` may ask for.
pub const RECOMMENDATIONS: usize = 1000;
