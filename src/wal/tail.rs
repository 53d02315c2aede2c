//! The newest committed records, kept in memory for a reader that follows the head.

use std::collections::VecDeque;

use bytes::Bytes;

use super::record::Record;

/// What a record costs beyond its bytes.
const OVERHEAD: usize = 64;

/// A bounded run of committed records, complete from `start` on.
pub(super) struct Tail {
    records: VecDeque<Record>,
    start: u64,
    bytes: usize,
    limit: usize,
}

impl Tail {
    /// Is empty, and complete from sequence `start` on.
    pub fn new(start: u64, limit: usize) -> Tail {
        Tail { records: VecDeque::new(), start, bytes: 0, limit }
    }

    /// Adds committed records, and lets the oldest go beyond the limit.
    pub fn push(&mut self, records: impl IntoIterator<Item = Record>) {
        for record in records {
            self.bytes += record.bytes.len() + OVERHEAD;
            self.records.push_back(record);
        }
        while self.bytes > self.limit {
            let Some(oldest) = self.records.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes.len() + OVERHEAD;
            self.start = oldest.last + 1;
        }
    }

    /// Returns the records that hold `from` and what follows, until they hold `max_entries` or exceed
    /// `max_bytes`; none if the tail does not reach back that far.
    pub fn records(&self, from: u64, max_entries: usize, max_bytes: usize) -> Option<Vec<Record>> {
        if from < self.start {
            return None;
        }
        let at = self.records.partition_point(|record| record.last < from);
        let (mut entries, mut bytes) = (0, 0);
        let mut records = Vec::new();
        for record in self.records.range(at..) {
            if entries >= max_entries as u64 || bytes >= max_bytes {
                break;
            }
            entries += record.last + 1 - record.first.max(from);
            // The first record may lie mostly before `from`: it never ends the walk by its size.
            if record.first >= from {
                bytes += record.bytes.len();
            }
            records.push(record.clone());
        }
        Some(records)
    }
}

/// Takes entries out of records, in order, within the limits; always at least one if there is one.
pub(super) fn take(
    records: impl IntoIterator<Item = Record>,
    from: u64,
    max_entries: usize,
    max_bytes: usize,
    out: &mut Vec<(u64, Bytes)>,
) {
    let mut bytes: usize = out.iter().map(|(_, entry)| entry.len()).sum();
    for record in records {
        for (sequence, entry) in record.entries_from(from) {
            if out.len() >= max_entries || (!out.is_empty() && bytes + entry.len() > max_bytes) {
                return;
            }
            bytes += entry.len();
            out.push((sequence, entry));
        }
    }
}
