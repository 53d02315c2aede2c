//! The account of a job: every sequence of its range in exactly one term, or the job has failed. Pure.

use super::job::{Chunk, Job, Tally};

/// What of an account does not close. Then something was read twice, or not at all, and weir is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("the chunk [{from}, {to}) is read up to {next} alone")]
    Unread { from: u64, to: u64, next: u64 },
    #[error("the chunks leave out or hold twice what begins at {at}")]
    Chunks { at: u64 },
    #[error(
        "of the {sequences} sequences of [{from}, {to}) {scanned} were read and {missing} are missing: {difference} too many or too few"
    )]
    Sequences { from: u64, to: u64, sequences: u64, scanned: u64, missing: u64, difference: u64 },
    #[error("`{term}` is {told} over the job and {counted} over its chunks")]
    Term { term: &'static str, told: u64, counted: u64 },
    #[error("the gaps of [{from}, {to}) hold {listed} sequences and {missing} are missing")]
    Gaps { from: u64, to: u64, listed: u64, missing: u64 },
}

impl Tally {
    fn terms(&self) -> [(&'static str, u64); 5] {
        [
            ("applied", self.applied),
            ("superseded", self.superseded),
            ("filtered", self.filtered),
            ("parked", self.parked),
            ("missing", self.missing),
        ]
    }
}

/// Sums the terms of all chunks.
pub fn sum(chunks: &[Chunk]) -> Tally {
    let mut sum = Tally::default();
    chunks.iter().for_each(|chunk| sum += chunk.tally);
    sum
}

/// Checks a chunk as far as it is read: `next − from = scanned + missing`.
pub fn check_chunk(chunk: &Chunk) -> Result<(), AccountError> {
    let Chunk { from, next, tally, .. } = chunk;
    let (sequences, told) = (next.saturating_sub(*from), tally.scanned() + tally.missing);
    let listed: u64 = chunk.gaps.iter().map(|(from, through)| through + 1 - from).sum();
    let cut = chunk.gaps.len() >= crate::limits::JOB_CHUNK_GAPS;
    if sequences != told {
        return Err(AccountError::Sequences {
            from: *from,
            to: *next,
            sequences,
            scanned: tally.scanned(),
            missing: tally.missing,
            difference: sequences.abs_diff(told),
        });
    }
    if listed > tally.missing || (listed < tally.missing && !cut) {
        let (to, missing) = (*next, tally.missing);
        return Err(AccountError::Gaps { from: *from, to, listed, missing });
    }
    Ok(())
}

/// Checks that all of a range is read, once, and that the job's terms are those of its chunks.
pub fn check(job: &Job) -> Result<(), AccountError> {
    let mut at = job.range.from;
    for chunk in &job.chunks {
        if chunk.from != at || chunk.to < chunk.from {
            return Err(AccountError::Chunks { at });
        }
        if chunk.next != chunk.to {
            let Chunk { from, to, next, .. } = *chunk;
            return Err(AccountError::Unread { from, to, next });
        }
        check_chunk(chunk)?;
        at = chunk.to;
    }
    if at != job.range.to.max(job.range.from) {
        return Err(AccountError::Chunks { at });
    }
    let counted = sum(&job.chunks);
    let terms = job.tally.terms().into_iter().zip(counted.terms());
    for ((term, told), (_, counted)) in terms {
        if told != counted {
            return Err(AccountError::Term { term, told, counted });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generation::GenerationId;
    use crate::replay::fold::Fate;
    use crate::replay::job::{Range, Verb};
    use crate::replay::request::Request;
    use crate::replay::split::split;

    /// A job that has read all of a log, of which every seventh sequence is gone.
    fn read(from: u64, length: u64) -> Job {
        let range = Range { from, to: from + length };
        let mut job = Job::of(Request::new(Verb::Replay), GenerationId::FIRST, range, "e", 1);
        job.chunks = split(range);
        for chunk in &mut job.chunks {
            let held = (chunk.from..chunk.to).filter(|sequence| sequence % 700 != 0);
            held.for_each(|sequence| chunk.take(sequence, Fate::Applied));
            chunk.pass_over(chunk.to);
        }
        job.tally = sum(&job.chunks);
        job
    }

    proptest! {
        #[test]
        fn what_is_read_once_closes_and_any_other_figure_does_not(
            from in 1..10_000u64, length in 0..30_000u64, term in 0..5usize, chunk in any::<prop::sample::Index>(),
        ) {
            let job = read(from, length);
            prop_assert_eq!(check(&job), Ok(()));
            let change = |tally: &mut Tally| match term {
                0 => tally.applied += 1,
                1 => tally.superseded += 1,
                2 => tally.filtered += 1,
                3 => tally.parked += 1,
                _ => tally.missing += 1,
            };
            let mut told = job.clone();
            change(&mut told.tally);
            let wrong = matches!(check(&told), Err(AccountError::Term { .. }));
            prop_assert!(wrong);
            if job.chunks.is_empty() {
                return Ok(());
            }
            let chunk = chunk.index(job.chunks.len());
            let mut counted = job.clone();
            change(&mut counted.chunks[chunk].tally);
            let wrong = matches!(check(&counted), Err(AccountError::Sequences { difference: 1, .. }));
            prop_assert!(wrong);
            let mut unread = job.clone();
            unread.chunks[chunk].next -= 1;
            let wrong = matches!(check(&unread), Err(AccountError::Unread { .. }));
            prop_assert!(wrong);
            let mut left_out = job;
            left_out.chunks.remove(chunk);
            let wrong = matches!(check(&left_out), Err(AccountError::Chunks { .. }));
            prop_assert!(wrong);
        }
    }

    #[test]
    fn a_gap_that_is_not_listed_does_not_close() {
        let mut job = read(1, 1_000);
        let chunk = &mut job.chunks[0];
        assert_eq!(chunk.gaps, [(700, 700)]);
        chunk.gaps.clear();
        let error = check(&job).unwrap_err();
        assert_eq!(error, AccountError::Gaps { from: 1, to: 1_001, listed: 0, missing: 1 });
    }
}
