//! Asks the stream whether it still holds what it has acknowledged.

use crate::relay::marks::{PublishMark, PublishMarks};
use crate::stream::{EnsureError, Epoch, EventLog, GetError};

/// What the stream turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds everything through the newest mark.
    Sound {
        /// Its epoch.
        epoch: Epoch,
    },
    /// It lost something.
    Lost {
        /// Its epoch.
        epoch: Epoch,
        /// The newest mark it still holds; `None` means that everything must be published again.
        held: Option<PublishMark>,
        /// What was found.
        reason: Loss,
    },
}

/// How a loss shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The marks are missing, so nothing is known to be lost or held.
    #[error("nothing is remembered of the stream")]
    Forgotten,
    /// The stream was made anew.
    #[error("it is another stream")]
    OtherStream,
    /// The stream does not hold its newest mark.
    #[error("the last message that was acknowledged is not there")]
    Missing,
}

/// Why the stream could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It does not exist and could not be made, or its server is unfit.
    #[error(transparent)]
    Ensure(#[from] EnsureError),
    /// It does not answer.
    #[error(transparent)]
    Get(#[from] GetError),
}

impl CheckError {
    /// Says whether asking again may help without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Ensure(error) => error.is_retryable(),
            Self::Get(_) => true,
        }
    }
}

/// What a check goes by.
#[derive(Debug, Clone)]
pub struct Question {
    /// What was remembered.
    pub marks: PublishMarks,
    /// Whether anything was ever published, remembered or not.
    pub published: bool,
    /// Ensures the stream and its epoch first; otherwise that is done only if the newest mark fails.
    pub thorough: bool,
}

/// Checks the stream. Without `thorough` and without loss this is one get.
pub async fn check(log: EventLog, question: Question) -> Result<Verdict, CheckError> {
    let Question { marks, published, thorough } = question;
    if let (false, Some(newest), Some(epoch)) = (thorough, marks.newest(), &marks.epoch)
        && matches!(log.holds(newest.mark).await, Ok(true))
    {
        return Ok(Verdict::Sound { epoch: epoch.clone() });
    }
    let epoch = log.ensure().await?.epoch;
    let lost = |held, reason| Ok(Verdict::Lost { epoch: epoch.clone(), held, reason });
    let Some(newest) = marks.newest().filter(|_| marks.epoch.as_ref() == Some(&epoch)) else {
        // Without marks of this stream nothing is known to be in it.
        return match published {
            true if marks.epoch.is_none() => lost(None, Loss::Forgotten),
            true if marks.epoch.as_ref() != Some(&epoch) => lost(None, Loss::OtherStream),
            _ => Ok(Verdict::Sound { epoch }),
        };
    };
    if log.holds(newest.mark).await? {
        return Ok(Verdict::Sound { epoch });
    }
    let held = newest_held(&log, &marks).await?;
    lost(held, Loss::Missing)
}

async fn newest_held(
    log: &EventLog,
    marks: &PublishMarks,
) -> Result<Option<PublishMark>, GetError> {
    let state = log.state().await?;
    let mut tried = None;
    while let Some(mark) = marks.probe(tried, state.first_sequence, state.last_sequence) {
        if log.holds(mark.mark).await? {
            return Ok(Some(mark));
        }
        tried = Some(mark.mark.sequence);
    }
    Ok(None)
}
