//! What comes before and after a range is read: a jump of live, catching up, the proof, the switch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::hand::{Halt, Hand};
use super::range;
use super::switch::{Switched, switch_to};
use super::throttle::Throttle;
use crate::clock;
use crate::generation::{ChangeError, GenerationId, Record, Verified};
use crate::limits::PROMOTE_LAG_EVENTS;
use crate::replay::ground::{Graph, Ground, Live, Unready};
use crate::replay::job::{Job, JobId, Pace, Report, Verb};
use crate::replay::split::split;
use crate::replay::state::{Move, State};
use crate::replay::verify::{Aside, verify_paced};

/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How often progress of a comparison is written down.
const TELL: Duration = Duration::from_secs(1);

/// Has live go on at the end of the range, and fills the gap.
pub(super) async fn jump<G: Ground>(
    hand: &Hand<G>,
    mut job: Job,
    graph: Graph,
) -> Result<(), Halt> {
    // Once the chunks are written, live has moved: it is never moved back.
    if job.chunks.is_empty() {
        hand.unless_halted(move_live(hand, &job)).await??;
        let split = |job: &mut Job| {
            job.chunks = split(job.range);
            Ok(())
        };
        job = hand.write(split).await?;
    }
    Box::pin(range::read(hand, &job, graph)).await
}

/// Moves live to the end of the range, unless it is there or beyond: of its own, or since a worker that died.
async fn move_live<G: Ground>(hand: &Hand<G>, job: &Job) -> Result<(), Halt> {
    let ground = &hand.shared.ground;
    if is_behind(&ground.live(job.generation).await?, job.range.to) {
        ground.jump(job.generation, job.range.to).await?;
    }
    Ok(())
}

/// Whether live has not applied everything before a sequence.
fn is_behind(live: &Live, sequence: u64) -> bool {
    live.through.saturating_add(1) < sequence
}

/// Fills a new generation, catches up, proves it right, and has it answer if that was asked for.
pub(super) async fn rebuild<G: Ground>(hand: &Hand<G>, job: Job, graph: Graph) -> Result<(), Halt> {
    if job.state == State::Running {
        Box::pin(range::read(hand, &job, graph.clone())).await?;
    }
    change_record(hand, &job, |record| record.building = None).await?;
    if job.request.as_of.is_none() {
        hand.unless_halted(catch_up(hand, &job)).await??;
    }
    if !job.request.unverified {
        prove(hand, &job, &graph).await?;
    }
    let mut note = None;
    if job.request.promote {
        match hand.unless_halted(Box::pin(switch_when_ready(hand, &job))).await?? {
            None => return finish(hand, &[Move::Finish, Move::Promote], None).await,
            Some(refused) => note = Some(format!("not promoted: {refused}")),
        }
    }
    finish(hand, &[Move::Finish], note).await
}

/// Compares a generation with the log; what differs is told, and is no failure of the job.
pub(super) async fn verify_alone<G: Ground>(
    hand: &Hand<G>,
    job: &Job,
    graph: &Graph,
) -> Result<(), Halt> {
    let report = compare(hand, job, graph).await?;
    let note = differences(&report);
    if note.is_none() {
        note_verified(hand, job, &report).await?;
    }
    finish(hand, &[Move::Finish], note).await
}

async fn finish<G: Ground>(
    hand: &Hand<G>,
    moves: &[Move],
    note: Option<String>,
) -> Result<(), Halt> {
    hand.write(|job| {
        job.note.clone_from(&note);
        moves.iter().try_for_each(|what| job.make(*what, clock::now_ms()))
    })
    .await?;
    Ok(())
}

async fn change_record<G: Ground>(
    hand: &Hand<G>,
    job: &Job,
    change: impl FnMut(&mut Record),
) -> Result<(), Halt> {
    match hand.shared.ground.generations().change(job.generation, change).await {
        Ok(_) => Ok(()),
        Err(ChangeError::Refused(refusal)) => Err(Halt::Failed(refusal.to_string())),
        Err(error) => Err(Halt::Wait(error.to_string())),
    }
}

/// Waits until live is near the end of the log.
async fn catch_up<G: Ground>(hand: &Hand<G>, job: &Job) -> Result<(), Halt> {
    loop {
        let note = match hand.shared.ground.live(job.generation).await {
            Ok(live) if live.behind <= PROMOTE_LAG_EVENTS => {
                hand.note(None).await?;
                return Ok(());
            }
            Ok(_) => "live catches up".to_owned(),
            Err(Unready::Later(text)) => text,
            Err(unready) => return Err(unready.into()),
        };
        hand.note(Some(note)).await?;
        tokio::time::sleep(LOOK).await;
    }
}

async fn prove<G: Ground>(hand: &Hand<G>, job: &Job, graph: &Graph) -> Result<(), Halt> {
    let report = compare(hand, job, graph).await?;
    match differences(&report) {
        Some(note) => Err(Halt::Failed(note)),
        None => note_verified(hand, job, &report).await,
    }
}

