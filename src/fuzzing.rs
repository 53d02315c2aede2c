//! One function a fuzzer, each of any bytes: it panics where a law does not hold.
//!
//! The fuzzers in `fuzz/` and the replay of what they found call the same ones. Nothing else does, and it is no
//! part of the interface. The laws themselves stand beside the code that they are about.

/// What the fuzzers are called, and what they call.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("wal_record", wal_record),
    ("snapshot", snapshot),
    ("stream_message", stream_message),
    ("admin_body", admin_body),
    ("query_string", query_string),
    ("json_event", json_event),
    ("ndjson", ndjson),
    ("cloud_headers", cloud_headers),
];

/// A record, an entry of one, or one of the small files of the write-ahead log.
pub fn wal_record(data: &[u8]) {
    crate::wal::fuzzing::record(data);
    crate::event::fuzzing::entry(data);
}

/// The snapshot of a graph in memory, with the progress in it.
pub fn snapshot(data: &[u8]) {
    let told = crate::store::memory::snapshot::fuzzing::snapshot(data);
    told.iter().for_each(|progress| crate::projector::fuzzing::progress(progress));
}

/// A message of the stream: its subject, a line; its id, a line; its payload.
pub fn stream_message(data: &[u8]) {
    crate::projector::fuzzing::message(data);
}

/// What operators send, and what is kept of it in KV.
pub fn admin_body(data: &[u8]) {
    crate::replay::fuzzing::body(data);
}

/// The query of a read, and an id of its path.
pub fn query_string(data: &[u8]) {
    crate::query::fuzzing::parameters(data);
}

/// The body of a request of JSON.
pub fn json_event(data: &[u8]) {
    crate::event::fuzzing::json(data);
    crate::gateway::fuzzing::document(data);
}

/// The body of a request of lines.
pub fn ndjson(data: &[u8]) {
    crate::gateway::fuzzing::lines(data);
}

/// The headers and the data of a CloudEvent, and the query of a picture.
pub fn cloud_headers(data: &[u8]) {
    crate::gateway::fuzzing::headers(data);
}
