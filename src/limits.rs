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

/// Messages that are applied while readers wait: about a millisecond of work.
pub const APPLY_AT_ONCE: usize = 256;

/// Wait before a log that does not answer is asked again.
pub const LOG_RETRY: std::time::Duration = std::time::Duration::from_millis(250);

/// Open files of a process beside its connections: the log, NATS, the database, and operators.
pub const FILES_BESIDE: u64 = 1_000;

/// Largest request head (request line and headers), in bytes (inclusive): four times what browsers and proxies send.
pub const HTTP_HEAD_BYTES: usize = 16 * 1024;

/// Read buffer of one HTTP connection, in bytes: a batch body arrives in few reads, and it bounds memory a connection.
pub const HTTP_BUFFER_BYTES: usize = 64 * 1024;

/// Open HTTP connections of one listener: well under the usual 20,000 open files, which the log and NATS need too.
pub const HTTP_CONNECTIONS: usize = 8_192;

/// Open HTTP connections of one peer (an IPv4 address or an IPv6 /64): one peer never takes the whole listener.
pub const HTTP_CONNECTIONS_PER_PEER: usize = 4_096;

/// Connections that the kernel holds before they are accepted: its own usual bound.
pub const HTTP_BACKLOG: u32 = 4096;

/// How long a connection that has served a request is left alone before it may be given up for a new one: its last
/// answer is long read, and a producer that sends more often keeps its place.
pub const HTTP_SILENT: std::time::Duration = std::time::Duration::from_secs(1);

/// How long a connection that has asked nothing yet is waited for at the end: a request follows its connection within
/// a round trip, and a silent one delays the end by no more.
pub const HTTP_FIRST_REQUEST: std::time::Duration = std::time::Duration::from_millis(500);

/// Connections that are looked at for one to give up: some microseconds a new connection, and all have their turn
/// within 128 of these.
pub const HTTP_LOOKED_AT: usize = 64;

/// Longest TLS handshake: several round trips of the slowest phone, and a silent client holds little meanwhile.
pub const TLS_HANDSHAKE: std::time::Duration = std::time::Duration::from_secs(10);

/// How often the files of a certificate are looked at for a change.
pub const TLS_LOOK: std::time::Duration = std::time::Duration::from_secs(2);

/// Requests at once of one HTTP/2 connection: what browsers expect at least.
pub const HTTP2_STREAMS: u32 = 100;

/// Streams of an HTTP/2 connection that are reset before anybody has served them, before it is ended: h2's own number.
pub const HTTP2_RESETS: usize = 20;

/// Bytes of one HTTP/2 stream that may come before they are read.
pub const HTTP2_STREAM_WINDOW: u32 = 256 * 1024;

/// The same of all streams of a connection together, which bounds what a connection holds.
pub const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Longest wait for the answer to a ping.
pub const HTTP2_PONG: std::time::Duration = std::time::Duration::from_secs(10);

/// Largest request body, in bytes (inclusive): 10,000 events of the usual 200 bytes, twice.
pub const HTTP_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of request bodies that a process holds at once: 64 of the largest kind.
pub const HTTP_IN_FLIGHT_BYTES: usize = 64 * HTTP_BODY_BYTES;

/// Fewest bytes a second that a body may come with: far below the slowest phone, and 1,000 of such bodies are no load.
pub const HTTP_MIN_BODY_RATE: u64 = 1024;

/// Seconds after which a request may be sent again for which there was no room: bodies are done within one.
pub const HTTP_ROOM_AGAIN_S: u32 = 1;

/// Events in one request (inclusive): one answer lists a result an event, and must stay small.
pub const HTTP_BATCH_EVENTS: usize = 10_000;

/// Errors listed in one problem: a person reads a few, the total tells the rest.
pub const PROBLEM_ERRORS: usize = 20;
/// Most items in one answer: what the reads' `limit` may ask for.
pub const RECOMMENDATIONS: usize = 1000;

/// How far ahead of the gateway's clock an event may be, in milliseconds: a day of wrong time zones.
pub const FUTURE_MS: i64 = 24 * 60 * 60 * 1000;

