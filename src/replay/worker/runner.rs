//! Looks for jobs that nobody runs, and runs them: one task each, a few at once.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hand::{Halt, Hand};
use super::take::{prepare, take};
use super::{range, rebuild, redriving, switch};
use crate::clock;
use crate::event::Upcasters;
use crate::limits::JOBS_AT_ONCE;
use crate::replay::ground::{Graph, Ground};
use crate::replay::job::{Job, JobId, Verb};
use crate::replay::jobs::{Jobs, JobsWatch};
use crate::replay::lease::{Lease, hold};
use crate::replay::state::Move;
use crate::stream::{EventLog, Parked, RetryQueue};

/// How often the jobs are looked at when nothing is heard of them.
const LOOK: Duration = Duration::from_secs(1);
/// How long a job is left alone that could not go on.
const LATER: Duration = Duration::from_secs(1);
/// How long a job is left to others first.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Who this worker is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Told of the jobs it runs; no two processes should have the same.
    pub name: String,
    /// What the process reads older events with: part of what its projection is.
    pub upcasters: Upcasters,
}

pub(super) struct Shared<G> {
    pub ground: G,
    pub log: EventLog,
    pub jobs: Jobs,
    pub parked: Parked,
    pub retry: RetryQueue,
    pub options: Options,
}

/// Runs jobs in a process. Clones of what it is built from may be used beside it.
pub struct JobWorker<G> {
    shared: Arc<Shared<G>>,
}

/// What became of one that was tried.
type Tried = (JobId, Option<Duration>);

impl<G: Ground> JobWorker<G> {
    /// `log` should have a connection of its own: live does not wait behind what jobs read.
    pub fn build(
        ground: G,
        log: EventLog,
        jobs: Jobs,
        parked: Parked,
        retry: RetryQueue,
        options: Options,
    ) -> Self {
        Self { shared: Arc::new(Shared { ground, log, jobs, parked, retry, options }) }
    }

