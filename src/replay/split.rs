//! A range of the log as chunks that are read side by side. Pure, and always the same for the same range.

use super::job::{Chunk, Range};
use crate::limits::{JOB_CHUNK_EVENTS, JOB_CHUNK_LEAST, JOB_CHUNKS, JOB_READERS};

/// Splits a range into chunks of nearly one length: at most [`JOB_CHUNKS`] of [`JOB_CHUNK_EVENTS`] or more, and of
/// a short range as many as are read at once, twice, each of [`JOB_CHUNK_LEAST`] or more unless the range has fewer.
pub fn split(range: Range) -> Vec<Chunk> {
    if range.is_empty() {
        return Vec::new();
    }
    let side_by_side = (range.len() / JOB_CHUNK_LEAST).min(2 * JOB_READERS as u64);
    let count = (range.len() / JOB_CHUNK_EVENTS).max(side_by_side).clamp(1, JOB_CHUNKS);
    let (length, longer) = (range.len() / count, range.len() % count);
    let mut from = range.from;
    let chunk = |n| {
        let to = from + length + u64::from(n < longer);
        let chunk = Chunk::new(from, to);
        from = to;
        chunk
    };
    (0..count).map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn chunks_are_the_range_and_of_one_size(from in 1..1u64 << 50, length in prop_oneof![0..10_000u64, 0..1u64 << 40]) {
            let range = Range { from, to: from + length };
            let chunks = split(range);
            prop_assert!(chunks.len() as u64 <= JOB_CHUNKS);
            prop_assert_eq!(chunks.is_empty(), range.is_empty());
            let mut next = from;
            for chunk in &chunks {
                prop_assert_eq!(chunk.from, next);
                prop_assert!(chunk.to > chunk.from && chunk.next == chunk.from);
                next = chunk.to;
            }
            prop_assert_eq!(next, range.to);
            let lengths = chunks.iter().map(|chunk| chunk.to - chunk.from);
            let (least, most) = (lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0));
            prop_assert!(most - least <= 1);
            prop_assert!(chunks.len() <= 1 || least >= JOB_CHUNK_LEAST);
        }
    }
}
