//! Remembered places of a log, and how to tell whether they still exist. Pure.
//!
//! A stream can lose what it had acknowledged and then grow again over the same sequences. A place is
//! therefore a sequence and the hash of the message there, and beside the newest place older ones are
//! kept, two a power of two of the distance: few, and some survive whatever was cut off.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits;

/// The random name a stream is given when it is made: another stream of the same name has another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub String);

impl Epoch {
    /// Returns it as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A sequence and the hash of the message that stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Mark {
    /// The stream's sequence.
    pub sequence: u64,
    /// The first 16 bytes of [`message_hash`]'s function.
    pub hash: [u8; 16],
}

/// Hashes what makes a message: its subject, its id and its payload, each with its length (BLAKE3, first 16 bytes).
pub fn message_hash(subject: &str, message_id: Option<&str>, payload: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in [subject.as_bytes(), message_id.unwrap_or_default().as_bytes(), payload] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    hash
}

/// Thins places that are sorted from old to new: keeps the newest, and of every half of a power of two
/// of the distance to it the oldest. At most [`limits::MARKS`] are left, and the oldest of all is among them.
pub fn thin<T>(places: &mut Vec<T>, sequence: impl Fn(&T) -> u64) {
    let Some(newest) = places.last().map(&sequence) else {
        return;
    };
    let mut last_bucket = None;
    places.retain(|place| {
        let distance = newest.saturating_sub(sequence(place));
        let bucket = bucket(distance);
        let keep = bucket.is_none() || last_bucket != Some(bucket);
        last_bucket = Some(bucket);
        keep
    });
    while places.len() > limits::MARKS {
        places.remove(1);
    }
}

/// Numbers the halves of the powers of two; none for 0, which is the newest place itself.
fn bucket(distance: u64) -> Option<u32> {
    let exponent = distance.checked_ilog2()?;
    let upper_half = exponent > 0 && distance & (1 << (exponent - 1)) != 0;
    Some(2 * exponent + u32::from(upper_half))
}

/// The newest place and exponentially older ones, from old to new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Mark>", into = "Vec<Mark>")]
pub struct Marks {
    marks: Vec<Mark>,
}

/// Why bytes are not marks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarksError {
    /// The first byte names a form this version does not know.
    #[error("marks have the unknown form {0}")]
    UnknownForm(u8),
    /// The bytes end early or go on too long.
    #[error("marks have {actual} bytes instead of {expected}")]
    Length {
        /// What the count asks for.
        expected: usize,
        /// What is there.
        actual: usize,
    },
    /// More than [`limits::MARKS`], or not in rising order.
    #[error("marks are not in rising order, or more than {}", limits::MARKS)]
    Order,
}

/// The first byte of encoded marks. Numbers are never reused.
const FORM: u8 = 1;
const MARK_BYTES: usize = 24;

impl Marks {
    /// Remembers a newer place. Places at or after it are forgotten: the log has been read again from before them.
    pub fn push(&mut self, mark: Mark) {
        while self.marks.last().is_some_and(|last| last.sequence >= mark.sequence) {
            self.marks.pop();
        }
        self.marks.push(mark);
        thin(&mut self.marks, |mark| mark.sequence);
    }

    /// Returns the newest place.
    pub fn newest(&self) -> Option<Mark> {
        self.marks.last().copied()
    }

    /// Says which place to look at next: the newest below `tried` (exclusive; `None` at first) that the
    /// log can still hold, given its first and last sequence. `None` when no place is left.
    ///
    /// It must be asked from new to old: a log that was cut and has grown again may match anywhere
    /// below the cut and nowhere above it, and after an erasure it may fail at any place.
    pub fn probe(&self, tried: Option<u64>, first: u64, last: u64) -> Option<Mark> {
        let below = tried.unwrap_or(u64::MAX);
        let held = |mark: &&Mark| mark.sequence < below && (first..=last).contains(&mark.sequence);
        self.marks.iter().rev().find(held).copied()
    }

    /// Forgets every place after `sequence`.
    pub fn forget_after(&mut self, sequence: u64) {
        self.marks.retain(|mark| mark.sequence <= sequence);
    }

    /// Returns the places from old to new.
    pub fn as_slice(&self) -> &[Mark] {
        &self.marks
    }

    /// Appends the binary form: a byte for the form, one for the count, then sequence (little endian) and hash of each.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORM);
        out.push(self.marks.len() as u8);
        for mark in &self.marks {
            out.extend_from_slice(&mark.sequence.to_le_bytes());
            out.extend_from_slice(&mark.hash);
        }
    }

    /// Reads the binary form, which must be all of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, MarksError> {
        let [form, count, rest @ ..] = bytes else {
            return Err(MarksError::Length { expected: 2, actual: bytes.len() });
        };
        if *form != FORM {
            return Err(MarksError::UnknownForm(*form));
        }
        let expected = usize::from(*count) * MARK_BYTES;
        if rest.len() != expected {
            return Err(MarksError::Length { expected: expected + 2, actual: bytes.len() });
        }
        let (marks, _) = rest.as_chunks::<MARK_BYTES>();
        Self::try_from(marks.iter().map(decode_mark).collect::<Vec<_>>())
    }
}

