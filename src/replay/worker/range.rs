//! Reads a job's range into a graph: chunks side by side, held back by the governor, written down every second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;

use super::apply::Applier;
use super::chunk::ChunkTask;
use super::hand::{Halt, Hand};
use super::ledger::Ledger;
use crate::limits::JOB_READERS;
use crate::projector::Parker;
use crate::replay::account;
use crate::replay::governor::Governor;
use crate::replay::ground::{Graph, Ground};
use crate::replay::job::{Job, Pace};
use crate::replay::missing::classify;
use crate::replay::pacer::Pacer;
use crate::replay::state::Move;
use crate::replay::wanted::Wanted;
use crate::stream::Epoch;
use crate::{clock, replay::job::Missing};

/// How often live lag is looked at and the rate decided.
const LOOK: Duration = Duration::from_millis(250);
/// Looks from one checkpoint to the next.
const CHECKPOINT: u32 = 4;
/// How much of the measured rate is of the last look.
const SMOOTHING: f64 = 0.5;
/// Of what is allowed, what is done if the governor holds it back.
const HELD_BACK: f64 = 0.8;

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
    let ended = reading.run().await;
    reading.tasks.shutdown().await;
    let written = reading.checkpoint().await;
    ended?;
    written?;
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
    pacer: Arc<Pacer>,
    governor: Governor,
    tasks: JoinSet<Result<(), Halt>>,
    /// Chunks that nobody has begun, the first at the end.
    waiting: Vec<usize>,
    lag: watch::Receiver<Option<f64>>,
    _polling: AbortOnDropHandle<()>,
    began: Instant,
    seconds_before: f64,
    looked: Instant,
    done: u64,
    rate: f64,
    length: u64,
}

impl<'h, G: Ground> Reading<'h, G> {
    fn new(hand: &'h Hand<G>, job: &Job, applier: Arc<Applier>, ledger: Arc<Ledger>) -> Self {
        let governor = Governor::new(job.control);
        let (sender, lag) = watch::channel(None);
        let polling = tokio::spawn(poll_lag(hand.shared.ground.clone(), sender));
        let unread = |(_, chunk): &(usize, &crate::replay::job::Chunk)| !chunk.is_read();
        let waiting = job.chunks.iter().enumerate().filter(unread).map(|(index, _)| index);
        let now = Instant::now();
        Self {
            hand,
            applier,
            ledger,
            pacer: Arc::new(Pacer::new(governor.allowed())),
            governor,
            tasks: JoinSet::new(),
            waiting: waiting.rev().collect(),
            lag,
            _polling: AbortOnDropHandle::new(polling),
            began: now,
            seconds_before: job.pace.seconds,
            looked: now,
            done: 0,
            rate: 0.0,
            length: job.range.len(),
        }
    }

    async fn run(&mut self) -> Result<(), Halt> {
        let hand = self.hand;
        let halted = hand.halted();
        tokio::pin!(halted);
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = 0_u32;
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
                _ = ticks.tick() => {
                    self.look();
                    looks += 1;
                    if looks.is_multiple_of(CHECKPOINT) {
                        self.checkpoint().await?;
                    }
                }
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
                pacer: self.pacer.clone(),
                index,
            };
            self.tasks.spawn(task.run());
        }
    }

    /// Measures, and decides how fast it may go on.
    fn look(&mut self) {
        let (now, done) = (Instant::now(), self.pacer.done());
        let dt = now.duration_since(self.looked).as_secs_f64().max(1e-3);
        let rate = (done - self.done) as f64 / dt;
        self.rate += SMOOTHING * (rate - self.rate);
        (self.looked, self.done) = (now, done);
        let lag = *self.lag.borrow();
        self.pacer.set(self.governor.step(lag, self.rate.max(rate), dt));
    }

    /// Writes down how far everything is, and takes what operators have changed. A server that does not answer
    /// is written to the next time.
    async fn checkpoint(&mut self) -> Result<(), Halt> {
        let chunks = self.ledger.snapshot();
        let tally = account::sum(&chunks);
        let note = self.note();
        let pace = self.pace(tally.scanned() + tally.missing);
        let written = self.hand.write(|job| {
            job.chunks.clone_from(&chunks);
            (job.tally, job.pace) = (tally, pace);
            if job.state.is_runnable() {
                job.note.clone_from(&note);
            }
            job.changed_ms = clock::now_ms();
            Ok(())
        });
        match written.await {
            Ok(job) => {
                self.governor.set(job.control);
                self.pacer.set(self.governor.allowed());
                Ok(())
            }
            Err(Halt::Wait(error)) => {
                tracing::debug!(job = %self.hand.id, error, "a checkpoint is not written yet");
                Ok(())
            }
            Err(halt) => Err(halt),
        }
    }

    fn note(&self) -> Option<String> {
        let slow = "live lags although the job goes as slowly as it ever does: it will not catch up by waiting";
        let slow = self.governor.is_at_its_end().then(|| slow.to_owned());
        self.ledger.trouble().or(slow)
    }

    fn pace(&self, read: u64) -> Pace {
        let allowed = self.governor.allowed();
        let left = self.length.saturating_sub(read) as f64;
        Pace {
            rate: self.rate.round(),
            allowed: (self.rate >= HELD_BACK * allowed).then_some(allowed.round()),
            live_lag_ms: *self.lag.borrow(),
            seconds_left: (self.rate > 1.0).then(|| (left / self.rate).ceil()),
            seconds: self.seconds_before + self.began.elapsed().as_secs_f64(),
        }
    }
}

/// Asks again and again how much live lags in the generation that answers.
async fn poll_lag<G: Ground>(ground: G, lag: watch::Sender<Option<f64>>) {
    loop {
        let active = ground.generations().view().active_id();
        let live = tokio::time::timeout(4 * LOOK, ground.live(active)).await;
        let known = live.ok().and_then(Result::ok).map(|live| live.lag_ms);
        lag.send_replace(known);
        tokio::time::sleep(LOOK).await;
    }
}
