//! Every bound of the system in one place, each with its reason.
//!
//! A queue, loop or buffer without a bound here is a defect.

/// Longest user, item, source or event id, in bytes (inclusive).
pub const ID_BYTES: usize = 256;

/// Largest event as stored in the log, in bytes (inclusive): a WAL record holds at least two.
pub const EVENT_BYTES: usize = 32 * 1024;

/// Largest WAL record, in bytes: past a quarter of a segment sled moves a value to a file it never syncs.
pub const WAL_RECORD_BYTES: usize = 64 * 1024;

/// Largest request head (request line and headers), in bytes (inclusive): four times what browsers and proxies send.
pub const HTTP_HEAD_BYTES: usize = 16 * 1024;

/// Read buffer of one HTTP connection, in bytes: a batch body arrives in few reads, and it bounds memory a connection.
pub const HTTP_BUFFER_BYTES: usize = 64 * 1024;

/// Open HTTP connections of one listener: well under the usual 20,000 open files, which the log and NATS need too.
pub const HTTP_CONNECTIONS: usize = 8_192;

/// Open HTTP connections of one peer (an IPv4 address or an IPv6 /64): one peer never takes the whole listener.
pub const HTTP_CONNECTIONS_PER_PEER: usize = 4_096;

/// Largest request body, in bytes (inclusive): 10,000 events of the usual 200 bytes, twice.
pub const HTTP_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Events in one request (inclusive): one answer lists a result an event, and must stay small.
pub const HTTP_BATCH_EVENTS: usize = 10_000;

/// Errors listed in one problem: a person reads a few, the total tells the rest.
pub const PROBLEM_ERRORS: usize = 20;

/// Configured event types: few by design, since each is a subject and an edge collection.
pub const EVENT_TYPES: usize = 256;

/// Longest name of an event type or collection, in bytes (inclusive).
pub const NAME_BYTES: usize = 64;
