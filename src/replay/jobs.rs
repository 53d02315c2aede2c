//! The jobs as all processes see them: one key each in a KV bucket, changed by compare-and-swap alone.
//!
//! An operator's command and a worker's progress are both a pure change of what is written now, so neither
//! overwrites the other.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::collide::collision;
use super::job::{Control, Job, JobId};
use super::state::{IllegalMove, Move};
use crate::clock;
use crate::limits::{JOB_WRITE_PAUSE, JOB_WRITES, JOBS_KEPT};
use crate::stream::{KvStore, KvView, KvWatch, QueueError};

/// The bucket of jobs; clones share it.
#[derive(Clone)]
pub struct Jobs {
    kv: KvStore,
}

/// Why a job was not found, made or changed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("there is no job {0:?}: `weir job list` shows those there are")]
    NoSuchJob(String),
    #[error("{part:?} may be any of {}: give more of the id", ids(.found))]
    Ambiguous { part: String, found: Vec<JobId> },
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    /// Another job is in its way.
    #[error("{0}")]
    Collides(#[from] Collision),
    /// Another worker has taken it.
    #[error("another worker has taken the job")]
    Fenced,
    #[error("somebody else changes the job all the time; try again")]
    Conflict,
    #[error("the job {0} was written by another version of weir and cannot be read by this one")]
    Unreadable(JobId),
    #[error("the jobs cannot be reached now: {0}")]
    Unavailable(QueueError),
}

/// Why a job cannot be begun beside another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job {other} ({what}) is in the way: wait for it, or `weir job cancel {other}`")]
pub struct Collision {
    pub other: JobId,
    pub what: String,
}

impl From<QueueError> for JobError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Conflict => Self::Conflict,
            other => Self::Unavailable(other),
        }
    }
}

fn ids(found: &[JobId]) -> String {
    let ids: Vec<&str> = found.iter().take(5).map(JobId::as_str).collect();
    ids.join(", ")
}

impl Jobs {
    pub fn new(kv: KvStore) -> Self {
        Self { kv }
    }

    /// Makes the bucket if there is none.
    pub async fn ensure(&self) -> Result<(), JobError> {
        Ok(self.kv.ensure().await?)
    }

    /// Writes a new job, unless another one that is not over is in its way.
    pub async fn create(&self, job: &Job) -> Result<(), JobError> {
        let others = self.list().await?;
        if let Some(collision) = collision(job, &others) {
            return Err(collision.into());
        }
        self.kv.create(&key(&job.id), encode(job)).await?;
        self.sweep(&others).await;
        Ok(())
    }

    /// Returns a job by its id, or by a part of it that no other job's has.
    pub async fn get(&self, part: &str) -> Result<Job, JobError> {
        if is_an_id(part)
            && let Some((value, _)) = self.kv.get(&format!("{JOB}{part}")).await?
        {
            return decode(&JobId(part.to_owned()), &value);
        }
        let mut found: Vec<Job> = self.list().await?;
        found.retain(|job| job.id.as_str().contains(part));
        match found.len() {
            1 if !part.is_empty() => Ok(found.remove(0)),
            0 => Err(JobError::NoSuchJob(part.chars().take(80).collect())),
            _ => {
                let found = found.into_iter().map(|job| job.id).collect();
                Err(JobError::Ambiguous { part: part.chars().take(80).collect(), found })
            }
        }
    }

    /// Returns all jobs that can be read, the newest first.
    pub async fn list(&self) -> Result<Vec<Job>, JobError> {
        let entries = self.kv.entries(JOB).await?;
        Ok(sorted(entries.values().map(|(value, _)| value)))
    }

    /// Begins to follow the jobs.
    pub fn watch(&self) -> JobsWatch {
        JobsWatch { watch: self.kv.watch() }
    }

