//! Parked events tried once more: each attempt is written down before it is made.

use std::time::Duration;

use crate::stream::{Parked, ParkedEntry, QueueError, RetryQueue};

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
    // What comes back counts its delivery, which is the attempt that was just recorded.
    let scheduled = retry.schedule(std::slice::from_ref(entry), |_| Duration::ZERO).await;
    scheduled.into_iter().collect::<Result<(), _>>()?;
    Ok(Redrove::Scheduled)
}
