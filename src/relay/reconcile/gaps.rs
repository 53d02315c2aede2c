//! Runs of sequences at which the stream holds nothing, few enough to be remembered. Pure.

/// Runs (both ends inclusive), rising, none next to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    runs: Vec<(u64, u64)>,
}

impl Gaps {
    /// Notes a run after all that are there; an empty one is none. Beyond `most` neighbours become one run.
    pub fn push(&mut self, from: u64, through: u64, most: usize) {
        if from > through {
            return;
        }
        match self.runs.last_mut() {
            Some((_, last)) if *last + 1 >= from => *last = through.max(*last),
            _ => self.runs.push((from, through)),
        }
        if self.runs.len() > most {
            let pairs = self.runs.chunks(2);
            self.runs = pairs.map(|pair| (pair[0].0, pair[pair.len() - 1].1)).collect();
        }
    }

    /// Puts the runs of a later part of the stream behind these.
    pub fn append(&mut self, later: Self, most: usize) {
        for (from, through) in later.runs {
            self.push(from, through, most);
        }
    }

    /// Returns the numbers of the runs that have a sequence in common with `above` (exclusive) to `below` (exclusive).
    pub fn within(&self, above: u64, below: u64) -> std::ops::Range<usize> {
        let begin = self.runs.partition_point(|(_, through)| *through <= above);
        let end = self.runs.partition_point(|(from, _)| *from < below);
        begin..end.max(begin)
    }

    /// Returns how many sequences of a run lie between `above` (exclusive) and `below` (exclusive).
    pub fn count(&self, run: usize, above: u64, below: u64) -> u64 {
        let (from, through) = self.runs[run];
        (through.min(below.saturating_sub(1)) + 1).saturating_sub(from.max(above + 1))
    }

    /// Returns a run's first sequence.
    pub fn first(&self, run: usize) -> u64 {
        self.runs[run].0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(runs: &[(u64, u64)], most: usize) -> Gaps {
        let mut gaps = Gaps::default();
        for (from, through) in runs {
            gaps.push(*from, *through, most);
        }
        gaps
    }

    #[test]
    fn neighbours_are_one_run_and_an_empty_run_is_none() {
        let gaps = of(&[(3, 4), (5, 5), (9, 8), (11, 12)], 9);
        assert_eq!(gaps.runs, [(3, 5), (11, 12)]);
        assert_eq!(gaps.within(5, 11), 1..1);
        assert_eq!(gaps.within(4, 12), 0..2);
        assert_eq!((gaps.count(0, 4, 99), gaps.count(1, 0, 12)), (1, 1));
    }

    #[test]
    fn the_parts_of_a_stream_are_one() {
        let mut head = of(&[(3, 4)], 9);
        head.append(of(&[(5, 6), (8, 8)], 9), 9);
        assert_eq!(head.runs, [(3, 6), (8, 8)]);
    }

    proptest! {
        #[test]
        fn every_sequence_that_was_noted_stays_noted(
            steps in prop::collection::vec((1_u64..9, 0_u64..9), 1..200), most in 2_usize..20,
        ) {
            let mut gaps = Gaps::default();
            let (mut at, mut noted) = (0, Vec::new());
            for (step, length) in steps {
                let from = at + step;
                gaps.push(from, from + length, most);
                noted.extend(from..=from + length);
                at = from + length;
                prop_assert!(gaps.runs.len() <= most);
            }
            for sequence in noted {
                prop_assert_eq!(gaps.within(sequence - 1, sequence + 1).len(), 1);
            }
        }
    }
}
