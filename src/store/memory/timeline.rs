//! The edges of one vertex in the order of time.
//!
//! Runs of at most 512 entries, so that one that comes late moves some KiB at most, and one that
//! comes in order is appended.

/// Most entries a run.
const RUN: usize = 512;

/// Entries in an order that the caller gives, the same at every call.
#[derive(Debug, Clone)]
pub(super) struct Timeline<E> {
    runs: Vec<Vec<E>>,
    /// Entries that the runs have room for.
    room: u32,
    #[cfg(test)]
    length: u32,
}

impl<E> Default for Timeline<E> {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            room: 0,
            #[cfg(test)]
            length: 0,
        }
    }
}

impl<E: Copy> Timeline<E> {
    #[cfg(test)]
    pub fn len(&self) -> u32 {
        self.length
    }

    /// Inserts an entry that is not there. `before(a, b)` says whether `a` comes before `b`.
    pub fn insert(&mut self, entry: E, before: impl Fn(&E, &E) -> bool) {
        #[cfg(test)]
        {
            self.length += 1;
        }
        let in_order =
            self.runs.last().and_then(|run| run.last()).is_none_or(|newest| before(newest, &entry));
        if in_order {
            if self.runs.last().is_none_or(|run| run.len() >= RUN) {
                if self.runs.is_empty() {
                    // Nearly all vertices have one run; a vector would make room for four.
                    self.runs.reserve_exact(1);
                }
                self.runs.push(Vec::new());
            }
            let number = self.runs.len() - 1;
            self.change(number, |run| run.push(entry));
            return;
        }
        let number = self.run_of(|first| before(first, &entry));
        let place = self.runs[number].partition_point(|known| before(known, &entry));
        self.change(number, |run| run.insert(place, entry));
        if self.runs[number].len() > RUN {
            let upper = self.runs[number].split_off(RUN / 2);
            self.room += upper.capacity() as u32;
            self.runs.insert(number + 1, upper);
        }
    }

    /// Removes an entry that is there: the one that is neither before nor after `entry`.
    pub fn remove(&mut self, entry: &E, before: impl Fn(&E, &E) -> bool) {
        let number = self.run_of(|first| !before(entry, first));
        let place = self.runs[number].partition_point(|known| before(known, entry));
        self.change(number, |run| _ = run.remove(place));
        if self.runs[number].is_empty() {
            let empty = self.runs.remove(number);
            self.room -= empty.capacity() as u32;
        }
        #[cfg(test)]
        {
            self.length -= 1;
        }
    }

    /// All entries, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = E> + '_ {
        self.runs.iter().rev().flat_map(|run| run.iter().rev().copied())
    }

    /// Newest first, the entries for which `older` holds: those of a prefix in the order of time.
    pub fn newest_of_prefix(&self, older: impl Fn(&E) -> bool) -> impl Iterator<Item = E> + '_ {
        let number = self.run_of(&older);
        let place = self.runs.get(number).map_or(0, |run| run.partition_point(&older));
        let partial = self.runs.get(number).map_or(&[][..], |run| &run[..place]);
        let whole = self.runs[..number.min(self.runs.len())]
            .iter()
            .rev()
            .flat_map(|run| run.iter().rev().copied());
        partial.iter().rev().copied().chain(whole)
    }

    /// Calls `each`, oldest first, with up to `side` entries before a place, and with the one at the
    /// place and up to `side` after it. `older` holds for those before it.
    pub fn around(&self, side: usize, older: impl Fn(&E) -> bool, mut each: impl FnMut(&E)) {
        let mut number = self.run_of(&older);
        let Some(run) = self.runs.get(number) else { return };
        let place = run.partition_point(&older);
        let mut offset = place.saturating_sub(side);
        let mut missing = side.saturating_sub(place);
        while missing > 0 && number > 0 {
            number -= 1;
            offset = self.runs[number].len().saturating_sub(missing);
            missing -= self.runs[number].len() - offset;
        }
        let wanted = side - missing + 1 + side;
        self.runs[number..].iter().flatten().skip(offset).take(wanted).for_each(&mut each);
    }

    pub fn bytes(&self) -> usize {
        self.room as usize * size_of::<E>() + self.runs.capacity() * size_of::<Vec<E>>()
    }

    /// Changes one run and keeps count of its room.
    fn change(&mut self, number: usize, change: impl FnOnce(&mut Vec<E>)) {
        let run = &mut self.runs[number];
        let before = run.capacity();
        change(run);
        self.room = self.room + run.capacity() as u32 - before as u32;
    }

    /// The last run whose first entry comes before, or the first run.
    fn run_of(&self, first_is_before: impl Fn(&E) -> bool) -> usize {
        self.runs.partition_point(|run| first_is_before(&run[0])).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_a_sorted_list(inserted in prop::collection::hash_set(0..5000u32, 0..1500), removals in prop::collection::vec(any::<prop::sample::Index>(), 0..700), cut in 0..5000u32, side in prop_oneof![0..5usize, 0..1200usize]) {
            let before = |a: &u32, b: &u32| a < b;
            let mut timeline = Timeline::default();
            let mut model: Vec<u32> = inserted.iter().copied().collect();
            for edge in &inserted {
                timeline.insert(*edge, before);
            }
            for index in removals {
                if model.is_empty() { break }
                let edge = model.swap_remove(index.index(model.len()));
                timeline.remove(&edge, before);
            }
            model.sort_unstable_by(|a, b| b.cmp(a));
            let room: usize = timeline.runs.iter().map(Vec::capacity).sum();
            prop_assert_eq!(timeline.room as usize, room);
            prop_assert_eq!(timeline.len() as usize, model.len());
            prop_assert_eq!(timeline.newest_first().collect::<Vec<_>>(), model.clone());
            let older: Vec<u32> = model.iter().copied().filter(|edge| *edge < cut).collect();
            prop_assert_eq!(timeline.newest_of_prefix(|edge| *edge < cut).collect::<Vec<_>>(), older);
            let rising: Vec<u32> = model.iter().rev().copied().collect();
            let place = rising.partition_point(|edge| *edge < cut);
            let mut around = Vec::new();
            timeline.around(side, |edge| *edge < cut, |edge| around.push(*edge));
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
