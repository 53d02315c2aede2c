//! Edges in 40 bytes each, found by their key.
//!
//! A key is not stored: it is a hash of what the edge says, so it is recomputed to compare. Only 32
//! of its bits are kept, to find candidates and to let the index grow without recomputing.

use std::cmp::Ordering;
use std::collections::HashMap;

use hashbrown::HashTable;
use uuid::Uuid;

use crate::graph::EdgeKey;

/// Edges a chunk: chunks are never moved, so growing costs no copy.
const CHUNK: usize = 8192;
/// Index shards: a shard that grows rehashes 1/64 of the edges at a time.
const SHARDS: usize = 64;

/// How the sixteen bytes of an edge's id are to be read; 0 to 15 are lengths of inline text.
mod tag {
    pub const INLINE_MAX: usize = 15;
    /// A UUID in its usual text form (lower case, hyphens).
    pub const UUID: u8 = 16;
    /// A UUID as 32 lower-case hexadecimal digits.
    pub const HEXADECIMAL: u8 = 19;
    /// Offset (u64) and length (u16) in the arena, little endian.
    pub const ARENA: u8 = 17;
    /// A tombstone: not an event id but the whole edge key.
    pub const TOMBSTONE: u8 = 18;
}

/// One edge as it lies in memory. Its value, if it has one, lies in a table beside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub user: u32,
    pub item: u32,
    pub source: u32,
    key_bits: u32,
    /// Event time in ms (48 bits), type (8), tag (8).
    meta: u64,
    id: [u8; 16],
}

/// What an edge is made of, with handles for names.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewEdge<'e> {
    pub user: u32,
    pub item: u32,
    pub source: u32,
    pub kind: u8,
    pub at_ms: i64,
    pub event_id: &'e str,
    pub value: Option<f64>,
}

impl Slot {
    pub fn kind(&self) -> u8 {
        (self.meta >> 8) as u8
    }

    /// Event time in ms; meaningless for a tombstone.
    pub fn at_ms(&self) -> i64 {
        (self.meta >> 16) as i64
    }

    pub fn is_tombstone(&self) -> bool {
        self.tag() == tag::TOMBSTONE
    }

    /// Half of a key's order in time: edges of one moment are ordered by key.
    pub fn key_bits(&self) -> u32 {
        self.key_bits
    }

    fn tag(&self) -> u8 {
        self.meta as u8
    }
}

/// All edges, live and taken back.
#[derive(Debug)]
pub(super) struct Edges {
    chunks: Vec<Vec<Slot>>,
    shards: Vec<HashTable<u32>>,
    arena: Arena,
    /// Few events carry a value.
    values: HashMap<u32, f64>,
    length: u32,
}

impl Default for Edges {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            shards: vec![HashTable::new(); SHARDS],
            arena: Arena::default(),
            values: HashMap::new(),
            length: 0,
        }
    }
}

impl Edges {
    pub fn len(&self) -> u32 {
        self.length
    }

    pub fn slot(&self, edge: u32) -> &Slot {
        let edge = edge as usize;
        &self.chunks[edge / CHUNK][edge % CHUNK]
    }

    /// Finds an edge by its key; `same` says whether a candidate really has it.
    pub fn find(&self, key: EdgeKey, same: impl Fn(u32) -> bool) -> Option<u32> {
        let bits = key_bits(key);
        let found = self.shards[shard(bits)]
            .find(spread(bits), |edge| self.slot(*edge).key_bits == bits && same(*edge));
        found.copied()
    }

    /// Adds an edge under a key that no edge has.
    pub fn push(&mut self, key: EdgeKey, edge: &NewEdge<'_>) -> u32 {
        let slot = self.live_slot(key, edge);
        let added = self.insert(slot);
        self.set_value(added, edge.value);
        added
    }

    /// Adds a tombstone under a key that no edge has.
    pub fn push_tombstone(&mut self, key: EdgeKey, kind: u8, user: u32, item: u32) -> u32 {
        self.insert(tombstone_slot(key, kind, user, item))
    }

    /// Replaces what is known of an edge by another telling of it.
    pub fn replace(&mut self, edge: u32, key: EdgeKey, by: &NewEdge<'_>) {
        let slot = self.live_slot(key, by);
        *self.slot_mut(edge) = slot;
        self.set_value(edge, by.value);
    }

    pub fn bury(&mut self, edge: u32, key: EdgeKey) {
        let Slot { user, item, .. } = *self.slot(edge);
        let kind = self.slot(edge).kind();
        *self.slot_mut(edge) = tombstone_slot(key, kind, user, item);
        self.set_value(edge, None);
    }

    /// The key of a tombstone; `None` for a live edge, whose key follows from what it says.
    pub fn tombstone_key(&self, edge: u32) -> Option<EdgeKey> {
        let slot = self.slot(edge);
        slot.is_tombstone().then_some(EdgeKey(slot.id))
    }

    /// Calls `with` with a live edge's event id.
    pub fn with_event_id<T>(&self, edge: u32, with: impl FnOnce(&str) -> T) -> T {
        let slot = self.slot(edge);
        match slot.tag() {
            tag::UUID => with(
                Uuid::from_bytes(slot.id).hyphenated().encode_lower(&mut Uuid::encode_buffer()),
            ),
            tag::HEXADECIMAL => {
                with(Uuid::from_bytes(slot.id).simple().encode_lower(&mut Uuid::encode_buffer()))
            }
            tag::ARENA => with(self.arena.get(&slot.id)),
            length => with(
                std::str::from_utf8(&slot.id[..usize::from(length)])
                    .expect("an inline id was text"),
            ),
        }
    }