/// Largest body that is parsed on an async thread, in bytes: about a millisecond of work.
pub const PARSE_INLINE_BYTES: usize = 256 * 1024;

/// Events whose identity a gateway remembers, at least: some seconds of full load, 16 bytes each.
pub const SEEN_EVENTS: usize = 100_000;

/// Entries handed out by the relay and not yet known to be stored: bounds what is sent twice after a crash.
pub const RELAY_OUTSTANDING: usize = 8 * ATOMIC_BATCH_MESSAGES;

/// Bytes of one batch of the relay: the server holds an open batch in memory.
pub const RELAY_BATCH_BYTES: usize = 1024 * 1024;

/// At most so many events are sent one by one: an atomic batch costs the server some 3 ms however small it is,
/// a message with its own sync 0.1 to 0.4 ms.
pub const RELAY_SINGLY: usize = 16;

/// A refused batch of at most so many events is sent one by one: a duplicate costs no sync, a batch does.
pub const RELAY_REFUSED_SINGLY: usize = 250;

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

/// Most items or events an answer holds (inclusive).
pub const READ_LIMIT: usize = 1000;

/// Items in an answer that does not say how many.
pub const RECOMMEND_DEFAULT: usize = 10;

/// Events in a page of history that does not say how many.
pub const HISTORY_DEFAULT: usize = 50;

/// Edges that one page of history looks at: a rare type in a long history takes several pages.
pub const HISTORY_SCAN: usize = 20_000;

/// Configured event types: few by design, since each is a subject and an edge collection.
pub const EVENT_TYPES: usize = 200;

/// Longest name of an event type or collection, in bytes (inclusive).
pub const NAME_BYTES: usize = 64;

/// Other names of one event type (inclusive): more than all collectors together have for one thing.
pub const TYPE_ALIASES: usize = 50;

/// Touches of a user that are read to know what it has seen: past that, older items may be shown again.
/// 16,384 random reads are a third of a millisecond, and no person views more.
pub const SEEN_TOUCHES: usize = 16_384;

/// Distinct newest items of a user that may lead to a recommendation.
pub const HISTORY_ITEMS: usize = 128;

/// Items of a user from which neighbours are looked for: the strongest of its history.
pub const SEED_ITEMS: usize = 48;

/// Neighbours visited for one answer, over all seeds. With `WINDOW_TOUCHES` on both sides of each, an
/// answer reads about 18,000 touches, most of them at random: 1 to 2 ms of one core at a million edges.
pub const NEIGHBOURS: usize = 1000;

/// Neighbours visited for one seed: more of a hot item's users change the answer no further.
pub const SEED_NEIGHBOURS: usize = 400;

/// Touches read before and after the moment at which a neighbour met a seed.
pub const WINDOW_TOUCHES: usize = 8;

/// Items named as the reason for one recommendation.
pub const REASONS: usize = 3;

/// Items that a store must be able to name as popular: an answer full of them, and as many left out.
pub const POPULAR_ITEMS: usize = 2 * RECOMMENDATIONS;

/// Touches of an item that are searched for those of the asked kind.
pub const ALSO_TOUCHES: usize = 4000;

/// Distinct users of an item whose other items are counted.
pub const ALSO_USERS: usize = 300;

/// Touches of such a user read before and after it met the item: with `ALSO_USERS`, 30,000 in all.
pub const ALSO_WINDOW_TOUCHES: usize = 50;

/// How long a log counts as full after it refused an append: then producers may be sent to it again, and one of
/// them finds out.
pub const WAL_FULL_FOR: std::time::Duration = std::time::Duration::from_secs(5);

/// Longest secret in a file, in bytes (inclusive): a credentials file of NATS has about 1,000.
pub const SECRET_BYTES: usize = 64 * 1024;

/// Neighbours visited for one answer from a remote store: with both windows 3,300 index entries a collection.
pub const REMOTE_NEIGHBOURS: usize = 200;

