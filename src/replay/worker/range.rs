//! Reads a job's range into a graph: chunks side by side, held back beside live, written down every second.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::apply::Applier;
use super::chunk::{ChunkTask, can_hold, is_other};
use super::hand::{Halt, Hand};
use super::ledger::Ledger;
use super::throttle::Throttle;
use crate::limits::JOB_READERS;
use crate::projector::Parker;
use crate::replay::account;
use crate::replay::ground::{Graph, Ground};
use crate::replay::job::Job;
use crate::replay::missing::classify;
use crate::replay::state::Move;
use crate::replay::wanted::Wanted;
use crate::stream::Epoch;
use crate::{clock, replay::job::Missing};

/// How often it is written down how far everything is.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// Reads what is left of the range, closes the account, and moves the job on.
pub(super) async fn read<G: Ground>(hand: &Hand<G>, job: &Job, graph: Graph) -> Result<(), Halt> {
    let wanted = Wanted::new(&job.request.filter, graph.projection.types())
        .map_err(|error| Halt::Failed(error.to_string()))?;
    let ledger = Arc::new(Ledger::new(job.chunks.clone()));
    let parked = hand.shared.parked.clone();
    let generation = graph.id.number();
    let parker = Parker::new(generation, parked.clone(), parked.open_ids(generation));
    let epoch = Epoch(job.epoch.clone());
    let applier = Arc::new(Applier::new(graph, wanted, epoch, parker, ledger.clone()));
    let mut reading = Reading::new(hand, job, applier, ledger);
    let ended = reading.run_to_the_end().await;
    reading.tasks.shutdown().await;
    if ended.is_err() {
        reading.checkpoint().await.ok();
        return ended;
    }
    // What is checked next is what is written: nothing of it may be left for another time.
    reading.write_down().await?;
    finish(hand).await
}

/// Checks the account and moves the job on.
async fn finish<G: Ground>(hand: &Hand<G>) -> Result<(), Halt> {
    let state = hand.shared.log.state().await?;
    let gone = hand.shared.log.gone().await?;
    if gone.cut {
        tracing::warn!(job = %hand.id, "more was erased from the log than is listed: the rest is told as lost");
    }
    let mut wrong = None;
    hand.write(|job| {
        let missing: Vec<Missing> = classify(&job.chunks, state.first_sequence, &gone);
        job.missing = missing;
        match account::check(job) {
            Ok(()) => {
                job.pace.seconds_left = None;
                // What slowed it down is over.
                job.note = None;
                job.make(Move::Read, clock::now_ms())
            }
            Err(error) => {
                wrong = Some(error);
                Ok(())
            }
        }
    })
    .await?;
    wrong.map_or(Ok(()), |error| Err(Halt::Failed(format!("the account does not close: {error}"))))
}

struct Reading<'h, G> {
    hand: &'h Hand<G>,
    applier: Arc<Applier>,
    ledger: Arc<Ledger>,
    throttle: Throttle,
    tasks: JoinSet<Result<(), Halt>>,
    /// Chunks that nobody has begun, the first at the end.
    waiting: Vec<usize>,
    length: u64,
    /// Where the range ends (exclusive).
    end: u64,
}

impl<'h, G: Ground> Reading<'h, G> {
    fn new(hand: &'h Hand<G>, job: &Job, applier: Arc<Applier>, ledger: Arc<Ledger>) -> Self {
        Self {
            hand,
            applier,
            waiting: ledger.unread(),
            ledger,
            throttle: Throttle::start(hand, job),
            tasks: JoinSet::new(),
            length: job.range.len(),
            end: job.range.to,
        }
    }

    /// Reads all chunks, and those again whose part of the log is another one by then.
    async fn run_to_the_end(&mut self) -> Result<(), Halt> {
        loop {
            self.run().await?;
            self.hand.unless_halted(self.recheck()).await??;
            self.waiting = self.ledger.unread();
            if self.waiting.is_empty() {
                return Ok(());
            }
        }
    }

    /// A log may lose its end and grow again behind a chunk that was read to its own.
    async fn recheck(&self) -> Result<(), Halt> {
        let log = &self.hand.shared.log;
        can_hold(&log.state().await?, &self.applier.epoch, self.end)?;
        for (index, mark) in self.ledger.marks().into_iter().enumerate() {
            if is_other(log, mark).await? {
                tracing::warn!(job = %self.hand.id, chunk = index, "a part of a job is read again: its log is another one");
                self.ledger.begin_anew(index);
            }
        }
        Ok(())
    }

    async fn run(&mut self) -> Result<(), Halt> {
        let hand = self.hand;
        let halted = hand.halted();
        tokio::pin!(halted);
        let mut ticks = tokio::time::interval_at(Instant::now() + CHECKPOINT, CHECKPOINT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.begin_chunks();
            tokio::select! {
                biased;
                halt = &mut halted => return Err(halt),
                joined = self.tasks.join_next() => match joined {
                    Some(Ok(read)) => read?,
                    Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                    None => return Ok(()),
                },
                _ = ticks.tick() => self.checkpoint().await?,
            }
        }
    }

    fn begin_chunks(&mut self) {
        while self.tasks.len() < JOB_READERS
            && let Some(index) = self.waiting.pop()
        {
            let task = ChunkTask {
                log: self.hand.shared.log.clone(),
                applier: self.applier.clone(),
                pacer: self.throttle.pacer.clone(),
                index,
            };
            self.tasks.spawn(task.run());
        }
    }

    /// Writes down how far everything is. A server that does not answer is written to the next time.
    async fn checkpoint(&self) -> Result<(), Halt> {
        match self.write_down().await {
            Err(Halt::Wait(error)) => {
                tracing::debug!(job = %self.hand.id, error, "a checkpoint is not written yet");
                Ok(())
            }
            written => written,
        }
    }

    /// Writes down how far everything is.
    async fn write_down(&self) -> Result<(), Halt> {
        let chunks = self.ledger.snapshot();
        let tally = account::sum(&chunks);
        let note = self.note();
        let left = self.length.saturating_sub(tally.scanned() + tally.missing);
        let pace = self.throttle.pace(left);
        let written = self.hand.write(|job| {
            job.chunks.clone_from(&chunks);
            (job.tally, job.pace) = (tally, pace);
            if job.state.is_runnable() {
                job.note.clone_from(&note);
            }
            job.changed_ms = clock::now_ms();
            Ok(())
        });
        written.await.map(|_| ())
    }

    fn note(&self) -> Option<String> {
        let slow = "live lags although the job goes as slowly as it ever does: it will not catch up by waiting";
        let slow = self.throttle.is_at_its_end().then(|| slow.to_owned());
        self.ledger.trouble().or(slow)
    }
}
