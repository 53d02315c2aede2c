//! Every bound of the system in one place, each with its reason.
//!
//! A queue, loop or buffer without a bound here is a defect.

/// Longest user, item, source or event id, in bytes (inclusive).
pub const ID_BYTES: usize = 256;

/// Largest event as stored in the log, in bytes (inclusive): a WAL record holds at least two.
pub const EVENT_BYTES: usize = 32 * 1024;

/// Largest WAL record, in bytes: past a quarter of a segment sled moves a value to a file it never syncs.
pub const WAL_RECORD_BYTES: usize = 64 * 1024;

/// Most bytes of message payload one read of the log returns beyond its first message: bounds a reader's memory.
pub const READ_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Most messages one read of the log returns: past 1,000 larger batches bring no more speed.
pub const READ_BATCH_MESSAGES: usize = 1_000;

/// Messages a reader that is far behind gathers before it returns: fewer cost more for each than they are worth.
pub const READ_HANDFUL: usize = 256;

/// Messages one pull asks for: 500 reach 207k/s, 1,000 reach 274k/s, 5,000 no more.
pub const READ_PULL_MESSAGES: usize = 1_000;

/// Messages asked for and not yet received, of one reader: three pulls, far below the client's 65,536 a subscription.
pub const READ_OUTSTANDING_MESSAGES: usize = 3 * READ_PULL_MESSAGES;

/// Bytes one pull asks for, unless the server allows single messages of more than half of it.
pub const READ_PULL_BYTES: usize = 4 * 1024 * 1024;

/// Most messages of one atomic batch: the server's own limit.
pub const ATOMIC_BATCH_MESSAGES: usize = 1_000;

/// Most marks kept of a position: two a power of two of the distance, so that they reach over four billion messages,
/// and over any log with wider steps at its old end.
pub const MARKS: usize = 64;
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

/// Groups on their way from the WAL to the stream at once. The server stores batches one after another, so more
/// only wait there, and what waits in the WAL instead goes in fewer and larger batches. It takes 50 open batches
/// a stream from all gateways together.
pub const RELAY_FLIGHTS: usize = 3;

/// Entries handed out by the relay and not yet known to be stored: bounds what is sent twice after a crash.
pub const RELAY_OUTSTANDING: usize = 8 * ATOMIC_BATCH_MESSAGES;

/// Bytes of one batch of the relay: the server holds an open batch in memory.
pub const RELAY_BATCH_BYTES: usize = 1024 * 1024;

/// At most so many events are sent one by one: an atomic batch costs the server some 3 ms however small it is,
/// a message with its own sync 0.1 to 0.4 ms.
pub const RELAY_SINGLY: usize = 16;

/// A refused batch of at most so many events is sent one by one: a duplicate costs no sync, a batch does.
pub const RELAY_REFUSED_SINGLY: usize = 64;
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
