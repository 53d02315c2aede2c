//! Sets of sequences, as the ranges they are made of.

/// A set of sequences. Ranges are inclusive, sorted, and never touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intervals(Vec<(u64, u64)>);

impl Intervals {
    /// Rebuilds a set from its ranges; `None` unless they are sorted and apart.
    pub fn from_ranges(ranges: Vec<(u64, u64)>) -> Option<Self> {
        let valid = ranges.iter().all(|(from, through)| from <= through)
            && ranges.windows(2).all(|pair| pair[0].1.saturating_add(1) < pair[1].0);
        valid.then_some(Self(ranges))
    }

    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Adds all sequences from `from` through `through` (inclusive).
    pub fn insert(&mut self, from: u64, through: u64) {
        if from > through {
            return;
        }
        let first = self.0.partition_point(|(_, end)| end.saturating_add(1) < from);
        let last = self.0.partition_point(|(start, _)| *start <= through.saturating_add(1));
        let touched = &self.0[first..last];
        let from = touched.first().map_or(from, |(start, _)| from.min(*start));
        let through = touched.last().map_or(through, |(_, end)| through.max(*end));
        self.0.splice(first..last, [(from, through)]);
    }

    /// Removes all sequences after `last`.
    pub fn forget_after(&mut self, last: u64) {
        self.0.retain(|(from, _)| *from <= last);
        if let Some((_, through)) = self.0.last_mut() {
            *through = last.min(*through);
        }
    }

    /// The first sequence from `from` on that is not in the set.
    pub fn first_missing(&self, from: u64) -> u64 {
        let place = self.0.partition_point(|(_, through)| *through < from);
        match self.0.get(place) {
            Some((start, through)) if *start <= from => through.saturating_add(1),
            _ => from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn is_a_set(steps in prop::collection::vec((0..40u64, 0..8u64, prop::bool::weighted(0.1)), 0..40), probe in 0..50u64) {
            let (mut intervals, mut model) = (Intervals::default(), BTreeSet::new());
            for (from, length, forget) in steps {
                if forget {
                    intervals.forget_after(from);
                    model.retain(|sequence| *sequence <= from);
                } else {
                    intervals.insert(from, from + length);
                    model.extend(from..=from + length);
                }
                let ranges = intervals.ranges().to_vec();
                prop_assert_eq!(Intervals::from_ranges(ranges.clone()), Some(intervals.clone()));
                prop_assert!(ranges.iter().flat_map(|(from, through)| *from..=*through).eq(model.iter().copied()));
            }
            let missing = (probe..200).find(|sequence| !model.contains(sequence));
            prop_assert_eq!(Some(intervals.first_missing(probe)), missing);
        }
    }

    #[test]
    fn ranges_that_touch_or_turn_are_refused() {
        assert_eq!(Intervals::from_ranges(vec![(1, 2), (3, 4)]), None);
        assert_eq!(Intervals::from_ranges(vec![(2, 1)]), None);
    }
}
