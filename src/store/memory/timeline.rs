//! The edges of one vertex in the order of time.
//!
//! Runs of at most 512 edges, so that one that comes late moves at most 2 KiB, and one that comes
//! in order is appended.

/// Most edges a run.
const RUN: usize = 512;

/// Edges in an order that the caller gives, the same at every call.
#[derive(Debug, Default, Clone)]
pub(super) struct Timeline {
    runs: Vec<Vec<u32>>,
    length: u32,
}

impl Timeline {
    #[cfg(test)]
    pub fn len(&self) -> u32 {
        self.length
    }

    /// Inserts an edge that is not there. `before(a, b)` says whether `a` comes before `b`.
    pub fn insert(&mut self, edge: u32, before: impl Fn(u32, u32) -> bool) {
        self.length += 1;
        let Some(last) = self.runs.last_mut() else {
            self.runs.push(vec![edge]);
            return;
        };
        if last.last().is_none_or(|newest| before(*newest, edge)) {
            if last.len() < RUN {
                last.push(edge);
            } else {
                self.runs.push(vec![edge]);
            }
            return;
        }
        let number = self.run_of(|first| before(first, edge));
        let run = &mut self.runs[number];
        let place = run.partition_point(|known| before(*known, edge));
        run.insert(place, edge);
        if run.len() > RUN {
            let upper = run.split_off(RUN / 2);
            self.runs.insert(number + 1, upper);
        }
    }

    /// Removes an edge that is there.
    pub fn remove(&mut self, edge: u32, before: impl Fn(u32, u32) -> bool) {
        let number = self.run_of(|first| first == edge || before(first, edge));
        let run = &mut self.runs[number];
        let place = run.partition_point(|known| before(*known, edge));
        debug_assert_eq!(run.get(place), Some(&edge));
        run.remove(place);
        if run.is_empty() {
            self.runs.remove(number);
        }
        self.length -= 1;
    }

    /// All edges, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs.iter().rev().flat_map(|run| run.iter().rev().copied())
    }

    /// Newest first, the edges for which `older` holds: those of a prefix in the order of time.
    pub fn newest_of_prefix(&self, older: impl Fn(u32) -> bool) -> impl Iterator<Item = u32> + '_ {
        let number = self.run_of(&older);
        let place = self.runs.get(number).map_or(0, |run| run.partition_point(|edge| older(*edge)));
        let partial = self.runs.get(number).map_or(&[][..], |run| &run[..place]);
        let whole = self.runs[..number.min(self.runs.len())]
            .iter()
            .rev()
            .flat_map(|run| run.iter().rev().copied());
        partial.iter().rev().copied().chain(whole)
    }

    /// Calls `each`, oldest first, with up to `side` edges before a place, and with the one at the
    /// place and up to `side` after it. `older` holds for those before it.
    pub fn around(&self, side: usize, older: impl Fn(u32) -> bool, mut each: impl FnMut(u32)) {
        let mut number = self.run_of(&older);
        let Some(run) = self.runs.get(number) else { return };
        let place = run.partition_point(|edge| older(*edge));
        let mut offset = place.saturating_sub(side);
        let mut missing = side.saturating_sub(place);
        while missing > 0 && number > 0 {
            number -= 1;
            offset = self.runs[number].len().saturating_sub(missing);
            missing -= self.runs[number].len() - offset;
        }
        let wanted = side - missing + 1 + side;
        self.runs[number..].iter().flatten().skip(offset).take(wanted).for_each(|edge| each(*edge));
    }

    pub fn bytes(&self) -> usize {
        let runs: usize = self.runs.iter().map(|run| run.capacity() * size_of::<u32>()).sum();
        runs + self.runs.capacity() * size_of::<Vec<u32>>()
    }

    /// The last run whose first edge comes before, or the first run.
    fn run_of(&self, first_is_before: impl Fn(u32) -> bool) -> usize {
        self.runs.partition_point(|run| first_is_before(run[0])).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_a_sorted_list(inserted in prop::collection::hash_set(0..5000u32, 0..1500), removals in prop::collection::vec(any::<prop::sample::Index>(), 0..700), cut in 0..5000u32, side in prop_oneof![0..5usize, 0..1200usize]) {
            let before = |a: u32, b: u32| a < b;
            let mut timeline = Timeline::default();
            let mut model: Vec<u32> = inserted.iter().copied().collect();
            for edge in &inserted {
                timeline.insert(*edge, before);
            }
            for index in removals {
                if model.is_empty() { break }
                let edge = model.swap_remove(index.index(model.len()));
                timeline.remove(edge, before);
            }
            model.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(timeline.len() as usize, model.len());
            prop_assert_eq!(timeline.newest_first().collect::<Vec<_>>(), model.clone());
            let older: Vec<u32> = model.iter().copied().filter(|edge| *edge < cut).collect();
            prop_assert_eq!(timeline.newest_of_prefix(|edge| edge < cut).collect::<Vec<_>>(), older);
            let rising: Vec<u32> = model.iter().rev().copied().collect();
            let place = rising.partition_point(|edge| *edge < cut);
            let mut around = Vec::new();
            timeline.around(side, |edge| edge < cut, |edge| around.push(edge));
            prop_assert_eq!(around, &rising[place.saturating_sub(side)..rising.len().min(place + side + 1)]);
        }

        #[test]
        fn in_order_arrivals_fill_every_run(count in 1..3000u32) {
            let mut timeline = Timeline::default();
            (0..count).for_each(|edge| timeline.insert(edge, |a, b| a < b));
            prop_assert_eq!(timeline.runs.len(), (count as usize).div_ceil(RUN));
        }
    }
}
