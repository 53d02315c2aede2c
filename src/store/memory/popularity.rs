//! Items by how many live edges they have, kept as it goes.
//!
//! An edge changes a count by one, so an item moves by at most one group: it trades places with
//! the edge of its group, in constant time.

/// Handles sorted by count, greatest first; handles count up from 0.
#[derive(Debug, Default)]
pub(super) struct Popularity {
    order: Vec<u32>,
    place: Vec<u32>,
    counts: Vec<u32>,
    /// How many items have more than this count: where a count's group begins.
    begins: Vec<u32>,
}

impl Popularity {
    pub fn count(&self, item: u32) -> u32 {
        self.counts.get(item as usize).copied().unwrap_or(0)
    }

    /// Makes room for a new handle, which must be the next one.
    pub fn add(&mut self, item: u32) {
        debug_assert_eq!(item as usize, self.order.len());
        self.place.push(self.order.len() as u32);
        self.order.push(item);
        self.counts.push(0);
        if self.begins.is_empty() {
            self.begins.push(0);
        }
    }

    pub fn increment(&mut self, item: u32) {
        let count = self.counts[item as usize] as usize;
        if self.begins.len() == count + 1 {
            self.begins.push(0);
        }
        // To the front of its group, which then begins one later: the place now ends the next group.
        self.swap(item, self.begins[count]);
        self.begins[count] += 1;
        self.counts[item as usize] += 1;
    }

    pub fn decrement(&mut self, item: u32) {
        let count = self.counts[item as usize] as usize;
        debug_assert!(count > 0);
        // To the end of its group, where the group below begins one earlier.
        self.swap(item, self.begins[count - 1] - 1);
        self.begins[count - 1] -= 1;
        self.counts[item as usize] -= 1;
    }

    /// Handles with their counts, greatest first; the order within one count means nothing.
    pub fn greatest_first(&self) -> impl ExactSizeIterator<Item = (u32, u32)> + '_ {
        self.order.iter().map(|item| (*item, self.counts[*item as usize]))
    }

    pub fn bytes(&self) -> usize {
        (self.order.capacity()
            + self.place.capacity()
            + self.counts.capacity()
            + self.begins.capacity())
            * size_of::<u32>()
    }

    fn swap(&mut self, item: u32, to: u32) {
        let from = self.place[item as usize];
        let other = self.order[to as usize];
        self.order.swap(from as usize, to as usize);
        self.place[item as usize] = to;
        self.place[other as usize] = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_recomputation(steps in prop::collection::vec((0..12u32, any::<bool>()), 0..400)) {
            let mut popularity = Popularity::default();
            let mut model = vec![0u32; 12];
            (0..12).for_each(|item| popularity.add(item));
            for (item, up) in steps {
                if up {
                    popularity.increment(item);
                    model[item as usize] += 1;
                } else if model[item as usize] > 0 {
                    popularity.decrement(item);
                    model[item as usize] -= 1;
                }
            }
            let counts: Vec<u32> = popularity.greatest_first().map(|(_, count)| count).collect();
            let mut sorted = model.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(counts, sorted);
            for (item, count) in popularity.greatest_first() {
                prop_assert_eq!(model[item as usize], count);
            }
        }
    }
}
