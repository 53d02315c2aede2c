//! Every key with its kind, default and meaning: the checks, `config show` and the help read this one table.

use crate::limits::{
    DATABASE_PREFIX_BYTES, EVENT_BYTES, HTTP_BATCH_EVENTS, HTTP_BODY_BYTES, HTTP_CONNECTIONS,
    HTTP_CONNECTIONS_PER_PEER, HTTP_IN_FLIGHT_BYTES, HTTP_MIN_BODY_RATE,
};

/// The client of NATS tells of every attempt to connect; weir tells of the first.
const LOG_FILTER: &str = concat!("info,async_nats=warn,async_nats", "::connector=off");

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

/// What a key holds. Bounds are inclusive; durations are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Path,
    Address,
    /// `nats://host:port`, several with commas between; without a user.
    NatsUrl,
    /// `http://host:port`, without a path; several with commas between.
    MonitorUrl,
    /// `http://` or `https://` and a host, perhaps a port; without a user or a path.
    HttpUrl,
    /// At most so many of a-z, 0-9, `_` and `-`, a letter first.
    Name(usize),
    /// Any text of one line.
    Text,
    /// Never in the file and never a flag: [`super::secrets`] finds it.
    Secret,
    Bool,
    Size(u64, u64),
    Duration(u64, u64),
    Count(u64, u64),
    Choice(&'static [&'static str]),
    /// Origins of pages, `https://host[:port]`: a list, or a text with commas between.
    Origins,
    /// `http://` or `https://`, a host, and a path; without a user.
    Url,
    /// A list of words, or a text with commas between.
    Words,
    /// Networks as `10.0.0.0/8`, or single addresses: a list, or a text with commas between.
    Networks,
    LogFilter,
}

/// The default of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    None,
    Text(&'static str),
    /// Bytes, milliseconds or a count, by the kind.
    Number(u64),
    Bool(bool),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub key: &'static str,
    pub kind: Kind,
    pub default: Default,
}

const fn field(key: &'static str, kind: Kind, default: Default) -> Field {
    Field { key, kind, default }
}

