//! Why nothing can be planned.

use crate::generation::{ChangeError, GenerationId};
use crate::replay::jobs::{Collision, JobError};
use crate::replay::point::NoPlace;
use crate::replay::promotion::Refused;
use crate::replay::wanted::UnknownType;
use crate::stream::{GetError, QueueError};

/// What is wrong with a request, or with the moment.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    #[error(transparent)]
    UnknownType(#[from] UnknownType),
    #[error(
        "the range is empty: it begins at {from} ({from_text}) and ends before {to} ({to_text})"
    )]
    Empty { from: u64, from_text: String, to: u64, to_text: String },
    #[error(
        "the log begins at sequence {first} and does not hold what came before: accept that with --allow-truncated, or have a replay begin there with --from {first}"
    )]
    Truncated { first: u64 },
    #[error("live is at the end of the log: there is nothing to jump over")]
    NothingToJump,
    #[error("there is no generation {0}: `weir generation list` shows those there are")]
    UnknownGeneration(GenerationId),
    #[error("generation {0} exists already: leave the name out, and the next free one is taken")]
    Exists(GenerationId),
    #[error("generation {0} is being retired")]
    Retiring(GenerationId),
    #[error("generation {id} holds the log below {as_of} alone: nothing else may be applied to it")]
    AsOf { id: GenerationId, as_of: u64 },
    #[error("which generation? Name one; `weir generation list` shows those there are")]
    NoGeneration,
    /// The request asks for what its verb cannot do.
    #[error("{0}")]
    Meaningless(String),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Collides(#[from] Collision),
    #[error("the log of events does not exist yet: nothing was published")]
    NoLog,
    #[error("this cannot be planned now: {0}")]
    Unavailable(String),
}

impl From<GetError> for PlanError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Gone => Self::NoLog,
            GetError::Unavailable(text) => Self::Unavailable(text),
        }
    }
}

impl From<ChangeError> for PlanError {
    fn from(error: ChangeError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<QueueError> for PlanError {
    fn from(error: QueueError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<JobError> for PlanError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Collides(collision) => Self::Collides(collision),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
