//! The law of a snapshot, for any bytes.

use std::sync::Arc;

use super::form::{Head, MAGIC, block_head, tag};
use super::load::read;
use super::write::write_to;
use crate::event::{EventTypes, Upcasters};
use crate::projection::{Fingerprint, Projection};
use crate::store::memory::{Graph, Horizon, MemoryStore};

/// What is loaded is written and loaded again as the same graph; returns the progress that it tells.
///
/// The bytes are tried as a file, and as blocks of `tag, length (u16), payload` whose checksums fit.
pub(crate) fn snapshot(data: &[u8]) -> Vec<Vec<u8>> {
    let types = Arc::new(EventTypes::builtin());
    let current = Projection::new(types.clone()).fingerprint(&Upcasters::shipped());
    let files = [data.to_vec(), blocks(data, current)];
    files.iter().filter_map(|file| one(file, &types, current)).collect()
}

fn one(file: &[u8], types: &Arc<EventTypes>, current: Fingerprint) -> Option<Vec<u8>> {
    let load = |mut file: &[u8]| read(&mut file, types, current, Horizon::default());
    let (graph, head) = load(file).ok()?;
    let (digest, counts) = (graph.digest(), graph.counts());
    let (again, told) = load(&written(graph, &head)).expect("what is written can be loaded");
    assert_eq!(again.digest(), digest);
    assert_eq!(again.counts(), counts);
    assert_eq!(told, head);
    Some(head.progress)
}

fn written(graph: Graph, head: &Head) -> Vec<u8> {
    let mut file = Vec::new();
    write_to(&mut file, &MemoryStore::of(graph), head).expect("a vector takes every write");
    file
}

/// Makes a snapshot's file of blocks of `tag, length (u16), payload`.
pub(super) fn blocks(mut data: &[u8], current: Fingerprint) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    while let Some((&[kind, low, high], rest)) = data.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        data = rest;
        let named = if kind == tag::HEAD { &current.0[..] } else { &[] };
        block(kind, &[named, payload].concat(), &mut file);
    }
    file
}

fn block(kind: u8, payload: &[u8], file: &mut Vec<u8>) {
    let head = block_head(kind, payload.len() as u32);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&head), payload);
    file.extend_from_slice(&head);
    file.extend_from_slice(payload);
    file.extend_from_slice(&checksum.to_le_bytes());
}
