//! Finds records in the bytes of a sled file without sled.
//!
//! sled's own recovery shreds what follows a tear, so a file is scanned before sled may open it.
//! sled keeps values contiguous and rewrites them as leaves grow: copies of one record are normal.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::Bytes;
use serde::Serialize;

use super::record::{MAGIC, Record};

/// Records by their first sequence.
pub(super) type Records = BTreeMap<u64, Record>;

/// Sequences that no record holds, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct LostRange {
    pub first: u64,
    pub last: u64,
}

impl LostRange {
    /// How many sequences it spans; never 0.
    pub fn count(self) -> u64 {
        self.last - self.first + 1
    }
}

/// Adds every whole record in `bytes` to `found`.
pub(super) fn scan(bytes: &Bytes, found: &mut Records) {
    let mut at = 0;
    while let Some(offset) = bytes[at..].iter().position(|byte| *byte == MAGIC[0]) {
        at += offset;
        if !bytes[at..].starts_with(&MAGIC) {
            at += 1;
            continue;
        }
        match Record::decode_prefix(bytes.slice(at..)) {
            Ok(record) => {
                at += record.bytes.len();
                found.entry(record.first).or_insert(record);
            }
            Err(_) => at += 1,
        }
    }
}

/// Returns what of `expected` the ascending ranges (both ends inclusive) leave out, in order.
pub(super) fn holes(
    ranges: impl IntoIterator<Item = (u64, u64)>,
    expected: RangeInclusive<u64>,
) -> Vec<LostRange> {
    let mut holes = Vec::new();
    let mut next = *expected.start();
    let mut hole = |first: u64, last: u64| {
        if first <= last {
            holes.push(LostRange { first, last });
        }
    };
    for (first, last) in ranges {
        if first > next {
            hole(next, (first - 1).min(*expected.end()));
        }
        next = next.max(last.saturating_add(1));
    }
    hole(next, *expected.end());
    holes
}

/// Returns the end of the run without a hole that begins at `first`; `first - 1` if it is empty.
pub(super) fn run_end(records: &Records, first: u64) -> u64 {
    let mut end = first - 1;
    for record in records.values() {
        if record.first > end + 1 {
            break;
        }
        end = end.max(record.last);
    }
    end
}
