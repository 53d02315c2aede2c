//! Why a graph could not be compared with its log.

use crate::generation::{ChangeError, GenerationId};
use crate::replay::ground::Unready;
use crate::store::{Failure, Remedy};
use crate::stream::{GetError, QueueError, ReadError};

/// Nothing was proved. What can be tried again begins anew: nothing of a verification is kept.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the log cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error("the log cannot be asked: {0}")]
    Ask(#[from] GetError),
    #[error("the log has no epoch yet: it was never made ready by a weir")]
    NoEpoch,
    #[error("the job is of another log ({job}) than the one that there is ({log}): verify anew")]
    OtherLog { job: String, log: String },
    #[error("there is no generation {0} any more; `weir generation list` names those there are")]
    NoGeneration(GenerationId),
    #[error("the generations cannot be asked: {0}")]
    Generations(#[from] ChangeError),
    #[error(
        "live stands still at {through} and what is verified ends at {wanted}: see whether a projector \
         follows the log, and whether its store answers (`weir status`)"
    )]
    Behind { through: u64, wanted: u64 },
    #[error("{0}")]
    Unready(#[from] Unready),
    #[error("the events that are set aside cannot be listed: {0}")]
    Aside(#[from] QueueError),
    #[error("the graph cannot be read: {0}")]
    Graph(#[from] Failure),
    #[error("the process is ending")]
    Ending,
}

impl VerifyError {
    /// Says whether the same again may help without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Read(_)
            | Self::Ask(_)
            | Self::NoEpoch
            | Self::Behind { .. }
            | Self::Generations(_)
            | Self::Ending => true,
            Self::OtherLog { .. } | Self::NoGeneration(_) => false,
            Self::Unready(unready) => !matches!(unready, Unready::Never(_)),
            Self::Aside(error) => error.is_retryable(),
            Self::Graph(failure) => matches!(failure.remedy, Remedy::Retry | Remedy::BackOff),
        }
    }
}