    /// Runs jobs until it is told to stop; then each is let go, for another worker to take it at once.
    pub async fn run(self, stop: CancellationToken) {
        let watch = self.shared.jobs.watch();
        let mut seen = watch.receiver();
        let mut tasks: JoinSet<Tried> = JoinSet::new();
        let mut held: HashSet<JobId> = HashSet::new();
        let mut later: HashMap<JobId, Instant> = HashMap::new();
        loop {
            seen.borrow_and_update();
            later.retain(|_, until| *until > Instant::now());
            for job in watch.jobs().into_iter().rev().filter(|job| job.state.is_runnable()) {
                // A switch waits for no rebuild, and takes but a moment.
                let room = tasks.len() < JOBS_AT_ONCE || job.verb.switches();
                if room && !later.contains_key(&job.id) && held.insert(job.id.clone()) {
                    let (shared, watch, stop) = (self.shared.clone(), watch.clone(), stop.clone());
                    tasks.spawn(attempt(shared, watch, job.id, stop));
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                Some(tried) = tasks.join_next() => {
                    let (id, wait) = tried.expect("panics of a job are caught within its task");
                    held.remove(&id);
                    // What others run, or this one has just put down, is not asked for all the time.
                    later.extend(wait.map(|wait| (id, Instant::now() + wait)));
                }
                changed = seen.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Tries to run a job; returns how long it is to be left alone.
async fn attempt<G: Ground>(
    shared: Arc<Shared<G>>,
    watch: JobsWatch,
    id: JobId,
    stop: CancellationToken,
) -> Tried {
    let lease = Lease::get(shared.jobs.kv(), &id, &shared.options.name).await;
    let Ok(Some(lease)) = lease else { return (id, Some(LATER)) };
    let (lost, done) = (stop.child_token(), CancellationToken::new());
    let holding = Box::pin(hold(lease, shared.jobs.kv().clone(), lost.clone(), done.clone()));
    let working = async {
        let work = AssertUnwindSafe(Box::pin(work(&shared, watch, &id, lost.clone())))
            .catch_unwind()
            .await;
        let wait = match work {
            Ok(wait) => wait,
            Err(panic) => {
                fail(&shared, &id, format!("weir has a defect: {}", text_of(&*panic))).await;
                None
            }
        };
        done.cancel();
        wait
    };
    let ((), wait) = tokio::join!(holding, working);
    (id, wait)
}

async fn work<G: Ground>(
    shared: &Arc<Shared<G>>,
    watch: JobsWatch,
    id: &JobId,
    stop: CancellationToken,
) -> Option<Duration> {
    let halt = match run(shared, watch, id, stop.clone()).await {
        Ok(()) => return None,
        // Whoever may have it by now says what becomes of it.
        Err(_) if stop.is_cancelled() => Halt::Stop,
        Err(halt) => halt,
    };
    tracing::info!(job = %id, ?halt, "a job is put down");
    match halt {
        Halt::Failed(note) => {
            fail(shared, id, note).await;
            None
        }
        Halt::Wait(note) => {
            leave_note(shared, id, note).await;
            Some(LATER)
        }
        Halt::Elsewhere(note) => {
            leave_note(shared, id, note).await;
            Some(ELSEWHERE)
        }
        Halt::Stop | Halt::Asked => Some(LATER),
    }
}

async fn run<G: Ground>(
    shared: &Arc<Shared<G>>,
    watch: JobsWatch,
    id: &JobId,
    stop: CancellationToken,
) -> Result<(), Halt> {
    let job = shared.jobs.get(id.as_str()).await?;
    if !job.state.is_runnable() {
        return Ok(());
    }
    let ready = tokio::select! {
        () = stop.cancelled() => return Err(Halt::Stop),
        ready = Box::pin(prepare(shared, &job)) => ready,
    };
    let graph = ready?;
    let job = take(shared, &job, graph.as_ref()).await?;
    tracing::info!(job = %id, verb = %job.verb, generation = %job.generation, fence = job.run.fence, "a job is taken");
    let fence = job.run.fence;
    let hand = Hand { shared: shared.clone(), id: id.clone(), fence, stop, watch };
    Box::pin(act(&hand, job, graph)).await
}

/// Boxed: each is a large future, and all of them within each other are more than a stack holds.
async fn act<G: Ground>(hand: &Hand<G>, job: Job, graph: Option<Graph>) -> Result<(), Halt> {
    match (job.verb, graph) {
        (Verb::Replay, Some(graph)) => Box::pin(range::read(hand, &job, graph)).await,
        (Verb::Jump, Some(graph)) => Box::pin(rebuild::jump(hand, job, graph)).await,
        (Verb::Rebuild, Some(graph)) => Box::pin(rebuild::rebuild(hand, job, graph)).await,
        (Verb::Verify, Some(graph)) => Box::pin(rebuild::verify_alone(hand, &job, &graph)).await,
        (Verb::Redrive, _) => Box::pin(redriving::redrive_all(hand, job)).await,
        (Verb::Promote, _) => Box::pin(switch::promote(hand, &job)).await,
        (Verb::Rollback, _) => Box::pin(switch::roll_back(hand, &job)).await,
        (Verb::Retire, _) => Box::pin(switch::retire(hand, &job)).await,
        (_, None) => Err(Halt::Failed("it has no graph to work on".to_owned())),
    }
}

/// Ends a job that this process has the lease of.
async fn fail<G: Ground>(shared: &Shared<G>, id: &JobId, note: String) {
    tracing::warn!(job = %id, note, "a job failed");
    let failed = shared.jobs.change(id, |job| {
        job.note = Some(note.clone());
        job.make(Move::Fail, clock::now_ms())
    });
    if let Err(error) = failed.await {
        tracing::warn!(job = %id, %error, "that a job failed is not written down yet");
    }
}

async fn leave_note<G: Ground>(shared: &Shared<G>, id: &JobId, note: String) {
    let noted = shared.jobs.change(id, |job| {
        if job.state.is_runnable() {
            job.note = Some(note.clone());
        }
        Ok::<_, crate::replay::jobs::JobError>(())
    });
    noted.await.ok();
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}
