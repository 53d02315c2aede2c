//! The envelope of one stored record: a run of consecutive entries under one checksum.
//!
//! Layout, little-endian: magic (6), version (1), reserved (1), CRC32C of all that follows (4),
//! body length (4), count (4), first (8), last (8), then each entry as length (4) and bytes.
//! The magic cannot occur in UTF-8 text, so records are found in a damaged file without an index.

use bytes::{Buf, Bytes};

use crate::limits::WAL_RECORD_BYTES;

/// Begins every record; 0xFF is in no UTF-8 text.
pub(super) const MAGIC: [u8; 6] = [0xFF, b'w', b'e', b'i', b'r', 0x00];
/// Versions are never reused.
const VERSION: u8 = 1;
const CHECKED_FROM: usize = 12;
/// Bytes before the first entry.
pub(super) const HEADER: usize = 36;
/// Bytes before each entry.
pub(super) const ENTRY_HEADER: usize = 4;

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("does not begin with a record's magic")]
    Magic,
    #[error("has the unknown version {0}")]
    Version(u8),
    #[error("ends early")]
    Short,
    #[error("has bytes after its end")]
    Trailing,
    #[error("does not match its checksum")]
    Checksum,
    #[error("counts its entries wrongly")]
    Count,
}

/// Entries `first ..= last` in their stored form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub first: u64,
    pub last: u64,
    pub bytes: Bytes,
}

impl Record {
    /// Decodes bytes that hold exactly one record, and checks all of it.
    pub fn decode(bytes: Bytes) -> Result<Record, RecordError> {
        let length = bytes.len();
        let record = Record::decode_prefix(bytes)?;
        if record.bytes.len() == length { Ok(record) } else { Err(RecordError::Trailing) }
    }

    /// Decodes the record that `bytes` begin with, whatever follows it.
    pub fn decode_prefix(mut bytes: Bytes) -> Result<Record, RecordError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(RecordError::Magic);
        }
        if bytes.len() < HEADER {
            return Err(RecordError::Short);
        }
        if bytes[6] != VERSION {
            return Err(RecordError::Version(bytes[6]));
        }
        let mut header = &bytes[8..HEADER];
        let checksum = header.get_u32_le();
        let body = header.get_u32_le() as usize;
        let count = u64::from(header.get_u32_le());
        let first = header.get_u64_le();
        let last = header.get_u64_le();
        if body > bytes.len() - HEADER {
            return Err(RecordError::Short);
        }
        bytes.truncate(HEADER + body);
        if crc32c::crc32c(&bytes[CHECKED_FROM..]) != checksum {
            return Err(RecordError::Checksum);
        }
        if count == 0 || first == 0 || first.checked_add(count - 1) != Some(last) {
            return Err(RecordError::Count);
        }
        if !is_filled(&bytes[HEADER..], count) {
            return Err(RecordError::Count);
        }
        Ok(Record { first, last, bytes })
    }

    /// Iterates over the entries from sequence `from` on, as slices of the record.
    pub fn entries_from(&self, from: u64) -> impl Iterator<Item = (u64, Bytes)> + use<> {
        let mut rest = self.bytes.slice(HEADER..);
        let mut sequence = self.first;
        std::iter::from_fn(move || {
            loop {
                if rest.len() < ENTRY_HEADER {
                    return None;
                }
                let length = rest.get_u32_le() as usize;
                if length > rest.len() {
                    return None;
                }
                let here = sequence;
                sequence += 1;
                if here >= from {
                    return Some((here, rest.split_to(length)));
                }
                rest.advance(length);
            }
        })
    }

    /// How many entries it holds.
    pub fn count(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// Whether a body is so many entries and nothing else.
fn is_filled(mut body: &[u8], count: u64) -> bool {
    for _ in 0..count {
        let Some((length, rest)) = body.split_first_chunk::<ENTRY_HEADER>() else { return false };
        let Some(rest) = rest.get(u32::from_le_bytes(*length) as usize..) else { return false };
        body = rest;
    }
    body.is_empty()
}

/// Packs entries, in order, into as few records of at most `WAL_RECORD_BYTES` as they take.
pub(super) struct Packer {
    records: Vec<Record>,
    buffer: Vec<u8>,
    first: u64,
    next: u64,
    expected: usize,
}

impl Packer {
    /// Begins at sequence `first`; `expected` bytes of entries guide the allocations.
    pub fn new(first: u64, expected: usize) -> Packer {
        Packer {
            records: Vec::with_capacity(expected / WAL_RECORD_BYTES + 1),
            buffer: Vec::new(),
            first,
            next: first,
            expected,
        }
    }

    /// Adds the entry with the next sequence.
    pub fn push(&mut self, entry: &[u8]) {
        let size = ENTRY_HEADER + entry.len();
        if self.next > self.first && self.buffer.len() + size > WAL_RECORD_BYTES {
            self.finish_record();
        }
        if self.buffer.is_empty() {
            let capacity = (HEADER + self.expected.max(size)).min(WAL_RECORD_BYTES);
            self.buffer.reserve_exact(capacity);
            self.buffer.resize(HEADER, 0);
        }
        self.buffer.extend_from_slice(&(entry.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(entry);
        self.expected = self.expected.saturating_sub(size);
        self.next += 1;
    }

    /// Returns the records.
    pub fn finish(mut self) -> Vec<Record> {
        self.finish_record();
        self.records
    }

    fn finish_record(&mut self) {
        if self.next == self.first {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let last = self.next - 1;
        let body = (buffer.len() - HEADER) as u32;
        buffer[..6].copy_from_slice(&MAGIC);
        buffer[6] = VERSION;
        buffer[12..16].copy_from_slice(&body.to_le_bytes());
        buffer[16..20].copy_from_slice(&((self.next - self.first) as u32).to_le_bytes());
        buffer[20..28].copy_from_slice(&self.first.to_le_bytes());
        buffer[28..36].copy_from_slice(&last.to_le_bytes());
        let checksum = crc32c::crc32c(&buffer[CHECKED_FROM..]);
        buffer[8..12].copy_from_slice(&checksum.to_le_bytes());
        self.records.push(Record { first: self.first, last, bytes: Bytes::from(buffer) });
        self.first = self.next;
    }
}
