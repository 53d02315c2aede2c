//! What was read, folded into the chunk it is of: every sequence in exactly one term. Pure.
//!
//! Wherever reading stops and goes on, the chunk comes to be the same.

use super::job::{Chunk, Tally};
use crate::limits::JOB_CHUNK_GAPS;
use crate::stream::Mark;

/// What became of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Applied,
    Superseded,
    Filtered,
    Parked,
}

impl Chunk {
    /// Takes the next message. One that was taken before, or lies beyond the chunk, changes nothing.
    pub fn take(&mut self, sequence: u64, fate: Fate) {
        if sequence < self.next || sequence >= self.to {
            return;
        }
        self.pass_over(sequence);
        match fate {
            Fate::Applied => self.tally.applied += 1,
            Fate::Superseded => self.tally.superseded += 1,
            Fate::Filtered => self.tally.filtered += 1,
            Fate::Parked => self.tally.parked += 1,
        }
        self.next = sequence + 1;
    }

    /// Keeps the last message that was taken.
    pub fn mark(&mut self, mark: Mark) {
        let is_newer = self.last.is_none_or(|last| last.sequence < mark.sequence);
        if is_newer && (self.from..self.next).contains(&mark.sequence) {
            self.last = Some(mark);
        }
    }

    /// The log holds nothing more below this sequence (exclusive): it is read that far.
    pub fn pass_over(&mut self, to: u64) {
        let to = to.min(self.to);
        if to <= self.next {
            return;
        }
        self.tally.missing += to - self.next;
        let room = self.gaps.len() < JOB_CHUNK_GAPS;
        match self.gaps.last_mut() {
            Some((_, through)) if *through + 1 == self.next => *through = to - 1,
            _ if room => self.gaps.push((self.next, to - 1)),
            _ => {}
        }
        self.next = to;
    }

    /// Forgets what was read: it is read again from the beginning.
    pub fn begin_anew(&mut self) {
        self.next = self.from;
        self.tally = Tally::default();
        self.gaps.clear();
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A log of so many sequences from 5 on, some of which hold nothing.
    fn log() -> impl Strategy<Value = Vec<(u64, Option<Fate>)>> {
        let fates = [Fate::Applied, Fate::Superseded, Fate::Filtered, Fate::Parked];
        let fate = prop::option::weighted(0.7, prop::sample::select(fates.to_vec()));
        prop::collection::vec(fate, 1..120).prop_map(|fates| (5..).zip(fates).collect())
    }

    fn whole(log: &[(u64, Option<Fate>)], from: u64, to: u64) -> Chunk {
        let mut chunk = Chunk::new(from, to);
        log.iter().for_each(|(sequence, fate)| {
            if let Some(fate) = fate {
                chunk.take(*sequence, *fate);
            }
        });
        chunk.pass_over(to);
        chunk
    }

    proptest! {
        #[test]
        fn every_sequence_counts_once(log in log(), from in 1..40u64, length in 1..100u64) {
            let to = from + length;
            let chunk = whole(&log, from, to);
            let within = |sequence: u64| (from..to).contains(&sequence);
            let of = |what: Option<Fate>| log.iter().filter(|(sequence, fate)| within(*sequence) && *fate == what).count() as u64;
            let held = log.iter().filter(|(sequence, fate)| within(*sequence) && fate.is_some()).count() as u64;
            let tally = Tally {
                applied: of(Some(Fate::Applied)),
                superseded: of(Some(Fate::Superseded)),
                filtered: of(Some(Fate::Filtered)),
                parked: of(Some(Fate::Parked)),
                missing: length - held,
            };
            prop_assert_eq!(chunk.tally, tally);
            prop_assert!(chunk.is_read());
            let mut gone = Vec::new();
            chunk.gaps.iter().for_each(|(from, through)| gone.extend(*from..=*through));
            let expected: Vec<u64> = (from..to)
                .filter(|sequence| !log.iter().any(|(at, fate)| at == sequence && fate.is_some()))
                .collect();
            prop_assert_eq!(gone, expected);
        }

        #[test]
        fn stopping_anywhere_and_reading_some_again_changes_nothing(
            log in log(), stops in prop::collection::vec((0..120usize, 0..10usize), 0..6),
        ) {
            let (from, to) = (3, 100);
            let mut chunk = Chunk::new(from, to);
            let mut at = 0;
            let read = |chunk: &mut Chunk, begin: usize, end: usize| {
                for (sequence, fate) in log.iter().take(end).skip(begin) {
                    if let Some(fate) = fate {
                        chunk.take(*sequence, *fate);
                    }
                }
            };
            for (stop, again) in stops {
                read(&mut chunk, at, stop);
                at = at.max(stop).saturating_sub(again);
            }
            read(&mut chunk, at, log.len());
            chunk.pass_over(to);
            prop_assert_eq!(chunk, whole(&log, from, to));
        }

        #[test]
        fn splitting_a_range_anywhere_gives_one_account(log in log(), cut in 4..99u64) {
            let parts = [whole(&log, 3, cut), whole(&log, cut, 100)];
            let mut sum = Tally::default();
            parts.iter().for_each(|part| sum += part.tally);
            prop_assert_eq!(sum, whole(&log, 3, 100).tally);
        }
    }

    #[test]
    fn gaps_are_listed_up_to_a_bound_and_all_counted() {
        let mut chunk = Chunk::new(1, 2_001);
        (1..=1_000).for_each(|n| chunk.take(2 * n, Fate::Applied));
        assert_eq!((chunk.gaps.len(), chunk.tally.missing), (JOB_CHUNK_GAPS, 1_000));
    }

    #[test]
    fn the_newest_message_that_was_taken_is_kept_until_it_is_read_anew() {
        let mark = |sequence| Mark { sequence, hash: [sequence as u8; 16] };
        let mut chunk = Chunk::new(10, 20);
        chunk.mark(mark(12));
        assert_eq!(chunk.last, None, "it is not taken yet");
        chunk.take(12, Fate::Applied);
        chunk.take(14, Fate::Parked);
        for sequence in [9, 14, 12, 15] {
            chunk.mark(mark(sequence));
        }
        assert_eq!(chunk.last, Some(mark(14)));
        chunk.begin_anew();
        assert_eq!(chunk, Chunk::new(10, 20));
    }
}