/// All keys but the event types, in the order in which they are shown.
pub(super) const FIELDS: &[Field] = &[
    field("data_dir", Kind::Path, Default::Text("data")),
    field("drain_deadline", Kind::Duration(0, HOUR), Default::Number(10 * SECOND)),
    field("gateway.listen", Kind::Address, Default::Text("127.0.0.1:8080")),
    field(
        "gateway.max_connections",
        Kind::Count(1, 1_000_000),
        Default::Number(HTTP_CONNECTIONS as u64),
    ),
    field(
        "gateway.max_connections_per_peer",
        Kind::Count(1, 1_000_000),
        Default::Number(HTTP_CONNECTIONS_PER_PEER as u64),
    ),
    field("gateway.head_timeout", Kind::Duration(100, HOUR), Default::Number(20 * SECOND)),
    field("gateway.chunk_timeout", Kind::Duration(100, HOUR), Default::Number(10 * SECOND)),
    field("gateway.body_timeout", Kind::Duration(100, HOUR), Default::Number(60 * SECOND)),
    field("gateway.min_body_rate", Kind::Size(0, GIB), Default::Number(HTTP_MIN_BODY_RATE)),
    field(
        "gateway.body_bytes",
        Kind::Size(EVENT_BYTES as u64, 64 * MIB),
        Default::Number(HTTP_BODY_BYTES as u64),
    ),
    field(
        "gateway.max_in_flight_bytes",
        Kind::Size(MIB, 1024 * GIB),
        Default::Number(HTTP_IN_FLIGHT_BYTES as u64),
    ),
    field(
        "gateway.batch_events",
        Kind::Count(1, 100_000),
        Default::Number(HTTP_BATCH_EVENTS as u64),
    ),
    field("gateway.ack_timeout", Kind::Duration(10, HOUR), Default::Number(5 * SECOND)),
    field("access.mode", Kind::Choice(&["auto", "keys", "open"]), Default::Text("auto")),
    field("access.jwt.issuer", Kind::Text, Default::None),
    field("access.jwt.audience", Kind::Text, Default::None),
    field("access.jwt.algorithms", Kind::Words, Default::Text("ES256, RS256, EdDSA")),
    field("access.jwt.jwks_url", Kind::Url, Default::None),
    field("access.jwt.jwks_file", Kind::Path, Default::None),
    field("cors.origins", Kind::Origins, Default::None),
    field("privacy.hash_key", Kind::Secret, Default::None),
    field("privacy.hash_key_file", Kind::Path, Default::None),
    field("gateway.trusted_proxies", Kind::Networks, Default::None),
    field(
        "gateway.forwarded_header",
        Kind::Choice(&["x-forwarded-for", "forwarded"]),
        Default::Text("x-forwarded-for"),
    ),
    field("tls.cert_file", Kind::Path, Default::None),
    field("tls.key_file", Kind::Path, Default::None),
    field("api.listen", Kind::Address, Default::Text("127.0.0.1:8082")),
    field("admin.listen", Kind::Address, Default::Text("127.0.0.1:8081")),
    field("admin.token", Kind::Secret, Default::None),
    field("admin.token_file", Kind::Path, Default::None),
    field("admin.tls_cert_file", Kind::Path, Default::None),
    field("admin.tls_key_file", Kind::Path, Default::None),
    field("admin.client_ca_file", Kind::Path, Default::None),
    field("nats.url", Kind::NatsUrl, Default::None),
    field("nats.monitor_url", Kind::MonitorUrl, Default::None),
    field("nats.server", Kind::Path, Default::None),
    field("nats.max_bytes", Kind::Size(64 * MIB, 1024 * TIB), Default::Number(32 * GIB)),
    // A cluster survives the loss of fewer than half of them.
    field("nats.replicas", Kind::Count(1, 5), Default::Number(1)),
    field("nats.user", Kind::Text, Default::None),
    field("nats.password", Kind::Secret, Default::None),
    field("nats.password_file", Kind::Path, Default::None),
    field("nats.token", Kind::Secret, Default::None),
    field("nats.token_file", Kind::Path, Default::None),
    field("nats.credentials_file", Kind::Path, Default::None),
    field("nats.ca_file", Kind::Path, Default::None),
    field("arango.url", Kind::HttpUrl, Default::None),
    field("arango.user", Kind::Text, Default::Text("weir")),
    field("arango.password", Kind::Secret, Default::None),
    field("arango.password_file", Kind::Path, Default::None),
    field("arango.ca_file", Kind::Path, Default::None),
    field("arango.database_prefix", Kind::Name(DATABASE_PREFIX_BYTES), Default::Text("recsys")),
    // As a single server has them, which knows no others.
    field("arango.shards", Kind::Count(1, 1_000), Default::Number(1)),
    field("arango.replication_factor", Kind::Count(1, 10), Default::Number(1)),
    field("arango.write_concern", Kind::Count(1, 10), Default::Number(1)),
    field("arango.one_shard", Kind::Bool, Default::Bool(false)),
    field("arango.request_timeout", Kind::Duration(100, HOUR), Default::Number(5 * SECOND)),
    field("arango.query_timeout", Kind::Duration(10, HOUR), Default::Number(2 * SECOND)),
    field("arango.max_in_flight", Kind::Count(1, 1_024), Default::Number(16)),
    field("projector.workers", Kind::Count(1, 64), Default::Number(2)),
    field("projector.batch_events", Kind::Count(1, 10_000), Default::Number(500)),
    field("projector.ack_wait", Kind::Duration(SECOND, HOUR), Default::Number(10 * SECOND)),
    field("image.days", Kind::Count(1, 36_500), Default::None),
    field("retry.max_bytes", Kind::Size(MIB, 1024 * TIB), Default::Number(GIB)),
    field("parked.max_bytes", Kind::Size(MIB, 1024 * TIB), Default::Number(GIB)),
    field("wal.segment_bytes", Kind::Size(512 * KIB, 4 * GIB), Default::Number(64 * MIB)),
    field("wal.segment_age", Kind::Duration(SECOND, 24 * HOUR), Default::Number(300 * SECOND)),
    field("wal.max_bytes", Kind::Size(MIB, 1024 * TIB), Default::Number(8 * GIB)),
    field("wal.grace_bytes", Kind::Size(0, 1024 * TIB), Default::Number(GIB)),
    field("wal.grace_age", Kind::Duration(0, 30 * 24 * HOUR), Default::Number(HOUR)),
    field("log.format", Kind::Choice(&["text", "json"]), Default::Text("text")),
    field("log.filter", Kind::LogFilter, Default::Text(LOG_FILTER)),
];

/// Pairs of numbers of one kind of which the first may not exceed the second.
pub(super) const ORDERED: &[(&str, &str)] = &[
    ("wal.segment_bytes", "wal.max_bytes"),
    ("wal.grace_bytes", "wal.max_bytes"),
    ("gateway.chunk_timeout", "gateway.body_timeout"),
    ("gateway.body_bytes", "gateway.max_in_flight_bytes"),
    ("gateway.max_connections_per_peer", "gateway.max_connections"),
    ("arango.write_concern", "arango.replication_factor"),
    ("arango.query_timeout", "arango.request_timeout"),
    // Else the server gives events to somebody else while their write is still waited for.
    ("arango.request_timeout", "projector.ack_wait"),
];

/// Keys that are nothing without another.
pub(super) const NEEDED: &[(&str, &str)] = &[
    ("tls.cert_file", "tls.key_file"),
    ("tls.key_file", "tls.cert_file"),
    ("admin.tls_cert_file", "admin.tls_key_file"),
    ("admin.tls_key_file", "admin.tls_cert_file"),
    ("admin.client_ca_file", "admin.tls_cert_file"),
];

/// The table of event types.
pub(super) const EVENT_TYPES_KEY: &str = "event_types";

/// Returns the field of a key.
pub(super) fn find(key: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.key == key)
}

/// Tells whether other keys begin with `key` and a dot.
pub(super) fn is_section(key: &str) -> bool {
    FIELDS.iter().any(|field| field.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

/// Returns the keys of all secrets.
pub(super) fn secrets() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().filter(|field| field.kind == Kind::Secret).map(|field| field.key)
}

/// Returns the keys of everything that may be kept in a file of its own: `nats.password` for `nats.password_file`.
pub fn file_keys() -> impl Iterator<Item = &'static str> {
    let paths = FIELDS.iter().filter(|field| field.kind == Kind::Path);
    paths.filter_map(|field| field.key.strip_suffix("_file"))
}
