//! Asks the stream whether it still holds what it has acknowledged.

use crate::relay::marks::{PublishMark, PublishMarks};
use crate::stream::{EnsureError, Epoch, EventLog, GetError};

/// What the stream turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds everything through the newest mark, as far as can be told.
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
    /// The stream does not hold one of its marks.
    #[error("a message that was acknowledged is not there")]
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

/// Checks the stream: all marks if `thorough`, else its epoch and the newest mark, which is two requests.
pub async fn check(log: EventLog, question: Question) -> Result<Verdict, CheckError> {
    let Question { marks, published, thorough } = question;
    if let (false, Some(newest), Some(epoch)) = (thorough, marks.newest(), &marks.epoch)
        && matches!(log.state().await, Ok(state) if state.epoch.as_ref() == Some(epoch))
        && matches!(log.holds_id(newest.mark).await, Ok(true))
    {
        return Ok(Verdict::Sound { epoch: epoch.clone() });
    }
    let epoch = log.ensure().await?.epoch;
    let lost = |held, reason| Ok(Verdict::Lost { epoch: epoch.clone(), held, reason });
    if marks.newest().is_none() || marks.epoch.as_ref() != Some(&epoch) {
        // Without marks of this stream nothing is known to be in it.
        return match published {
            true if marks.epoch.is_none() => lost(None, Loss::Forgotten),
            true if marks.epoch.as_ref() != Some(&epoch) => lost(None, Loss::OtherStream),
            _ => Ok(Verdict::Sound { epoch }),
        };
    }
    match held(&log, &marks).await? {
        Held::All => Ok(Verdict::Sound { epoch }),
        Held::Through(mark) => lost(mark, Loss::Missing),
    }
}

/// Which marks a stream holds.
pub enum Held {
    All,
    /// Those through this one (inclusive), and not the next.
    Through(Option<PublishMark>),
}

/// Looks from old to new, because a stream that was cut back and grown again may hold the newest and not those
/// before it. A place without a message tells nothing (it was erased or trimmed) unless it is the newest.
pub async fn held(log: &EventLog, marks: &PublishMarks) -> Result<Held, GetError> {
    let state = log.state().await?;
    let mut held = None;
    for mark in marks.iter() {
        let within = mark.mark.sequence <= state.last_sequence;
        match log.get(mark.mark.sequence).await? {
            Some(message) if message.id_mark() == mark.mark => held = Some(mark),
            None if within && Some(mark) != marks.newest() => {}
            _ => return Ok(Held::Through(held)),
        }
    }
    Ok(Held::All)
}
