//! One job in this process's hands, and why it may have to be put down.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::runner::Shared;
use crate::replay::ground::{Ground, Unready};
use crate::replay::job::{Job, JobId};
use crate::replay::jobs::{JobError, JobsWatch};
use crate::replay::state::IllegalMove;
use crate::stream::GetError;

/// Why a job is put down before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Halt {
    /// The process ends, or its lease is lost: somebody else goes on.
    Stop,
    /// Somebody paused, cancelled or took it.
    Asked,
    /// It may go on later, here or elsewhere.
    Wait(String),
    /// Another process may go on.
    Elsewhere(String),
    /// It will not go on.
    Failed(String),
}

impl From<Unready> for Halt {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::Elsewhere(text) => Self::Elsewhere(text),
            Unready::Later(text) => Self::Wait(text),
            Unready::Never(text) => Self::Failed(text),
        }
    }
}

impl From<JobError> for Halt {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Conflict | JobError::Unavailable(_) => Self::Wait(error.to_string()),
            // It is not ours any more, or not where we thought it was.
            _ => Self::Asked,
        }
    }
}

impl From<GetError> for Halt {
    fn from(error: GetError) -> Self {
        Self::Wait(error.to_string())
    }
}

/// A job that this process has taken.
pub(super) struct Hand<G> {
    pub shared: Arc<Shared<G>>,
    pub id: JobId,
    pub fence: u64,
    pub stop: CancellationToken,
    pub watch: JobsWatch,
}

impl<G: Ground> Hand<G> {
    /// Changes what is written of the job, unless another worker has taken it.
    pub async fn write(
        &self,
        change: impl FnMut(&mut Job) -> Result<(), IllegalMove>,
    ) -> Result<Job, Halt> {
        Ok(self.shared.jobs.change_as(&self.id, self.fence, change).await?)
    }

    /// Writes down what it waits for; nothing if that is written already.
    pub async fn note(&self, note: Option<String>) -> Result<Job, Halt> {
        let note = |job: &mut Job| {
            job.note.clone_from(&note);
            Ok(())
        };
        self.write(note).await
    }

    /// Waits until the job has to be put down.
    pub async fn halted(&self) -> Halt {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Halt::Stop,
            () = self.asked() => Halt::Asked,
        }
    }

    /// Does something unless the job has to be put down before it is done.
    pub async fn unless_halted<T>(&self, doing: impl Future<Output = T>) -> Result<T, Halt> {
        tokio::select! {
            biased;
            halt = self.halted() => Err(halt),
            done = doing => Ok(done),
        }
    }

    async fn asked(&self) {
        let mut seen = self.watch.receiver();
        loop {
            seen.borrow_and_update();
            if self.watch.job(&self.id).is_some_and(|job| !self.is_ours(&job)) {
                return;
            }
            if seen.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// What is followed may be older than what was written when the job was taken.
    fn is_ours(&self, job: &Job) -> bool {
        job.run.fence < self.fence || (job.run.fence == self.fence && job.state.is_runnable())
    }
}