/// Compares, and writes down the report.
async fn compare<G: Ground>(hand: &Hand<G>, job: &Job, graph: &Graph) -> Result<Report, Halt> {
    let before = hand.shared.jobs.list().await?;
    let (read, of) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut progress = |now: u64, all: u64| {
        read.store(now, Ordering::Relaxed);
        of.store(all, Ordering::Relaxed);
    };
    // As it is written now: a range may have been read since the job was taken.
    let now = hand.write(|_| Ok(())).await?;
    let (shared, throttle) = (&hand.shared, Throttle::start(hand, &now));
    let aside = Aside { retry: shared.retry.clone(), parked: shared.parked.clone() };
    let comparing = async {
        let (log, ground, pacer) = (&shared.log, &shared.ground, Some(&*throttle.pacer));
        let compared = verify_paced(log, ground, job, graph, &aside, &mut progress, pacer);
        let compared = Box::pin(compared).await;
        compared.map_err(|error| {
            let text = error.to_string();
            if error.is_retryable() { Halt::Wait(text) } else { Halt::Failed(text) }
        })
    };
    let telling = async {
        loop {
            tokio::time::sleep(TELL).await;
            let (read, of) = (read.load(Ordering::Relaxed), of.load(Ordering::Relaxed));
            let (note, pace) = (told_of(read, of), throttle.pace(of.saturating_sub(read)));
            let told = hand.write(|job| {
                (job.note, job.pace) = (Some(note.clone()), pace);
                Ok(())
            });
            told.await.ok();
        }
    };
    let compared = async {
        tokio::select! {
            compared = comparing => compared,
            () = telling => unreachable!("it never ends"),
        }
    };
    let report = Box::pin(hand.unless_halted(compared)).await??;
    // Live is past a gap that is not filled yet, so that what it lacks looks like a difference.
    if report.differences() > 0
        && let Some(jump) = gap(job.generation, &before, &hand.shared.jobs.list().await?)
    {
        return Err(Halt::Wait(format!("job {jump} fills a gap: it is compared again after that")));
    }
    let told = |job: &mut Job| {
        (job.note, job.report) = (None, Some(report.clone()));
        job.pace = Pace { seconds_left: None, ..throttle.pace(0) };
        Ok(())
    };
    hand.write(told).await?;
    Ok(report)
}

/// Nothing is read before live is where the comparison ends.
fn told_of(read: u64, of: u64) -> String {
    if read == 0 {
        return "waits until live has applied what is to be compared".to_owned();
    }
    format!("compares with the log: {read} of {of} events")
}

/// The jump of a generation that was not over when its jobs were listed before, or came since.
fn gap(id: GenerationId, before: &[Job], now: &[Job]) -> Option<JobId> {
    let jumps = |job: &&Job| job.verb == Verb::Jump && job.generation == id;
    let was_over =
        |jump: &Job| before.iter().any(|known| known.id == jump.id && known.state.is_over());
    now.iter().filter(jumps).find(|jump| !was_over(jump)).map(|jump| jump.id.clone())
}

fn differences(report: &Report) -> Option<String> {
    let Report { missing, extra, other_body, .. } = report;
    let differ = report.differences() > 0;
    differ.then(|| {
        format!(
            "the graph is not what the log says: {missing} documents are missing, {extra} are there beyond it, {other_body} differ"
        )
    })
}

async fn note_verified<G: Ground>(hand: &Hand<G>, job: &Job, report: &Report) -> Result<(), Halt> {
    let verified = Some(Verified { through: report.through, at_ms: clock::now_ms() });
    change_record(hand, job, |record| record.verified = verified).await
}

/// Has the generation answer as soon as it may; what stands in the way for good is returned.
async fn switch_when_ready<G: Ground>(hand: &Hand<G>, job: &Job) -> Result<Option<String>, Halt> {
    loop {
        match switch_to(hand, job, job.generation).await? {
            Switched::Done => return Ok(None),
            Switched::Refused(refused) if refused.passes() => {
                hand.note(Some(refused.to_string())).await?;
                tokio::time::sleep(LOOK).await;
            }
            Switched::Refused(refused) => return Ok(Some(refused.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::job::Range;
    use crate::replay::request::Request;

    #[test]
    fn live_is_moved_forwards_alone() {
        let live = |through| Live { lag_ms: 0.0, through, behind: 0 };
        assert!(is_behind(&live(98), 100));
        assert!(!is_behind(&live(99), 100), "the next it applies is the one it would be moved to");
        assert!(!is_behind(&live(500), 100));
        assert!(!is_behind(&live(u64::MAX), 100));
    }

    fn job(verb: Verb, id: &str, state: State) -> Job {
        let generation = GenerationId::FIRST;
        let job = Job::of(Request::new(verb), generation, Range { from: 1, to: 2 }, "e", 1);
        Job { id: JobId(id.to_owned()), state, ..job }
    }

    #[test]
    fn a_jump_that_was_open_during_a_comparison_may_explain_what_is_missing() {
        let jump = |state| job(Verb::Jump, "jump-1", state);
        let found = |before: &[Job], now: &[Job]| gap(GenerationId::FIRST, before, now).is_some();
        assert!(found(&[jump(State::Running)], &[jump(State::Running)]));
        assert!(found(&[jump(State::Running)], &[jump(State::Done)]), "it ended meanwhile");
        assert!(found(&[], &[jump(State::Done)]), "it came and ended meanwhile");
        assert!(!found(&[jump(State::Done)], &[jump(State::Done)]));
        assert!(!found(&[], &[job(Verb::Replay, "replay-1", State::Running)]));
        let other = GenerationId::parse("g2").expect("valid");
        assert_eq!(gap(other, &[], &[jump(State::Running)]), None);
    }
}