/// Neighbours visited for one seed in a remote store: half of all, so that two seeds speak at least.
pub const REMOTE_SEED_NEIGHBOURS: usize = 100;

/// Touches of a user read from a remote store to know what it has seen: some months of most people.
pub const REMOTE_SEEN_TOUCHES: usize = 1000;

/// Seeds of an answer from a remote store: each costs up to `REMOTE_SEED_NEIGHBOURS` and `REMOTE_DEGREE_CAP`.
pub const REMOTE_SEED_ITEMS: usize = 20;

/// Distinct users of an item looked at in a remote store: with both windows 4,000 index entries a collection.
pub const REMOTE_ALSO_USERS: usize = 100;

/// Touches of an item searched in a remote store for those of the asked kind.
pub const REMOTE_ALSO_TOUCHES: usize = 1000;

/// Touches read on each side of such a user's moment in a remote store.
pub const REMOTE_ALSO_WINDOW_TOUCHES: usize = 20;

/// Candidates whose degree is asked of a remote store: with `REMOTE_DEGREE_CAP` 25,000 index entries a collection.
pub const REMOTE_CANDIDATES: usize = 250;

/// Touches of an item that a remote store counts: an item with more is popular, however much.
pub const REMOTE_DEGREE_CAP: u32 = 100;

/// Edges of one moment that a fetch takes beside those it asked for, so that ties are cut by key: more than an
/// order has lines.
pub const REMOTE_TIES: usize = 256;

/// The same for a page of history, where one left out would never be seen: an import without times of day.
pub const REMOTE_HISTORY_TIES: usize = 20_000;

/// Rounds of queries of one read: it takes five when nothing changes meanwhile.
pub const REMOTE_ROUNDS: usize = 12;

/// Deadline of one read from a remote store, all rounds together: who asks has given up by then.
pub const REMOTE_READ: std::time::Duration = std::time::Duration::from_secs(10);

/// Edges of each collection in which a remote store counts what is popular: some ten thousand reads, now and then.
pub const REMOTE_POPULAR_SAMPLE: usize = 20_000;

/// How long what is popular in a remote store is remembered.
pub const REMOTE_POPULAR_FOR: std::time::Duration = std::time::Duration::from_secs(30);

/// Bytes of a text from ArangoDB that are shown in an error: its messages are shorter, a proxy's page is not.
pub const ARANGO_MESSAGE_BYTES: usize = 300;

/// Largest answer of ArangoDB that is read, in bytes: a thousand documents of the largest kind, twice.
pub const ARANGO_ANSWER_BYTES: usize = 64 << 20;

/// How long an unused connection to ArangoDB is kept: the server ends it after 300 s, a balancer often after 60.
pub const ARANGO_IDLE: std::time::Duration = std::time::Duration::from_secs(55);

/// Longest wait for a connection to ArangoDB.
pub const ARANGO_CONNECT: std::time::Duration = std::time::Duration::from_secs(3);

/// How long a token counts for that does not say: ArangoDB's own default is an hour.
pub const ARANGO_TOKEN_LIFE: std::time::Duration = std::time::Duration::from_hours(1);

/// How long a cursor that is left early may take to be told so; it expires by itself too.
pub const ARANGO_CURSOR_FAREWELL: std::time::Duration = std::time::Duration::from_secs(1);

/// Rows in one batch of a cursor: of the largest documents they fit an answer.
pub const ARANGO_CURSOR_ROWS: usize = 1_000;

/// A request that waited so long in ArangoDB's queue says that fewer should be in flight.
pub const ARANGO_QUEUE_TIME: std::time::Duration = std::time::Duration::from_millis(250);

/// Requests in flight with which writing begins; it grows from there as long as the server is at ease.
pub const ARANGO_FIRST_WINDOW: usize = 4;

/// Pause before a new password that ArangoDB does not take yet is tried again: the one before still counts.
pub const ARANGO_PASSWORD_AGAIN: std::time::Duration = std::time::Duration::from_secs(15);

