//! Parked events tried once more: each attempt is written down before it is made.

use std::time::Duration;

use crate::stream::{Entry, Parked, ParkedEntry, QueueError, RetryQueue};

/// What became of one parked event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redrove {
    /// On its way to be tried again; it stays parked until it is applied.
    Scheduled,
    /// Changed by somebody else meanwhile, and left as it is.
    PassedOver,
    /// Only its beginning is kept, so nothing can apply it.
    Cut,
}

/// What is to be done with an event that was on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It is as it was listed: the attempt is recorded, then made.
    Whole,
    /// The attempt is recorded, and perhaps made: to schedule it again takes the place of what is there.
    Attempt,
    PassOver,
}

/// Decides by what was listed, a revision and a count of attempts, and by what lies there now. Pure.
pub(super) fn due(listed: (u64, u32), found: (u64, u32)) -> Due {
    match found {
        found if found == listed => Due::Whole,
        // A worker that was stopped between the two, or whose answer was lost.
        (revision, attempts) if revision > listed.0 && attempts == listed.1 + 1 => Due::Attempt,
        _ => Due::PassOver,
    }
}

/// Has the workers try a parked event once more, from RETRY.
pub async fn redrive(
    parked: &Parked,
    retry: &RetryQueue,
    one: &ParkedEntry,
) -> Result<Redrove, QueueError> {
    let ParkedEntry { entry, revision, cut_from, .. } = one;
    // Its message was too large to be parked whole, and so it is for RETRY.
    if cut_from.is_some() {
        return Ok(Redrove::Cut);
    }
    // Counted before it is tried, so that no crash can hide an attempt.
    match parked.record_attempt(entry.generation, entry.id, *revision).await {
        Ok(_) => {}
        Err(QueueError::Conflict) => return Ok(Redrove::PassedOver),
        Err(error) => return Err(error),
    }
    schedule(retry, entry).await
}

/// Schedules an event whose attempt is recorded; `entry` is as it was before that.
pub(super) async fn schedule(retry: &RetryQueue, entry: &Entry) -> Result<Redrove, QueueError> {
    // What comes back counts its delivery, which is the attempt that was just recorded.
    let scheduled = retry.schedule(std::slice::from_ref(entry), |_| Duration::ZERO).await;
    scheduled.into_iter().collect::<Result<(), _>>()?;
    Ok(Redrove::Scheduled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_gone_on_with_and_what_others_changed_is_passed_over() {
        let listed = (7, 3);
        assert_eq!(due(listed, (7, 3)), Due::Whole);
        assert_eq!(due(listed, (9, 4)), Due::Attempt);
        for other in [(9, 3), (9, 5), (9, 1)] {
            assert_eq!(due(listed, other), Due::PassOver, "{other:?}");
        }
    }
}
