//! What the relay remembers of the stream: where it stood when the WAL was published up to a place. Pure.
//!
//! A mark says: everything in the WAL through its sequence stands in the stream at or before its place.
//! So as long as the stream holds the message at that place, it holds all of them.

use crate::limits;
use crate::stream::position::thin;
use crate::stream::{Epoch, Mark};

/// A place of the WAL and the place of the stream that covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishMark {
    /// Everything through this WAL sequence (inclusive) …
    pub through: u64,
    /// … is in the stream at or before this.
    pub mark: Mark,
}

/// The marks of one stream, from old to new, exponentially thinned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishMarks {
    /// The stream they belong to; `None` before anything was published.
    pub epoch: Option<Epoch>,
    marks: Vec<PublishMark>,
}

/// Why bytes are not marks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarksFileError {
    /// The bytes do not begin as such a file does.
    #[error("it is no file of the relay's marks")]
    Form,
    /// The checksum differs.
    #[error("its checksum is wrong")]
    Checksum,
}

const MAGIC: &[u8; 5] = b"WRLY\x01";
const MARK_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;

impl PublishMarks {
    /// Begins to remember a stream.
    pub fn of(epoch: Epoch) -> Self {
        Self { epoch: Some(epoch), marks: Vec::new() }
    }

    /// Remembers that the WAL is published through a sequence.
    pub fn push(&mut self, through: u64, mark: Mark) {
        while self
            .marks
            .last()
            .is_some_and(|last| last.mark.sequence >= mark.sequence || last.through >= through)
        {
            self.marks.pop();
        }
        self.marks.push(PublishMark { through, mark });
        thin(&mut self.marks, |mark| mark.mark.sequence);
    }

    /// Returns the newest mark.
    pub fn newest(&self) -> Option<PublishMark> {
        self.marks.last().copied()
    }

    /// Returns the marks from old to new.
    pub fn iter(&self) -> impl Iterator<Item = PublishMark> {
        self.marks.iter().copied()
    }

    /// Forgets what was remembered after a WAL sequence.
    pub fn forget_after(&mut self, through: u64) {
        self.marks.retain(|mark| mark.through <= through);
    }

    /// Returns the file's bytes: `WRLY`, the form's number, the epoch and the marks with their lengths, CRC-32C.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let epoch = self.epoch.as_ref().map_or("", Epoch::as_str);
        out.push(epoch.len() as u8);
        out.extend_from_slice(epoch.as_bytes());
        out.push(self.marks.len() as u8);
        for PublishMark { through, mark } in &self.marks {
            out.extend_from_slice(&through.to_le_bytes());
            out.extend_from_slice(&mark.sequence.to_le_bytes());
            out.extend_from_slice(&mark.hash);
        }
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads the file's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, MarksFileError> {
        let (body, checksum) =
            bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(MarksFileError::Form)?;
        let body_after_magic = body.strip_prefix(MAGIC).ok_or(MarksFileError::Form)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
            return Err(MarksFileError::Checksum);
        }
        decode_body(body_after_magic).ok_or(MarksFileError::Form)
    }
}

fn decode_body(body: &[u8]) -> Option<PublishMarks> {
    let (epoch_bytes, rest) = body.split_first()?;
    let (epoch, rest) = rest.split_at_checked(usize::from(*epoch_bytes))?;
    let epoch = std::str::from_utf8(epoch).ok()?;
    let (count, rest) = rest.split_first()?;
    let (chunks, remainder) = rest.as_chunks::<MARK_BYTES>();
    if !remainder.is_empty() || chunks.len() != usize::from(*count) || chunks.len() > limits::MARKS
    {
        return None;
    }
    let marks: Vec<_> = chunks.iter().map(decode_mark).collect();
    let epoch = (!epoch.is_empty()).then(|| Epoch(epoch.to_owned()));
    Some(PublishMarks { epoch, marks })
}

fn decode_mark(bytes: &[u8; MARK_BYTES]) -> PublishMark {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let hash = bytes[16..].try_into().expect("sixteen bytes");
    PublishMark { through: number(0), mark: Mark { sequence: number(8), hash } }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(sequence: u64) -> Mark {
        Mark { sequence, hash: [sequence as u8; 16] }
    }

    fn marks(steps: &[(u64, u64)]) -> PublishMarks {
        let mut marks = PublishMarks::of(Epoch("e".repeat(32)));
        let (mut through, mut place) = (0, 0);
        for (wal, stream) in steps {
            through += wal;
            place += stream;
            marks.push(through, mark(place));
        }
        marks
    }

    #[test]
    fn a_place_that_covers_more_of_the_wal_replaces_the_mark() {
        let mut marks = marks(&[(10, 10), (10, 10)]);
        marks.push(25, mark(20));
        assert_eq!(marks.newest(), Some(PublishMark { through: 25, mark: mark(20) }));
        assert_eq!(marks.iter().next(), Some(PublishMark { through: 10, mark: mark(10) }));
        marks.forget_after(24);
        assert_eq!(marks.newest().unwrap().through, 10);
    }

    proptest! {
        #[test]
        fn the_file_comes_back(steps in prop::collection::vec((1_u64..1000, 1_u64..100_000), 0..200)) {
            let marks = marks(&steps);
            prop_assert_eq!(PublishMarks::decode(&marks.encode()), Ok(marks));
        }

        #[test]
        fn a_damaged_file_is_refused(
            steps in prop::collection::vec((1_u64..1000, 1_u64..1000), 0..9), at: prop::sample::Index, bit in 0_u8..8,
        ) {
            let bytes = marks(&steps).encode();
            let cut = at.index(bytes.len());
            prop_assert!(PublishMarks::decode(&bytes[..cut]).is_err());
            let mut flipped = bytes.clone();
            flipped[cut] ^= 1_u8 << bit;
            prop_assert!(PublishMarks::decode(&flipped).is_err());
        }

        #[test]
        fn marks_rise_in_both_logs_and_stay_few(steps in prop::collection::vec((0_u64..9, 0_u64..9), 1..300)) {
            let marks = marks(&steps);
            prop_assert!(marks.marks.len() <= limits::MARKS);
            prop_assert!(marks.marks.is_sorted_by(|a, b| a.through < b.through && a.mark.sequence < b.mark.sequence));
        }
    }
}