fn decode_mark(bytes: &[u8; MARK_BYTES]) -> Mark {
    let (sequence, hash) = bytes.split_at(8);
    Mark {
        sequence: u64::from_le_bytes(sequence.try_into().expect("split at eight")),
        hash: hash.try_into().expect("sixteen are left"),
    }
}

impl TryFrom<Vec<Mark>> for Marks {
    type Error = MarksError;

    fn try_from(marks: Vec<Mark>) -> Result<Self, MarksError> {
        let rising = marks.is_sorted_by(|a, b| a.sequence < b.sequence);
        if rising && marks.len() <= limits::MARKS {
            Ok(Self { marks })
        } else {
            Err(MarksError::Order)
        }
    }
}

impl From<Marks> for Vec<Mark> {
    fn from(marks: Marks) -> Self {
        marks.marks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(sequence: u64) -> Mark {
        Mark { sequence, hash: [sequence as u8; 16] }
    }

    fn pushed(sequences: impl IntoIterator<Item = u64>) -> Marks {
        let mut marks = Marks::default();
        for sequence in sequences {
            marks.push(mark(sequence));
        }
        marks
    }

    fn arbitrary_marks() -> impl Strategy<Value = Marks> {
        let steps = prop_oneof![1_u64..10, 1_u64..100_000, 1_u64..1 << 50];
        prop::collection::vec(steps, 0..300).prop_map(|steps| {
            let sums = steps.into_iter().scan(0_u64, |sum, step| {
                *sum += step;
                Some(*sum)
            });
            pushed(sums)
        })
    }

    #[test]
    fn parts_of_a_message_cannot_be_moved_into_each_other() {
        let hash = message_hash("events.a", Some("b"), b"c");
        assert_ne!(hash, message_hash("events.ab", Some(""), b"c"));
        assert_ne!(hash, message_hash("events.a", Some("bc"), b""));
    }

    #[test]
    fn a_place_read_again_replaces_the_later_ones() {
        let mut marks = pushed([10, 20, 30]);
        marks.push(mark(20));
        assert_eq!(marks.newest(), Some(mark(20)));
        marks.forget_after(15);
        assert_eq!(marks.newest(), Some(mark(10)));
    }

    #[test]
    fn probing_goes_from_new_to_old_within_what_the_log_holds() {
        let marks = pushed([1, 100, 150, 170, 180]);
        assert_eq!(marks.probe(None, 1, 1_000), Some(mark(180)));
        assert_eq!(marks.probe(None, 1, 175), Some(mark(170)));
        assert_eq!(marks.probe(Some(170), 1, 175), Some(mark(150)));
        assert_eq!(marks.probe(Some(150), 120, 175), None);
        assert_eq!(marks.probe(None, 1, 0), None);
    }

    proptest! {
        #[test]
        fn marks_stay_few_and_keep_the_ends(count in 1_u64..3_000, step in 1_u64..1 << 40) {
            let marks = pushed((1..=count).map(|n| n * step));
            prop_assert!(marks.as_slice().len() <= limits::MARKS);
            prop_assert_eq!(marks.newest(), Some(mark(count * step)));
            prop_assert_eq!(marks.as_slice()[0], mark(step));
        }

        #[test]
        fn every_distance_has_a_mark_within_three_times_it(count in 1_u64..5_000) {
            let marks = pushed(1..=count);
            for distance in 1..count {
                let covered = marks.as_slice().iter().any(|mark| {
                    let at = count - mark.sequence;
                    (distance..=(3 * distance).min(count - 1)).contains(&at)
                });
                prop_assert!(covered, "distance {} of {}", distance, count);
            }
        }

        #[test]
        fn probing_visits_every_held_mark_once(marks in arbitrary_marks(), first: u64, length in 0_u64..1 << 62) {
            let last = first.saturating_add(length);
            let mut visited = Vec::new();
            let mut tried = None;
            while let Some(mark) = marks.probe(tried, first, last) {
                visited.push(mark);
                tried = Some(mark.sequence);
            }
            visited.reverse();
            let held: Vec<_> =
                marks.as_slice().iter().copied().filter(|m| (first..=last).contains(&m.sequence)).collect();
            prop_assert_eq!(visited, held);
        }

        #[test]
        fn both_encodings_come_back(marks in arbitrary_marks()) {
            let mut bytes = Vec::new();
            marks.encode(&mut bytes);
            prop_assert_eq!(Marks::decode(&bytes), Ok(marks.clone()));
            let json = serde_json::to_string(&marks).unwrap();
            prop_assert_eq!(serde_json::from_str::<Marks>(&json).unwrap(), marks);
        }

        #[test]
        fn damaged_bytes_are_refused_without_a_panic(marks in arbitrary_marks(), cut in 0_usize..2_000) {
            let mut bytes = Vec::new();
            marks.encode(&mut bytes);
            if cut < bytes.len() {
                prop_assert!(Marks::decode(&bytes[..cut]).is_err());
            }
            bytes.push(0);
            prop_assert!(Marks::decode(&bytes).is_err());
            bytes[0] = 9;
            prop_assert_eq!(Marks::decode(&bytes), Err(MarksError::UnknownForm(9)));
        }
    }

    #[test]
    fn marks_out_of_order_are_refused() {
        let json = serde_json::to_string(&[mark(2), mark(2)]).unwrap();
        assert!(serde_json::from_str::<Marks>(&json).is_err());
    }
}
