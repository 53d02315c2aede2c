//! Reads the stream to see which entries it has, and where it has nothing.

use tokio::time::{Instant, sleep};

use crate::limits;
use crate::relay::check::{Held, held};
use crate::relay::marks::{PublishMark, PublishMarks};
use crate::relay::reconcile::gaps::Gaps;
use crate::relay::reconcile::index::Index;
use crate::relay::reconcile::report::Stage;
use crate::relay::reconcile::run::Told;
use crate::stream::{Epoch, EventLog, GetError, LogState, ReadError};

/// What the relay remembers and the stream still holds, from old to new.
pub async fn trusted(
    log: &EventLog,
    marks: &PublishMarks,
    epoch: &Epoch,
) -> Result<PublishMarks, GetError> {
    let mut trusted = marks.clone();
    if marks.epoch.as_ref() != Some(epoch) {
        return Ok(PublishMarks::of(epoch.clone()));
    }
    if let Held::Through(through) = held(log, marks).await? {
        trusted.forget_after(through.map_or(0, |mark| mark.through));
    }
    Ok(trusted)
}

/// Where to begin: what the WAL has from a sequence on stands after the newest mark before it, as a rule.
fn sensible_place(marks: &PublishMarks, from: u64) -> Option<PublishMark> {
    marks.iter().filter(|mark| mark.through < from).last()
}

/// Sees what of the index the stream has, and returns where it has nothing; all of it is known only if something
/// is missing. It reads from a sensible place, and the rest only for what is not found there.
pub async fn survey(
    log: &EventLog,
    state: &LogState,
    marks: &PublishMarks,
    index: &mut Index,
    tell: &mut dyn FnMut(Told),
) -> Result<Gaps, ReadError> {
    let Some(oldest) = index.entries().first().filter(|_| state.messages > 0) else {
        return Ok(Gaps::default());
    };
    let begin = match sensible_place(marks, oldest.sequence) {
        // Only a message that is there ends the wait of a reader that begins at it.
        Some(mark) if log.holds_id(mark.mark).await? => mark.mark.sequence,
        _ => state.first_sequence,
    };
    let later = read(log, state, begin..state.last_sequence + 1, index, tell).await?;
    if index.missing() == 0 || begin <= state.first_sequence {
        return Ok(later);
    }
    let mut gaps = read(log, state, state.first_sequence..begin, index, tell).await?;
    gaps.append(later, limits::RECONCILE_GAPS);
    Ok(gaps)
}

/// Reads a range at whose beginning, or after it, there is a message; notes what is missing within.
async fn read(
    log: &EventLog,
    state: &LogState,
    range: std::ops::Range<u64>,
    index: &mut Index,
    tell: &mut dyn FnMut(Told),
) -> Result<Gaps, ReadError> {
    let mut gaps = Gaps::default();
    let mut reader = log.reader(range.start);
    if let Some(epoch) = &state.epoch {
        reader = reader.expecting(epoch.clone(), None);
    }
    let (mut next, mut silent_since) = (range.start, Instant::now());
    while next < range.end {
        let batch = match reader.next().await {
            Ok(batch) => batch,
            Err(error)
                if error.is_retryable() && silent_since.elapsed() < limits::RECONCILE_PATIENCE =>
            {
                sleep(limits::LOG_RETRY).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        silent_since = Instant::now();
        for message in &batch.messages {
            if message.sequence >= range.end {
                break;
            }
            gaps.push(next, message.sequence - 1, limits::RECONCILE_GAPS);
            next = message.sequence + 1;
            index.see(message.id_mark().hash, message.sequence);
        }
        let done = next.saturating_sub(range.start);
        tell(Told::Progress { stage: Stage::Stream, done, of: Some(range.end - range.start) });
        let beyond = batch.messages.last().is_some_and(|last| last.sequence >= range.end);
        if beyond || batch.pending == 0 {
            break;
        }
    }
    gaps.push(next, range.end - 1, limits::RECONCILE_GAPS);
    Ok(gaps)
}
