//! Which entries of the WAL are done. Pure.
//!
//! Entries may be stored in any order; the cursor is the end of what is done without a gap. With it goes
//! the mark of the highest place in the stream that anything up to the cursor has: as long as the stream
//! holds that place, it holds them all.

use std::collections::{BTreeMap, BTreeSet};

use crate::stream::Mark;

/// What was handed out and what of it is done.
#[derive(Debug)]
pub struct Window {
    /// The first sequence that was not yet read.
    next: u64,
    outstanding: BTreeSet<u64>,
    /// Marks of what is done beyond the cursor, under the lowest sequence they stand for.
    marks: BTreeMap<u64, Mark>,
    mark: Option<Mark>,
}

impl Window {
    /// Begins where everything through `through` (inclusive) is done, and stands in the stream up to `mark`.
    pub fn new(through: u64, mark: Option<Mark>) -> Self {
        Self { next: through + 1, outstanding: BTreeSet::new(), marks: BTreeMap::new(), mark }
    }

    /// Returns the first sequence to read.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Notes that these entries, and no others below `next`, were read.
    pub fn hand_out(&mut self, entries: impl IntoIterator<Item = u64>, next: u64) {
        self.outstanding.extend(entries);
        self.next = self.next.max(next);
    }

    /// Notes that entries are stored, none of them after `mark`. Telling it again changes nothing.
    pub fn done(&mut self, entries: impl IntoIterator<Item = u64>, mark: Option<Mark>) {
        let mut lowest = None;
        for entry in entries {
            self.outstanding.remove(&entry);
            lowest = Some(lowest.map_or(entry, |lowest: u64| lowest.min(entry)));
        }
        if let (Some(lowest), Some(mark)) = (lowest, mark) {
            let kept = self.marks.entry(lowest).or_insert(mark);
            *kept = higher(*kept, mark);
        }
        let cursor = self.cursor();
        while let Some(first) = self.marks.first_entry().filter(|first| *first.key() <= cursor) {
            let mark = first.remove();
            self.mark = Some(self.mark.map_or(mark, |kept| higher(kept, mark)));
        }
    }

    /// Returns the end of what is done without a gap (inclusive).
    pub fn cursor(&self) -> u64 {
        self.outstanding.first().map_or(self.next, |first| *first) - 1
    }

    /// Returns the highest place in the stream of anything up to the cursor.
    pub fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Returns how many entries are handed out and not done.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }
}

fn higher(one: Mark, other: Mark) -> Mark {
    if other.sequence > one.sequence { other } else { one }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(sequence: u64) -> Mark {
        Mark { sequence, hash: [sequence as u8; 16] }
    }

    #[test]
    fn holes_do_not_hold_the_cursor_back() {
        let mut window = Window::new(4, None);
        assert_eq!((window.cursor(), window.next()), (4, 5));
        window.hand_out([7, 9], 12);
        assert_eq!(window.cursor(), 6);
        window.done([7], Some(mark(1)));
        assert_eq!((window.cursor(), window.mark()), (8, Some(mark(1))));
        window.done([9], None);
        assert_eq!((window.cursor(), window.outstanding()), (11, 0));
    }

    #[test]
    fn what_was_told_twice_counts_once() {
        let mut window = Window::new(0, None);
        window.hand_out([1, 2], 3);
        window.done([2], Some(mark(8)));
        window.done([2], Some(mark(9)));
        assert_eq!((window.cursor(), window.mark()), (0, None));
        window.done([1], Some(mark(3)));
        assert_eq!((window.cursor(), window.mark()), (2, Some(mark(9))));
    }

    proptest! {
        /// Groups of entries finish in any order; the cursor and the mark follow from what is done alone.
        #[test]
        fn the_cursor_is_the_end_of_what_is_done_without_a_gap(
            sizes in prop::collection::vec((1_usize..5, 0_u64..3), 1..40),
            order in any::<prop::sample::Index>(),
            seed in prop::collection::vec(any::<prop::sample::Index>(), 40),
        ) {
            let mut window = Window::new(0, None);
            let mut groups = Vec::new();
            let mut next = 1;
            for (size, hole) in sizes {
                let entries: Vec<u64> = (next..next + size as u64).collect();
                next += size as u64 + hole;
                window.hand_out(entries.iter().copied(), next);
                groups.push(entries);
            }
            let offset = order.index(1_000) as u64;
            let mut done: Vec<(u64, u64)> = Vec::new();
            for pick in seed {
                if groups.is_empty() {
                    break;
                }
                let group = groups.remove(pick.index(groups.len()));
                // Places in the stream follow the order of completion.
                let start = offset + done.len() as u64;
                let place = start + group.len() as u64;
                done.extend(group.iter().enumerate().map(|(i, e)| (*e, start + i as u64 + 1)));
                window.done(group, Some(mark(place)));

                let open = groups.iter().flatten().min();
                prop_assert_eq!(window.cursor(), open.map_or(next, |first| *first) - 1);
                // The mark covers everything up to the cursor.
                let needed = done.iter().filter(|(e, _)| *e <= window.cursor()).map(|(_, place)| *place).max();
                prop_assert!(window.mark().map(|mark| mark.sequence) >= needed);
                prop_assert!(window.mark().is_none_or(|mark| done.iter().any(|(_, place)| *place == mark.sequence)));
            }
        }
    }
}
