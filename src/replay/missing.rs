//! Why the log holds nothing where a job found nothing. Pure.

use super::job::{Chunk, Missing, MissingWhy};
use crate::limits::JOB_GAPS;
use crate::stream::Gone;

/// Tells the gaps of all chunks with their reasons, in their order: at most [`JOB_GAPS`].
///
/// `first` is the log's first sequence. What the server could not read again is lost, though it counts it
/// among the deleted.
pub fn classify(chunks: &[Chunk], first: u64, gone: &Gone) -> Vec<Missing> {
    let mut found: Vec<Missing> = Vec::new();
    for (from, through) in chunks.iter().flat_map(|chunk| &chunk.gaps) {
        let mut at = *from;
        while at <= *through {
            let (why, last) = stretch(at, *through, first, gone);
            let room = found.len() < JOB_GAPS;
            match found.last_mut() {
                Some(before) if before.why == why && before.through + 1 == at => {
                    before.through = last;
                }
                _ if room => found.push(Missing { from: at, through: last, why }),
                _ => return found,
            }
            at = last + 1;
        }
    }
    found
}

/// The reason at a sequence, and how far (inclusive, at most `through`) it goes on for sure.
fn stretch(at: u64, through: u64, first: u64, gone: &Gone) -> (MissingWhy, u64) {
    if at < first {
        return (MissingWhy::Trimmed, through.min(first - 1));
    }
    if gone.lost.binary_search(&at).is_ok() {
        return (MissingWhy::Lost, at);
    }
    match gone.erased.binary_search(&at) {
        Ok(_) => (MissingWhy::Erased, at),
        Err(place) => {
            let listed = [gone.erased.get(place), next_after(&gone.lost, at)];
            let next = listed.into_iter().flatten().min();
            (MissingWhy::Lost, next.map_or(through, |next| through.min(next - 1)))
        }
    }
}

fn next_after(sorted: &[u64], at: u64) -> Option<&u64> {
    sorted.get(sorted.partition_point(|sequence| *sequence <= at))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_sequence_has_the_reason_it_has(
            gaps in prop::collection::vec((1..6u64, 1..6u64), 0..8), first in 1..40u64,
            erased in prop::collection::btree_set(1..80u64, 0..40), lost in prop::collection::btree_set(1..80u64, 0..8),
        ) {
            let mut at = 1;
            let mut chunk = Chunk::new(1, 1_000);
            for (apart, length) in gaps {
                at += apart;
                chunk.gaps.push((at, at + length - 1));
                at += length;
            }
            let list = |set: &BTreeSet<u64>| set.iter().copied().collect();
            let gone = Gone { erased: list(&erased), lost: list(&lost), cut: false };
            let told: Vec<(u64, MissingWhy)> = classify(std::slice::from_ref(&chunk), first, &gone)
                .into_iter()
                .flat_map(|range| (range.from..=range.through).map(move |sequence| (sequence, range.why)))
                .collect();
            let expected: Vec<(u64, MissingWhy)> = chunk
                .gaps
                .iter()
                .flat_map(|(from, through)| *from..=*through)
                .map(|sequence| match sequence {
                    _ if sequence < first => (sequence, MissingWhy::Trimmed),
                    _ if lost.contains(&sequence) => (sequence, MissingWhy::Lost),
                    _ if erased.contains(&sequence) => (sequence, MissingWhy::Erased),
                    _ => (sequence, MissingWhy::Lost),
                })
                .collect();
            prop_assert_eq!(told, expected);
        }
    }

    #[test]
    fn neighbours_of_one_reason_are_one_range_across_chunks_and_the_list_is_bounded() {
        let mut chunks = vec![Chunk::new(1, 10), Chunk::new(10, 20)];
        chunks[0].gaps = vec![(1, 3), (8, 9)];
        chunks[1].gaps = vec![(10, 12)];
        let found = classify(&chunks, 4, &Gone { erased: (8..13).collect(), ..Gone::default() });
        let erased = Missing { from: 8, through: 12, why: MissingWhy::Erased };
        assert_eq!(found, [Missing { from: 1, through: 3, why: MissingWhy::Trimmed }, erased]);
        chunks[0].gaps = (0..3_000).map(|n| (2 * n + 100, 2 * n + 100)).collect();
        assert_eq!(classify(&chunks, 1, &Gone::default()).len(), JOB_GAPS);
    }
}