/// Pause before a token that could not be renewed is tried again: requests that use it are not held up.
pub const ARANGO_LOGIN_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Reads in flight at least: a small window of writes still leaves a page of recommendations its queries.
pub const ARANGO_READS: usize = 4;
/// Longest prefix of a database's name, in bytes (inclusive): with `_` and a generation of 32 it has the 64 that
/// ArangoDB takes.
pub const DATABASE_PREFIX_BYTES: usize = 31;

/// Longest name of a user at NATS or ArangoDB, in bytes (inclusive).
pub const USER_BYTES: usize = 256;

/// Documents of the memory store that are copied while it is held still: some milliseconds for its writer.
pub const SCAN_AT_ONCE: u32 = 4096;

/// Differences that a verification names: a person reads some tens of them, and a job's document stays small.
pub const VERIFY_FOUND: usize = 100;

/// Events that a verification names behind one document: the newest tell what it should be.
pub const VERIFY_SEQUENCES: usize = 5;

/// Documents that differ whose names a verification keeps until it knows which of them count: some 10 MiB.
pub const VERIFY_NAMES: usize = 100_000;

/// How long live may stand still before the end of what is verified: longer than a restart or a breaker's pause.
pub const VERIFY_STANDSTILL: std::time::Duration = std::time::Duration::from_mins(1);

/// How long a pass over the log waits for a server that does not answer before it fails: longer than an election.
pub const PASS_SILENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// How long a pass waits for messages before it asks whether there are any: silence alone proves nothing.
pub const PASS_LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// Events that an explanation tells of one document, the newest, beside the one that decides.
pub const EXPLAIN_EVENTS: usize = 50;

/// Documents that an explanation tells; whoever asks for more can name one.
pub const EXPLAIN_DOCUMENTS: usize = 200;

/// How far a process's clock may be from the NATS server's before `weir doctor --fleet` tells of it, in milliseconds: the
/// way of the announcement is in it.
pub const FLEET_CLOCK_SKEW_MS: i64 = 1_000;

/// Reasons that a process tells of each of its duties, at most: a person reads some, and the announcement stays small.
pub const MEMBER_REASONS: usize = 8;

/// Most entries of RETRY that one listing returns (inclusive): of the largest events they are 32 MiB.
pub const RETRY_PAGE: usize = 1000;

/// Documents in one write to ArangoDB: one transaction a shard, so large ones meet others and hold memory longer.
pub const ARANGO_BATCH_DOCUMENTS: usize = 1_000;

/// Bytes of one write to ArangoDB, unless one document alone has more: far below what balancers let through.
pub const ARANGO_BATCH_BYTES: usize = 2 << 20;

/// How often a put that met another is sent, the first time included: after that it is the caller's turn.
pub const ARANGO_ATTEMPTS: u32 = 4;

/// Mean pause before a put is sent again, doubled each time.
pub const ARANGO_RETRY_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Vertices that are known to exist, at most, and half as many after the older half is forgotten: some 20 bytes each.
pub const ARANGO_KNOWN_VERTICES: usize = 2_000_000;

/// Documents in one page of a scan: of the largest kind they fit an answer.
pub const ARANGO_SCAN_PAGE: usize = 1_000;
/// Longest error text kept with a failed event, in bytes (inclusive): a person reads a screen of it, and headers stay small.
pub const ENTRY_ERROR_BYTES: usize = 2048;

/// Schedules on their way to RETRY at once: a batch of the projector, far below what a connection queues.
pub const RETRY_FLIGHTS: usize = 512;

/// What is kept of a message that is too large to be parked whole, in bytes: a person sees what it is.
pub const PARKED_CUT_BYTES: usize = 64 * 1024;

/// Most parked entries that one listing returns (inclusive): a page for a person.
pub const PARKED_PAGE: usize = 1000;

/// Questions about collections in flight while a database is looked at.
pub const ARANGO_LOOKS: usize = 8;
/// Bytes of events that wait to be tried again, unless configured: an hour of one unwritable shard, some millions of events.
pub const RETRY_BYTES: u64 = 4 << 30;
/// Attempts at a batch of which all fails for the store's sake before it goes to RETRY: with their pauses about
/// three seconds, in which the breaker opens if most of everything fails.
pub const STORE_TRIES: u32 = 10;

