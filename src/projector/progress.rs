//! How far a graph has read its log, and where to go on.
//!
//! Pure. A place is believed only while the log still holds the message that was seen there; what
//! was read after the newest such place is read again, which is always safe.

use crate::stream::{Epoch, Mark, Marks};

use super::Intervals;

/// What of a log a graph holds. Persisted with the graph it speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Absent before anything was read.
    epoch: Option<Epoch>,
    marks: Marks,
    applied: Intervals,
}

/// Where to go on reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The first sequence to read.
    pub from: u64,
    /// The message before it, if one is known.
    pub after: Option<Mark>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgressError {
    #[error("the progress has the unknown form {0}")]
    UnknownForm(u8),
    #[error("the progress is damaged")]
    Damaged,
}

/// The first byte of the binary form. Numbers are never reused.
const FORM: u8 = 1;

impl Progress {
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    pub fn epoch(&self) -> Option<&Epoch> {
        self.epoch.as_ref()
    }

    /// Through which sequence all of the log is applied (inclusive), or gone from it; 0 for nothing.
    pub fn applied_through(&self) -> u64 {
        self.applied.first_missing(1) - 1
    }

    /// Goes back to what the log and this progress still have in common.
    ///
    /// `matching` is the newest of [`Progress::marks`] that the log of `epoch` still holds. What lies before
    /// `begin` is left to somebody else, as long as nothing that was read has gone.
    pub fn resume(&mut self, epoch: &Epoch, matching: Option<Mark>, begin: u64) -> Resume {
        let fresh = self.epoch.is_none();
        let known = self.epoch.as_ref() == Some(epoch);
        let common = matching.filter(|_| known);
        let whole = fresh || common.is_some() && common == self.marks.newest();
        self.epoch = Some(epoch.clone());
        if let Some(mark) = common {
            self.marks.forget_after(mark.sequence);
            // If nothing has gone, others may have applied what lies behind the newest mark.
            if !whole {
                self.applied.forget_after(mark.sequence);
            }
        } else if !fresh {
            self.marks = Marks::default();
            self.applied = Intervals::default();
        }
        let from = self.applied.first_missing(if whole { begin.max(1) } else { 1 });
        Resume { from, after: common.filter(|mark| mark.sequence + 1 == from) }
    }