    /// Changes what is written of a job now: again on what somebody else wrote in between, a bounded number of
    /// times. What the change refuses, nobody writes.
    pub async fn change<E>(
        &self,
        id: &JobId,
        mut change: impl FnMut(&mut Job) -> Result<(), E>,
    ) -> Result<Job, JobError>
    where
        JobError: From<E>,
    {
        for turn in 0..JOB_WRITES {
            tokio::time::sleep(JOB_WRITE_PAUSE * turn as u32).await;
            let found = self.kv.get(&key(id)).await?;
            let (value, revision) = found.ok_or_else(|| JobError::NoSuchJob(id.to_string()))?;
            let before = decode(id, &value)?;
            let mut job = before.clone();
            change(&mut job)?;
            if job == before {
                return Ok(job);
            }
            match self.kv.update(&key(id), encode(&job), revision).await {
                Ok(_) => return Ok(job),
                Err(QueueError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(JobError::Conflict)
    }

    /// The same by the worker of this fence, and by no other.
    pub async fn change_as(
        &self,
        id: &JobId,
        fence: u64,
        mut change: impl FnMut(&mut Job) -> Result<(), IllegalMove>,
    ) -> Result<Job, JobError> {
        self.change(id, |job| {
            if job.run.fence != fence {
                return Err(JobError::Fenced);
            }
            change(job).map_err(JobError::from)
        })
        .await
    }

    pub async fn pause(&self, id: &JobId) -> Result<Job, JobError> {
        self.make(id, Move::Pause).await
    }

    pub async fn resume(&self, id: &JobId) -> Result<Job, JobError> {
        self.make(id, Move::Resume).await
    }

    pub async fn cancel(&self, id: &JobId) -> Result<Job, JobError> {
        self.make(id, Move::Cancel).await
    }

    /// Changes what operators may change while it runs.
    pub async fn limit(&self, id: &JobId, control: Control) -> Result<Job, JobError> {
        self.change(id, |job| {
            job.control = control;
            job.changed_ms = clock::now_ms();
            Ok::<_, JobError>(())
        })
        .await
    }

    async fn make(&self, id: &JobId, what: Move) -> Result<Job, JobError> {
        self.change(id, |job| job.make(what, clock::now_ms())).await
    }

    /// Forgets the oldest jobs that are over, beyond those that are kept. What fails is done the next time.
    async fn sweep(&self, newest_first: &[Job]) {
        let over = newest_first.iter().filter(|job| job.state.is_over());
        for job in over.skip(JOBS_KEPT) {
            if let Err(error) = self.kv.remove(&key(&job.id), None).await {
                tracing::debug!(job = %job.id, %error, "an old job stays for now");
            }
        }
    }

    pub(super) fn kv(&self) -> &KvStore {
        &self.kv
    }
}

/// The jobs as they change, for as long as this or a clone of it lives.
#[derive(Clone)]
pub struct JobsWatch {
    watch: KvWatch,
}

impl JobsWatch {
    /// Returns a receiver that sees every change.
    pub fn receiver(&self) -> watch::Receiver<KvView> {
        self.watch.receiver()
    }

    /// All jobs as they are known now, the newest first.
    pub fn jobs(&self) -> Vec<Job> {
        let view = self.watch.view();
        let jobs = view.entries.iter().filter(|(key, _)| key.starts_with(JOB));
        sorted(jobs.map(|(_, (value, _))| value))
    }

    /// One job as it is known now.
    pub fn job(&self, id: &JobId) -> Option<Job> {
        let entries: Arc<_> = self.watch.view().entries;
        let (value, _) = entries.get(&key(id))?;
        decode(id, value).ok()
    }
}

const JOB: &str = "job.";

fn key(id: &JobId) -> String {
    format!("{JOB}{id}")
}

fn is_an_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn sorted<'v>(values: impl Iterator<Item = &'v Bytes>) -> Vec<Job> {
    let mut jobs: Vec<Job> =
        values.filter_map(|value| serde_json::from_slice(value).ok()).collect();
    jobs.sort_by(|a, b| (b.created_ms, &b.id).cmp(&(a.created_ms, &a.id)));
    jobs
}

fn encode(job: &Job) -> Bytes {
    serde_json::to_vec(job).expect("jobs have a JSON form").into()
}

fn decode(id: &JobId, value: &Bytes) -> Result<Job, JobError> {
    serde_json::from_slice(value).map_err(|_| JobError::Unreadable(id.clone()))
}