/// What waits to be set aside by one process: beyond it the workers wait, and so does what they would pull.
pub const SET_ASIDE_WAITING: usize = 2_000;

/// What is set aside in one go: that many answers of the server are awaited together.
pub const SET_ASIDE_AT_ONCE: usize = 256;

/// Seconds that a reader is asked to wait when no store answers: breakers try again about that often.
pub const READ_RETRY_AFTER_S: u32 = 2;

/// Events that a generation may be behind the log when it is promoted: in a live flow it is never at 0, and
/// a projector is through so many in some tens of milliseconds.
pub const PROMOTE_LAG_EVENTS: u64 = 1_000;

/// How long a batch may take before the next one is taken beside it: several times what a write takes, so that
/// only what has to be tried again is passed by.
pub const BATCH_PATIENCE: std::time::Duration = std::time::Duration::from_millis(5);

/// Samples of live lag kept for its p99: five seconds of batches, and far more than a p99 needs.
pub const LAG_SAMPLES: usize = 4_096;

/// How long the consumers of a generation that is retired are left to their last workers: these see it within
/// a second, and their open requests expire after 30.
pub const RETIRE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(35);

/// Deleted messages of the log that the server is asked to list: some 8 bytes each in one answer.
pub const GONE_LISTED: u64 = 500_000;

/// Live lag that a job keeps unless it is told another, in milliseconds: far below what a person notices.
pub const JOB_LIVE_LAG: u64 = 200;

/// Events a second that a job goes on with whatever live lag is: a standing job is never noticed, a slow one ends.
pub const JOB_FLOOR: f64 = 500.0;

/// Events a second with which a job begins: a hundredth of a core, and doubled four times a second from there.
pub const JOB_BEGIN: f64 = 20_000.0;

/// Chunks of a range at most: each is a cursor in the job's document, which is written every second.
pub const JOB_CHUNKS: u64 = 64;

/// Sequences in a chunk at least, unless the range is short: a reader has asked for up to 3,000 messages past its
/// chunk's end when it comes there, and nobody wants these.
pub const JOB_CHUNK_EVENTS: u64 = 50_000;

/// Sequences in a chunk of a short range at least, unless it has fewer.
pub const JOB_CHUNK_LEAST: u64 = 5_000;

/// Chunks of a job that are read at once: the client's parser and two cores are busy with that.
pub const JOB_READERS: usize = 3;

/// Gaps that are listed of a job, and of a chunk: more are counted, and the document stays below a message's bound.
pub const JOB_GAPS: usize = 1_000;
pub const JOB_CHUNK_GAPS: usize = 200;

/// Jobs that a process runs at once: each has its readers, and operators see what is next.
pub const JOBS_AT_ONCE: usize = 2;

/// Finished jobs that are kept: what operators look back at.
pub const JOBS_KEPT: usize = 100;

/// How often the write of a job is tried again because somebody else wrote first.
pub const JOB_WRITES: usize = 20;

/// How much longer each of these waits than the one before: together they outlast a leader of the bucket that has been
/// replaced and still answers with what it had.
pub const JOB_WRITE_PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// How long a lease on a job lasts that nobody renews: a killed worker's job moves on after that.
pub const LEASE: std::time::Duration = std::time::Duration::from_secs(5);

/// How often a lease is renewed: two failures in a row lose nothing.
pub const LEASE_RENEWAL: std::time::Duration = std::time::Duration::from_millis(1_500);

/// Parked events that one job has tried again at most: their list is written down before the first.
pub const REDRIVE_LIST: usize = 20_000;

/// Parked events in one page of that list: 50 bytes each, far below a message's bound.
pub const REDRIVE_PAGE: usize = 5_000;

/// Messages that a plan looks at to find those that are no events: a second of questions at most.
pub const PLAN_SAMPLE: u64 = 1_000;

/// Undecodable messages that a plan shows: a person reads a few.
pub const PLAN_EXAMPLES: usize = 10;