    pub fn value(&self, edge: u32) -> Option<f64> {
        self.values.get(&edge).copied()
    }

    pub fn bytes(&self) -> usize {
        let values = self.values.capacity() * size_of::<(u32, f64)>();
        let index: usize = self.shards.iter().map(HashTable::allocation_size).sum();
        self.chunks.len() * CHUNK * size_of::<Slot>() + index + values + self.arena.bytes()
    }

    fn live_slot(&mut self, key: EdgeKey, edge: &NewEdge<'_>) -> Slot {
        let (tag, id) = self.pack_id(edge.event_id);
        Slot {
            user: edge.user,
            item: edge.item,
            source: edge.source,
            key_bits: key_bits(key),
            meta: (edge.at_ms as u64) << 16 | u64::from(edge.kind) << 8 | u64::from(tag),
            id,
        }
    }

    fn pack_id(&mut self, text: &str) -> (u8, [u8; 16]) {
        if text.len() <= tag::INLINE_MAX {
            let mut id = [0; 16];
            id[..text.len()].copy_from_slice(text.as_bytes());
            return (text.len() as u8, id);
        }
        match Uuid::try_parse(text) {
            Ok(uuid) if is_usual_form(&uuid, text) => (tag::UUID, uuid.into_bytes()),
            Ok(uuid) if is_hexadecimal(&uuid, text) => (tag::HEXADECIMAL, uuid.into_bytes()),
            _ => (tag::ARENA, self.arena.push(text)),
        }
    }

    fn insert(&mut self, slot: Slot) -> u32 {
        let edge = self.length;
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks.last_mut().expect("pushed above").push(slot);
        self.length += 1;
        let chunks = &self.chunks;
        let bits = |edge: &u32| chunks[*edge as usize / CHUNK][*edge as usize % CHUNK].key_bits;
        self.shards[shard(slot.key_bits)]
            .insert_unique(spread(slot.key_bits), edge, |edge| spread(bits(edge)));
        edge
    }

    fn set_value(&mut self, edge: u32, value: Option<f64>) {
        match value {
            Some(value) => _ = self.values.insert(edge, value),
            None if self.values.is_empty() => {}
            None => _ = self.values.remove(&edge),
        }
    }

    fn slot_mut(&mut self, edge: u32) -> &mut Slot {
        let edge = edge as usize;
        &mut self.chunks[edge / CHUNK][edge % CHUNK]
    }
}

/// Orders two edges of which the bits of time and key are equal: by their whole keys.
pub(super) fn by_time(a: &Slot, b: &Slot) -> Ordering {
    (a.at_ms(), a.key_bits).cmp(&(b.at_ms(), b.key_bits))
}

fn tombstone_slot(key: EdgeKey, kind: u8, user: u32, item: u32) -> Slot {
    let meta = u64::from(kind) << 8 | u64::from(tag::TOMBSTONE);
    Slot { user, item, source: 0, key_bits: key_bits(key), meta, id: key.0 }
}

fn is_usual_form(uuid: &Uuid, text: &str) -> bool {
    uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text
}

fn is_hexadecimal(uuid: &Uuid, text: &str) -> bool {
    uuid.simple().encode_lower(&mut Uuid::encode_buffer()) == text
}

pub(super) fn key_bits(key: EdgeKey) -> u32 {
    key.prefix()
}

fn shard(bits: u32) -> usize {
    bits as usize % SHARDS
}

/// Spreads 32 bits over the 64 that the table looks at.
fn spread(bits: u32) -> u64 {
    u64::from(bits).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Long event ids, one behind the other in blocks that are never moved.
#[derive(Debug, Default)]
struct Arena {
    blocks: Vec<Vec<u8>>,
}

/// Much larger than any id, so that little is left over at a block's end.
const BLOCK: usize = 1 << 20;

impl Arena {
    fn push(&mut self, text: &str) -> [u8; 16] {
        let full = |block: &Vec<u8>| block.len() + text.len() > BLOCK;
        if self.blocks.last().is_none_or(full) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let number = self.blocks.len() - 1;
        let block = &mut self.blocks[number];
        let offset = (number * BLOCK + block.len()) as u64;
        block.extend_from_slice(text.as_bytes());
        let mut place = [0; 16];
        place[..8].copy_from_slice(&offset.to_le_bytes());
        place[8..10].copy_from_slice(&(text.len() as u16).to_le_bytes());
        place
    }

    fn get(&self, place: &[u8; 16]) -> &str {
        let [a, b, c, d, e, f, g, h, low, high, ..] = *place;
        let offset = u64::from_le_bytes([a, b, c, d, e, f, g, h]) as usize;
        let length = usize::from(u16::from_le_bytes([low, high]));
        let start = offset % BLOCK;
        std::str::from_utf8(&self.blocks[offset / BLOCK][start..start + length])
            .expect("what was pushed was text")
    }

    fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_edge_takes_40_bytes() {
        assert_eq!(size_of::<Slot>(), 40);
    }

    proptest! {
        #[test]
        fn event_ids_come_back_as_they_were(ids in prop::collection::vec(
            prop_oneof!["\\PC{1,80}", "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9A-Fa-f]{12}", "[0-9a-f]{32}"], 1..30)
        ) {
            let mut edges = Edges::default();
            for (n, event_id) in ids.iter().enumerate() {
                let key = EdgeKey::new(event_id, "s", "viewed", &n.to_string(), "i");
                edges.push(key, &NewEdge { user: 0, item: 0, source: 0, kind: 1, at_ms: 1, event_id, value: None });
            }
            for (n, event_id) in ids.iter().enumerate() {
                let same = edges.with_event_id(n as u32, |id| id == event_id);
                prop_assert!(same);
            }
        }
    }
}
