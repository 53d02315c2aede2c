//! The verbs that change which generation answers, and which there are.

use super::hand::{Halt, Hand};
use crate::clock;
use crate::generation::{ChangeError, GenerationId, Refusal, View};
use crate::replay::ground::{Ground, Unready};
use crate::replay::job::{Job, Verb};
use crate::replay::promotion::{Facts, Refused};
use crate::replay::state::{Move, State};

/// What became of a switch.
pub(super) enum Switched {
    Done,
    Refused(Refused),
}

/// Has a generation answer, if it may.
pub(super) async fn switch_to<G: Ground>(
    hand: &Hand<G>,
    job: &Job,
    id: GenerationId,
) -> Result<Switched, Halt> {
    let jobs = hand.shared.jobs.list().await?;
    let facts = facts(hand, job, id, &jobs).await?;
    match facts.may_promote(id) {
        Ok(()) => {}
        // It was done before a crash.
        Err(Refused::Active(_)) => return Ok(Switched::Done),
        Err(refused) => return Ok(Switched::Refused(refused)),
    }
    activate(hand, id, &facts.view).await?;
    Ok(Switched::Done)
}

pub(super) async fn promote<G: Ground>(hand: &Hand<G>, job: &Job) -> Result<(), Halt> {
    match switch_to(hand, job, job.generation).await? {
        Switched::Done => {}
        Switched::Refused(refused) => return Err(halt_for(&refused)),
    }
    mark_promoted(hand, job.generation).await?;
    finish(hand).await
}

pub(super) async fn roll_back<G: Ground>(hand: &Hand<G>, job: &Job) -> Result<(), Halt> {
    let view = view(hand).await?;
    // The plan names where it goes; after a crash it may be there.
    if view.active.as_ref().is_some_and(|active| active.id == job.generation) {
        return finish(hand).await;
    }
    let jobs = hand.shared.jobs.list().await?;
    let facts = facts(hand, job, job.generation, &jobs).await?;
    let id = facts.may_roll_back().map_err(|refused| halt_for(&refused))?;
    if id != job.generation {
        let text = format!("a rollback would go to {id} by now, and not to {}", job.generation);
        return Err(Halt::Failed(text));
    }
    activate(hand, id, &facts.view).await?;
    finish(hand).await
}

pub(super) async fn retire<G: Ground>(hand: &Hand<G>, job: &Job) -> Result<(), Halt> {
    let id = job.generation;
    let view = view(hand).await?;
    // It was removed before a crash.
    let Some(record) = view.generations.get(&id) else { return finish(hand).await };
    if !record.retiring {
        let jobs = hand.shared.jobs.list().await?;
        let facts = Facts {
            view,
            jobs: &jobs,
            asking: Some(&hand.id),
            force: job.request.force,
            ..Facts::default()
        };
        facts.may_retire(id).map_err(|refused| Halt::Failed(refused.to_string()))?;
        let marked = hand.shared.ground.generations().change(id, |record| record.retiring = true);
        marked.await.map_err(halt_of)?;
    }
    hand.unless_halted(hand.shared.ground.remove(id)).await??;
    finish(hand).await
}

async fn finish<G: Ground>(hand: &Hand<G>) -> Result<(), Halt> {
    hand.write(|job| job.make(Move::Finish, clock::now_ms())).await?;
    Ok(())
}

/// What passes without anybody's doing is waited for.
fn halt_for(refused: &Refused) -> Halt {
    let text = refused.to_string();
    if refused.passes() { Halt::Wait(text) } else { Halt::Failed(text) }
}

/// Promotes, if nobody else has since the facts were asked for.
async fn activate<G: Ground>(hand: &Hand<G>, id: GenerationId, seen: &View) -> Result<(), Halt> {
    let number = seen.active.as_ref().map_or(0, |active| active.promotion);
    match hand.shared.ground.generations().promote_after(id, Some(number)).await {
        Ok(_) | Err(ChangeError::Refused(Refusal::Active(_))) => Ok(()),
        Err(error) => Err(halt_of(error)),
    }
}

/// The newest rebuild of a generation is what was promoted.
async fn mark_promoted<G: Ground>(hand: &Hand<G>, id: GenerationId) -> Result<(), Halt> {
    let jobs = hand.shared.jobs.list().await?;
    let rebuilt = jobs.iter().find(|job| job.verb == Verb::Rebuild && job.generation == id);
    if let Some(job) = rebuilt.filter(|job| job.state == State::Done) {
        hand.shared.jobs.change(&job.id, |job| job.make(Move::Promote, clock::now_ms())).await?;
    }
    Ok(())
}

async fn view<G: Ground>(hand: &Hand<G>) -> Result<View, Halt> {
    hand.shared.ground.generations().read().await.map_err(halt_of)
}

async fn facts<'a, G: Ground>(
    hand: &'a Hand<G>,
    job: &Job,
    id: GenerationId,
    jobs: &'a [Job],
) -> Result<Facts<'a>, Halt> {
    let view = view(hand).await?;
    let ground = &hand.shared.ground;
    let live = match ground.live(id).await {
        Ok(live) => Some(live),
        Err(Unready::Elsewhere(text)) => return Err(Halt::Elsewhere(text)),
        Err(_) => None,
    };
    Ok(Facts {
        view,
        jobs,
        asking: Some(&hand.id),
        live,
        unready: ground.unready_readers(id).await?,
        force: job.request.force,
        unverified: job.request.unverified,
    })
}

fn halt_of(error: ChangeError) -> Halt {
    match error {
        ChangeError::Refused(refusal) => Halt::Failed(refusal.to_string()),
        other => Halt::Wait(other.to_string()),
    }
}
