//! The generation of a new projection: rebuilt, verified and promoted by the jobs that there are for that.
//!
//! A job is known again by its reason, which names the rollout: after a crash it is found, not asked for twice.

use super::provider::{Admin, AdminFailure};
use crate::replay::{Job, Request, State, Verb};

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    /// Done, and what was wanted answers.
    Promoted,
    NotYet(String),
    Failed(String),
}

/// Who asks, as jobs tell it.
const BY: &str = "weir rollout";

/// Has the generation of the new projection made, verified and promoted; tells how far that is.
pub(super) async fn made(
    admin: &dyn Admin,
    url: &str,
    rollout: &str,
) -> Result<Made, AdminFailure> {
    let why = format!("rollout {rollout}");
    let request = Request { promote: true, ..Request::new(Verb::Rebuild) };
    let job = asked(admin, url, Request { why: Some(why), ..request }).await?;
    Ok(standing(&job))
}

/// Has the generation before answer again.
pub(super) async fn back(
    admin: &dyn Admin,
    url: &str,
    rollout: &str,
) -> Result<Made, AdminFailure> {
    let why = format!("rollout {rollout} goes back");
    let request = Request::new(Verb::Rollback);
    let job = asked(admin, url, Request { why: Some(why), ..request }).await?;
    Ok(standing(&job))
}

/// The job that this rollout asked for, or asks for now.
async fn asked(admin: &dyn Admin, url: &str, request: Request) -> Result<Job, AdminFailure> {
    let same = |job: &Job| job.verb == request.verb && job.request.why == request.why;
    match admin.jobs(url).await?.into_iter().find(same) {
        Some(job) => Ok(job),
        None => admin.begin_job(url, &Request { by: Some(BY.to_owned()), ..request }).await,
    }
}

fn standing(job: &Job) -> Made {
    let differs = job.report.as_ref().is_some_and(|report| report.differences() > 0);
    let note = || job.note.clone().unwrap_or_else(|| format!("{} is {}", job.id, job.state));
    match job.state {
        State::Failed | State::Cancelled => Made::Failed(note()),
        _ if differs => Made::Failed(format!(
            "{} differs from the log: weir job show {}",
            job.generation, job.id
        )),
        State::Promoted => Made::Promoted,
        State::Done if job.verb != Verb::Rebuild => Made::Promoted,
        State::Done => {
            Made::NotYet(format!("{} is made, and waits to be promoted", job.generation))
        }
        State::Paused => Made::NotYet(format!("{} is paused: weir job resume {}", job.id, job.id)),
        State::Planned | State::Running | State::CatchingUp => {
            Made::NotYet(format!("{} is made by {}", job.generation, job.id))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::generation::GenerationId;
    use crate::replay::Range;

    /// A worker that does one thing at each question.
    #[derive(Default)]
    struct Worker(Mutex<Vec<Job>>);

    #[async_trait]
    impl Admin for Worker {
        async fn metrics(&self, _: &str) -> Result<String, AdminFailure> {
            unreachable!("nobody asks for them")
        }

        async fn unready(&self, _: &str) -> Result<Option<String>, AdminFailure> {
            unreachable!("nobody asks for it")
        }

        async fn jobs(&self, _: &str) -> Result<Vec<Job>, AdminFailure> {
            let mut jobs = self.0.lock().unwrap();
            for job in jobs.iter_mut() {
                job.state = match (job.state, job.verb) {
                    (State::Planned, _) => State::Running,
                    (State::Running, _) => State::Done,
                    (State::Done, Verb::Rebuild) => State::Promoted,
                    (state, _) => state,
                };
            }
            Ok(jobs.clone())
        }

        async fn begin_job(&self, _: &str, request: &Request) -> Result<Job, AdminFailure> {
            let range = Range { from: 1, to: 2 };
            let job = Job::of(request.clone(), GenerationId::FIRST, range, "e", 1);
            self.0.lock().unwrap().push(job.clone());
            Ok(job)
        }
    }

    #[tokio::test]
    async fn a_job_is_asked_for_once_and_followed_to_its_promotion() {
        let worker = Worker::default();
        let mut seen = Vec::new();
        while seen.last() != Some(&Made::Promoted) {
            seen.push(made(&worker, "u", "r1").await.unwrap());
            assert!(seen.len() < 9, "{seen:?}");
        }
        assert_eq!(worker.0.lock().unwrap().len(), 1);
        assert_eq!(worker.0.lock().unwrap()[0].request.why.as_deref(), Some("rollout r1"));
        while back(&worker, "u", "r1").await.unwrap() != Made::Promoted {}
        made(&worker, "u", "r2").await.unwrap();
        assert_eq!(worker.0.lock().unwrap().len(), 3);
    }

    #[test]
    fn a_generation_that_differs_from_the_log_is_none() {
        let range = Range { from: 1, to: 2 };
        let mut job = Job::of(Request::new(Verb::Rebuild), GenerationId::FIRST, range, "e", 1);
        job.state = State::Done;
        assert!(matches!(standing(&job), Made::NotYet(_)));
        job.report = Some(crate::replay::Report { missing: 1, ..Default::default() });
        assert!(matches!(standing(&job), Made::Failed(_)));
    }
}