/// How often the change of a generation's record is tried again because somebody else wrote first.
pub const RECORD_WRITES: usize = 20;

/// Entries of the WAL that a reconciliation holds in memory at once, some 50 bytes each: of a larger WAL a part
/// after the other is compared, and the stream is read once for each.
pub const RECONCILE_ENTRIES: usize = 2_000_000;

/// Runs of deleted sequences that a reconciliation remembers one by one: past that, neighbours become one, and what
/// lies between them counts as deleted too.
pub const RECONCILE_GAPS: usize = 500_000;

/// Longest time in which a reconciliation stores nothing before it gives up: twice the window in which the server
/// takes a message that it has lost for a duplicate.
pub const RECONCILE_PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// Largest request for a job, in bytes: 200 event types with long names fit many times.
pub const JOB_REQUEST_BYTES: usize = 256 * 1024;

/// Longest `Idempotency-Key`, in bytes (inclusive): a UUID has 36.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Bytes that are unpacked of a compressed body at once: what a bomb can do before it is counted.
pub const UNPACKED_PIECE_BYTES: usize = 64 * 1024;

/// Largest window of a zstd body, as a power of two: 8 MiB, what the format asks every reader to have.
pub const ZSTD_WINDOW_LOG: u32 = 23;

/// Longest name of a key, in bytes (inclusive).
pub const KEY_NAME_BYTES: usize = 100;

/// Types, sources, origins, or hidden fields of a key, at most (inclusive): each is looked at for every event.
pub const KEY_RULES: usize = 200;

/// Longest key or token that is looked at, in bytes (inclusive): tokens with many claims have some 2,000.
pub const SHOWN_KEY_BYTES: usize = 8 * 1024;

/// Seconds of its rate that a key may send at once after a silence.
pub const RATE_BURST_S: u64 = 2;

/// Tokens of others that are remembered as right, at most; when there are more, all are looked at again.
pub const JWT_KNOWN: usize = 10_000;

/// How far the clocks of issuers may be off, in seconds.
pub const JWT_LEEWAY_S: u64 = 30;

/// How often the keys of tokens are fetched: an issuer announces a new one long before it signs with it.
pub const JWKS_EVERY: std::time::Duration = std::time::Duration::from_mins(10);

/// How often they are fetched at most, whatever tokens are shown.
pub const JWKS_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Longest wait for them.
pub const JWKS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Largest set of keys, in bytes (inclusive): a hundred keys of RSA.
pub const JWKS_BYTES: usize = 256 * 1024;

/// Largest request for a key, in bytes: all rules at their bounds.
pub const KEY_REQUEST_BYTES: usize = 256 * 1024;

/// For how long a secret that was replaced opens by default, in milliseconds: a day to tell everybody.
pub const KEY_OVERLAP_MS: u64 = 24 * 60 * 60 * 1000;

/// Most keys and elements of an event in another collector's form (inclusive): 200 lines with 20 each.
pub const FOREIGN_KEYS: usize = 4096;

/// Texts of one key that work at once (inclusive): the newest, and two rotations that still overlap.
pub const KEY_SECRETS: usize = 3;

/// Keys of a set (JWKS) that are taken: issuers have two or three.
pub const JWKS_KEYS: usize = 100;

/// How often a loop that only waits shows a sign of life: twice within the shortest patience that anybody needs.
pub const PULSE_PERIOD: std::time::Duration = std::time::Duration::from_secs(1);

/// How much longer a start may take from the moment at which it is told to live: several times the longest pause
/// between two tellings.
pub const START_EXTENSION: std::time::Duration = std::time::Duration::from_secs(30);

/// Longest time that reading files at a start counts as being alive: some hundred GiB from a slow disk.
pub const START_LONGEST: std::time::Duration = std::time::Duration::from_hours(1);

/// How often readiness and signs of life are looked at for systemd: a unit that waits for this one loses no more.
pub const VIGIL_PERIOD: std::time::Duration = std::time::Duration::from_millis(100);

/// What an end may take beside the deadlines of requests and of the relay: a snapshot of a large graph, and the log.
pub const STOP_SPARE: std::time::Duration = std::time::Duration::from_mins(1);

