//! The entries of a part of the WAL by what the stream knows them by, and where it has them. Pure.

use hashbrown::HashTable;

/// An entry of the WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its sequence in the WAL.
    pub sequence: u64,
    /// Of its subject and message id.
    pub hash: [u8; 16],
    /// Where the stream has it; `None` if it was not seen there.
    pub place: Option<u64>,
}

/// Entries in the order of the WAL; copies of one event are one.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Known>,
    by_hash: HashTable<u32>,
    /// Entries that had the id of one before them.
    pub copies: u64,
    held: usize,
}

impl Index {
    /// Adds an entry behind all others.
    pub fn push(&mut self, sequence: u64, hash: [u8; 16]) {
        if self.find(hash).is_some() {
            self.copies += 1;
            return;
        }
        let number = u32::try_from(self.entries.len()).expect("a part has a bound far below");
        self.entries.push(Known { sequence, hash, place: None });
        let entries = &self.entries;
        self.by_hash.insert_unique(spread(hash), number, |at| spread(entries[*at as usize].hash));
    }

    fn find(&self, hash: [u8; 16]) -> Option<u32> {
        let same = |at: &u32| self.entries[*at as usize].hash == hash;
        self.by_hash.find(spread(hash), same).copied()
    }

    /// Notes that the stream has a message at a place; of several copies the first place counts.
    pub fn see(&mut self, hash: [u8; 16], place: u64) {
        let Some(at) = self.find(hash) else { return };
        let known = &mut self.entries[at as usize].place;
        self.held += usize::from(known.is_none());
        *known = Some(known.map_or(place, |before| before.min(place)));
    }

    pub fn entries(&self) -> &[Known] {
        &self.entries
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries that the stream was not seen to have.
    pub fn missing(&self) -> usize {
        self.entries.len() - self.held
    }

    /// Returns the entry that stands last in the stream, with its place.
    pub fn highest(&self) -> Option<(u64, [u8; 16])> {
        let placed = |known: &Known| known.place.map(|place| (place, known.hash));
        self.entries.iter().filter_map(placed).max()
    }
}

/// Eight of the bytes, which are those of a good hash already.
fn spread(hash: [u8; 16]) -> u64 {
    u64::from_le_bytes(hash[..8].try_into().expect("eight of sixteen"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_their_hash_and_copies_are_one() {
        let mut index = Index::default();
        for sequence in 1..=1_000_u64 {
            let mut hash = [7; 16];
            hash[8..].copy_from_slice(&(sequence % 500).to_le_bytes());
            index.push(sequence, hash);
        }
        assert_eq!((index.len(), index.copies, index.missing()), (500, 500, 500));
        let hash = index.entries()[41].hash;
        index.see(hash, 9);
        index.see(hash, 7);
        index.see(hash, 8);
        index.see([0; 16], 1);
        assert_eq!(index.entries()[41], Known { sequence: 42, hash, place: Some(7) });
        assert_eq!((index.missing(), index.highest()), (499, Some((7, hash))));
    }
}
