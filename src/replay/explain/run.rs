//! Reads the log for one question.

use super::explanation::Explanation;
use super::question::Question;
use super::trail::{Stood, Trail};
use crate::projection::Projection;
use crate::projector::Decoder;
use crate::replay::pass::{Lens, Pass};
use crate::stream::{EventLog, GetError, ReadError};

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error("the log cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error("the log cannot be asked: {0}")]
    Ask(#[from] GetError),
    #[error("the log has no epoch yet: it was never made ready by a weir")]
    NoEpoch,
}

impl ExplainError {
    /// Says whether the same again may help without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Read(error) => error.is_retryable(),
            Self::Ask(_) | Self::NoEpoch => true,
        }
    }
}

/// Reads the whole log, up to `to` (exclusive) if that is given, and tells which events made what is asked about.
///
/// `progress` is called with the last sequence that was read and the last there is.
pub async fn explain(
    log: &EventLog,
    decoder: &Decoder,
    projection: &Projection,
    question: &Question,
    to: Option<u64>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Explanation, ExplainError> {
    let state = log.state().await?;
    let epoch = state.epoch.ok_or(ExplainError::NoEpoch)?;
    let through =
        to.map_or(state.last_sequence, |to| state.last_sequence.min(to.saturating_sub(1)));
    let mut trail = Trail::new(question, projection.types());
    let mut undecodable = 0;
    let mut pass = Pass::new(log, &epoch, through);
    while let Some(messages) = pass.next().await? {
        let lens = Lens { decoder, projection };
        undecodable += lens.project(&messages, &epoch, |message, event, puts| {
            let stood = Stood { sequence: message.sequence, time_ms: message.time_ms };
            trail.take(stood, event, puts);
        });
        progress(messages.last().map_or(through, |last| last.sequence), through);
    }
    let read = pass.count();
    let (documents, more_documents) = trail.finish();
    Ok(Explanation {
        epoch: epoch.0,
        first_sequence: state.first_sequence,
        through,
        read,
        undecodable,
        missing: through - read,
        documents,
        more_documents,
    })
}