    /// Remembers a message that is there, and was not read.
    pub fn remember(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// Notes that everything from `from` through the message at `last` has been applied, but for the
    /// sequences in `left` (rising), which will be read again.
    pub fn advance(&mut self, from: u64, last: Mark, left: &[u64]) {
        let mut from = from;
        for sequence in left {
            self.applied.insert(from, sequence - 1);
            from = sequence + 1;
        }
        self.applied.insert(from, last.sequence);
        self.marks.push(last);
    }

    /// Notes that somebody else has applied everything from `from` through `through` (inclusive).
    pub fn note(&mut self, from: u64, through: u64) {
        self.applied.insert(from, through);
    }

    /// The first sequence from `from` on that is not applied.
    pub fn first_missing(&self, from: u64) -> u64 {
        self.applied.first_missing(from)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORM];
        let epoch = self.epoch.as_ref().map_or("", Epoch::as_str);
        out.extend_from_slice(&(epoch.len() as u16).to_le_bytes());
        out.extend_from_slice(epoch.as_bytes());
        out.extend_from_slice(&(self.applied.ranges().len() as u32).to_le_bytes());
        for (from, through) in self.applied.ranges() {
            out.extend_from_slice(&from.to_le_bytes());
            out.extend_from_slice(&through.to_le_bytes());
        }
        self.marks.encode(&mut out);
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, ProgressError> {
        match bytes.first() {
            Some(&FORM) => Self::decode_body(&bytes[1..]).ok_or(ProgressError::Damaged),
            Some(form) => Err(ProgressError::UnknownForm(*form)),
            None => Err(ProgressError::Damaged),
        }
    }

    fn decode_body(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (epoch, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let epoch = std::str::from_utf8(epoch).ok()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (ranges, rest) =
            rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(16)?)?;
        let (pairs, _) = ranges.as_chunks::<16>();
        let number = |half: &[u8]| half.try_into().map(u64::from_le_bytes).ok();
        let ranges: Option<Vec<_>> =
            pairs.iter().map(|pair| Some((number(&pair[..8])?, number(&pair[8..])?))).collect();
        Some(Self {
            epoch: (!epoch.is_empty()).then(|| Epoch(epoch.to_owned())),
            applied: Intervals::from_ranges(ranges?)?,
            marks: Marks::decode(rest).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark(sequence: u64, seed: u8) -> Mark {
        Mark { sequence, hash: [seed; 16] }
    }

    fn newest_common(progress: &Progress, log: &[u8]) -> Option<Mark> {
        let mut tried = None;
        while let Some(mark) = progress.marks().probe(tried, 1, log.len() as u64) {
            if log[mark.sequence as usize - 1] == mark.hash[0] {
                return Some(mark);
            }
            tried = Some(mark.sequence);
        }
        None
    }

    proptest! {
        /// A log that loses its end and grows again with other messages, any number of times.
        #[test]
        fn nothing_that_a_log_holds_is_skipped(
            steps in prop::collection::vec((0..60usize, prop::collection::vec(any::<u8>(), 1..40), 1..9usize), 1..8),
        ) {
            let epoch = Epoch("e".to_owned());
            let mut progress = Progress::default();
            let mut log: Vec<u8> = Vec::new();
            // What was applied, as it was when it was applied.
            let mut applied: Vec<Option<u8>> = Vec::new();
            for (keep, grow, batch) in steps {
                log.truncate(keep);
                log.extend(grow);
                let resume = progress.resume(&epoch, newest_common(&progress, &log), 1);
                prop_assert!(resume.from as usize <= log.len() + 1);
                let mut from = resume.from as usize;
                applied.resize(log.len(), None);
                while from <= log.len() {
                    let last = (from + batch - 1).min(log.len());
                    for sequence in from..=last {
                        applied[sequence - 1] = Some(log[sequence - 1]);
                    }
                    progress.advance(from as u64, mark(last as u64, log[last - 1]), &[]);
                    from = last + 1;
                }
                prop_assert_eq!(progress.applied_through() as usize, log.len());
                // A one-byte hash can collide at the place that was looked at; everywhere else it is exact.
                let exact = applied.iter().zip(&log).filter(|(seen, held)| **seen == Some(**held)).count();
                let collided = log.len() - exact;
                prop_assert!(collided == 0 || resume.after.is_some());
            }
        }

        #[test]
        fn the_binary_form_comes_back(ranges in prop::collection::vec((1..9u64, 1..9u64), 0..6), marks in prop::collection::vec(1..99u64, 0..9)) {
            let mut progress = Progress::default();
            progress.resume(&Epoch("an epoch".to_owned()), None, 1);
            let mut from = 0;
            for (gap, length) in ranges {
                from += gap + 1;
                progress.applied.insert(from, from + length);
                from += length;
            }
            marks.into_iter().for_each(|sequence| progress.marks.push(mark(sequence, 7)));
            let bytes = progress.encode();
            prop_assert_eq!(Progress::decode(&bytes), Ok(progress));
            for cut in 0..bytes.len() {
                prop_assert!(Progress::decode(&bytes[..cut]).is_err());
            }
        }
    }

    #[test]
    fn what_was_left_out_is_read_again() {
        let mut progress = Progress::default();
        let epoch = Epoch("a".to_owned());
        progress.resume(&epoch, None, 1);
        progress.advance(1, mark(10, 1), &[1, 4, 5, 10]);
        assert_eq!(progress.applied.ranges(), [(2, 3), (6, 9)]);
        assert_eq!(progress.resume(&epoch, Some(mark(10, 1)), 1), Resume { from: 1, after: None });
        progress.advance(1, mark(3, 1), &[]);
        assert_eq!(progress.resume(&epoch, Some(mark(10, 1)), 1).from, 4);
    }

    #[test]
    fn another_epoch_begins_at_the_first_message() {
        let mut progress = Progress::default();
        let a = Epoch("a".to_owned());
        progress.resume(&a, None, 1);
        progress.advance(1, mark(10, 1), &[]);
        assert_eq!(progress.applied_through(), 10);
        assert_eq!(
            progress.clone().resume(&a, Some(mark(10, 1)), 1),
            Resume { from: 11, after: Some(mark(10, 1)) }
        );
        assert_eq!(
            progress.resume(&Epoch("b".to_owned()), Some(mark(10, 1)), 1),
            Resume { from: 1, after: None }
        );
        assert_eq!(progress.applied_through(), 0);
    }

    #[test]
    fn what_is_left_to_others_is_read_after_all_if_the_log_has_lost_something() {
        let epoch = Epoch("a".to_owned());
        let mut progress = Progress::default();
        progress.note(3, 5);
        assert_eq!(progress.resume(&epoch, None, 11), Resume { from: 11, after: None });
        progress.remember(mark(10, 1));
        assert_eq!(progress.resume(&epoch, Some(mark(10, 1)), 11).from, 11);
        progress.advance(11, mark(20, 1), &[]);
        assert_eq!(progress.resume(&epoch, Some(mark(20, 1)), 11).from, 21);
        assert_eq!(progress.applied.ranges(), [(3, 5), (11, 20)]);
        // The newest mark does not hold any more.
        assert_eq!(progress.clone().resume(&epoch, Some(mark(10, 1)), 11).from, 1);
        assert_eq!(progress.clone().resume(&epoch, None, 11).from, 1);
        assert_eq!(progress.resume(&Epoch("b".to_owned()), None, 11).from, 1);
        assert!(progress.applied.ranges().is_empty());
    }
}