/// How often a secret is looked at where it is kept, unless the plan says otherwise: a rotation counts within minutes.
pub const SECRETS_EVERY: std::time::Duration = std::time::Duration::from_mins(5);

/// Shortest wait between two looks at a secret, whatever its lease says.
pub const SECRETS_LEAST: std::time::Duration = std::time::Duration::from_secs(1);

/// First and longest wait after a failure that may pass by itself.
pub const SECRETS_RETRY: (std::time::Duration, std::time::Duration) =
    (std::time::Duration::from_secs(1), std::time::Duration::from_mins(1));

/// First and longest wait after a failure that somebody has to mend: what was just made (a role, a policy) may take
/// some seconds until it is known everywhere, and after that nothing hurries.
pub const SECRETS_PERSON: (std::time::Duration, std::time::Duration) =
    (std::time::Duration::from_secs(5), std::time::Duration::from_mins(5));

/// Longest wait for one answer of a keeper of secrets.
pub const SECRETS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Longest wait for one answer of the machine's own metadata, which is near or not there.
pub const SECRETS_NEAR_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// Largest answer of a keeper of secrets, in bytes (inclusive): Vault's own limit of an entry.
pub const SECRETS_ANSWER_BYTES: usize = 1024 * 1024;

/// Largest plan of secrets, in bytes (inclusive).
pub const SECRETS_PLAN_BYTES: usize = 256 * 1024;

/// Most secrets of a plan (inclusive): each is asked for by itself, all at once.
pub const SECRETS_WANTED: usize = 100;

/// Longest name of a secret, in bytes (inclusive): it becomes a file's name.
pub const SECRETS_NAME_BYTES: usize = 100;

/// How long before their end keys of AWS are replaced: as its own tools do.
pub const SECRETS_KEYS_EARLY: std::time::Duration = std::time::Duration::from_mins(5);

/// How often a process looks at the files of its secrets for a change.
pub const SECRET_LOOK: std::time::Duration = std::time::Duration::from_secs(2);

/// Most steps of a rollout: each takes its share of the permitted error, and its time.
pub const ROLLOUT_STEPS: usize = 20;

/// How often one look at most multiplies the evidence against a new version: so a burst of requests that share one
/// cause decides nothing, and three looks at least agree.
pub const ROLLOUT_LOOK_CAP: f64 = 10.0;

/// What of the evidence one look stakes: a look that speaks for the new version divides it by ten at most, so that a
/// bad moment of the old one does not shield the new one for the rest of the step.
pub const ROLLOUT_LOOK_STAKE: f64 = 0.9;

/// The p-value of a difference that matters below which a step is not passed yet: two bad looks have it, and a third decides.
pub const ROLLOUT_DOUBT: f64 = 0.05;

/// Requests without which a share of errors says nothing where there is nothing to compare with.
pub const ROLLOUT_ALONE_REQUESTS: u64 = 100;

/// Requests of the old version from which its p99 is told: fewer have no hundredth part.
pub const ROLLOUT_BOUND_REQUESTS: u64 = 100;

/// Looks, one after another, at which the new version may not answer: one may meet a pause of the machine.
pub const ROLLOUT_SILENT_LOOKS: u32 = 3;

/// Between two questions of a rollout that waits for something; a person who ends it waits as long.
pub const ROLLOUT_TICK: std::time::Duration = std::time::Duration::from_secs(1);

/// Longest run of a command that a rollout starts: nginx and the AWS command line end within seconds.
pub const ROLLOUT_COMMAND_DEADLINE: std::time::Duration = std::time::Duration::from_mins(2);

/// Most characters told of what a failed command said.
pub const ROLLOUT_TOLD_BYTES: usize = 1000;

/// Longest journal of one rollout: some million looks.
pub const ROLLOUT_JOURNAL_BYTES: u64 = 1 << 30;

/// Longest metrics of a process that a rollout reads.
pub const ROLLOUT_METRICS_BYTES: usize = 16 << 20;
