//! Every bound of the system in one place, each with its reason.
//!
//! A queue, loop or buffer without a bound here is a defect.

/// Longest user, item, source or event id, in bytes (inclusive).
pub const ID_BYTES: usize = 256;

/// Largest event as stored in the log, in bytes (inclusive): a WAL record holds at least two.
pub const EVENT_BYTES: usize = 32 * 1024;

/// Largest WAL record, in bytes: past a quarter of a segment sled moves a value to a file it never syncs.
pub const WAL_RECORD_BYTES: usize = 64 * 1024;

/// Deepest nesting of an event's properties (inclusive): deeper is a mistake or an attack.
pub const PROPERTY_DEPTH: usize = 16;

/// Most keys and elements of an event's properties, all levels together (inclusive).
pub const PROPERTY_KEYS: usize = 1024;

/// Longest key of an event's properties, in bytes (inclusive).
pub const PROPERTY_KEY_BYTES: usize = 256;

/// Largest integer that every JSON reader holds exactly: 2^53.
pub const EXACT_INTEGER: u64 = 1 << 53;

/// Most lines of one order (inclusive): each becomes an edge of one event.
pub const ORDER_LINES: usize = 200;

/// Longest block of a snapshot, in bytes (inclusive): some thousand documents of the largest kind.
pub const SNAPSHOT_BLOCK_BYTES: usize = 256 << 20;

/// Messages that are applied while readers wait: about a millisecond of work.
pub const APPLY_AT_ONCE: usize = 256;

/// Wait before a log that does not answer is asked again.
pub const LOG_RETRY: std::time::Duration = std::time::Duration::from_millis(250);

/// Wait before a snapshot that could not be written is tried again.
pub const SNAPSHOT_RETRY: std::time::Duration = std::time::Duration::from_secs(60);
