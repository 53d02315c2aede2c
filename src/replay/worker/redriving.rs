//! Has parked events tried again: a list that is written down first, and gone through once.

use std::time::Duration;

use tokio::time::Instant;

use super::database::PAUSES;
use super::hand::{Halt, Hand};
use super::throttle::Throttle;
use crate::clock;
use crate::limits::{PARKED_PAGE, REDRIVE_LIST, REDRIVE_PAGE};
use crate::replay::ground::Ground;
use crate::replay::job::{Filter, Job, Redriven};
use crate::replay::redrive::{Due, Redrove, due, redrive, schedule};
use crate::replay::state::Move;
use crate::stream::{Entry, EntryId, ParkedFilter, QueueError};

const CHECKPOINT: Duration = Duration::from_secs(1);

/// An entry as it was when the list was made: its id, its revision and its attempts.
type Listed = (String, u64, u32);

pub(super) async fn redrive_all<G: Ground>(hand: &Hand<G>, job: Job) -> Result<(), Halt> {
    let redriven = match job.redriven {
        Some(redriven) => redriven,
        None => freeze(hand, &job).await?,
    };
    hand.shared.retry.ensure().await.map_err(halt_of)?;
    let mut counted = redriven;
    let ended = hand.unless_halted(Box::pin(go_through(hand, &job, &mut counted))).await;
    hand.write(|job| {
        job.redriven = Some(counted);
        Ok(())
    })
    .await?;
    ended??;
    hand.write(|job| {
        job.note = None;
        job.make(Move::Finish, clock::now_ms())
    })
    .await?;
    forget(hand, counted.listed).await;
    Ok(())
}

/// Writes down which entries are meant, before any of them is tried.
async fn freeze<G: Ground>(hand: &Hand<G>, job: &Job) -> Result<Redriven, Halt> {
    let filter = parked_filter(&job.request.filter, job.created_ms);
    let mut listed: Vec<Listed> = Vec::new();
    let mut after = 0;
    while listed.len() < REDRIVE_LIST {
        let parked = &hand.shared.parked;
        let page = parked.list(job.generation.number(), &filter, after, PARKED_PAGE).await;
        let page = page.map_err(halt_of)?;
        let meant =
            page.entries.iter().filter(|one| of_type(&job.request.filter, &one.entry.subject));
        listed
            .extend(meant.map(|one| (one.entry.id.to_string(), one.revision, one.entry.attempts)));
        match page.after {
            Some(place) => after = place,
            None => break,
        }
    }
    listed.truncate(REDRIVE_LIST);
    for (number, page) in listed.chunks(REDRIVE_PAGE).enumerate() {
        let value = serde_json::to_vec(page).expect("ids have a JSON form");
        let key = page_key(hand, number);
        // One of an attempt before is written over: nothing of it was done.
        let known = hand.shared.jobs.kv().get(&key).await.map_err(halt_of)?;
        let written = match known {
            Some((_, revision)) => hand.shared.jobs.kv().update(&key, value.into(), revision).await,
            None => hand.shared.jobs.kv().create(&key, value.into()).await,
        };
        written.map_err(halt_of)?;
    }
    let redriven = Redriven { listed: listed.len() as u64, ..Redriven::default() };
    hand.write(|job| {
        job.redriven = Some(redriven);
        Ok(())
    })
    .await?;
    Ok(redriven)
}

async fn go_through<G: Ground>(
    hand: &Hand<G>,
    job: &Job,
    counted: &mut Redriven,
) -> Result<(), Halt> {
    let (mut written, throttle) = (Instant::now(), Throttle::start(hand, job));
    let mut at = (counted.redriven + counted.passed_over + counted.cut) as usize;
    while at < counted.listed as usize {
        let page = read_page(hand, at / REDRIVE_PAGE).await?;
        for listed in page.iter().skip(at % REDRIVE_PAGE) {
            match one(hand, job, listed).await? {
                Redrove::Scheduled => counted.redriven += 1,
                Redrove::PassedOver => counted.passed_over += 1,
                Redrove::Cut => counted.cut += 1,
            }
            at += 1;
            throttle.pacer.pace(1).await;
            if written.elapsed() >= CHECKPOINT {
                let (now, pace) = (*counted, throttle.pace(counted.listed - at as u64));
                hand.write(|job| {
                    (job.redriven, job.pace, job.note) = (Some(now), pace, None);
                    Ok(())
                })
                .await?;
                written = Instant::now();
            }
        }
    }
    Ok(())
}

/// Tries one again, for as long as it takes: a RETRY that is full empties as its events are applied.
async fn one<G: Ground>(hand: &Hand<G>, job: &Job, listed: &Listed) -> Result<Redrove, Halt> {
    let Ok(id) = listed.0.parse::<EntryId>() else { return Ok(Redrove::PassedOver) };
    let mut pause = PAUSES.0;
    loop {
        match attempt(hand, job, id, (listed.1, listed.2)).await {
            Err(error) if error.is_retryable() => {
                hand.note(Some(format!("an event cannot be tried again yet: {error}"))).await.ok();
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(PAUSES.1);
            }
            done => return done.map_err(halt_of),
        }
    }
}

async fn attempt<G: Ground>(
    hand: &Hand<G>,
    job: &Job,
    id: EntryId,
    listed: (u64, u32),
) -> Result<Redrove, QueueError> {
    let (parked, retry) = (&hand.shared.parked, &hand.shared.retry);
    let Some(found) = parked.get(job.generation.number(), id).await? else {
        return Ok(Redrove::PassedOver);
    };
    match due(listed, (found.revision, found.entry.attempts)) {
        Due::Attempt if found.cut_from.is_some() => Ok(Redrove::Cut),
        Due::Whole => redrive(parked, retry, &found).await,
        Due::Attempt => schedule(retry, &Entry { attempts: listed.1, ..found.entry }).await,
        Due::PassOver => Ok(Redrove::PassedOver),
    }
}

async fn read_page<G: Ground>(hand: &Hand<G>, number: usize) -> Result<Vec<Listed>, Halt> {
    let found = hand.shared.jobs.kv().get(&page_key(hand, number)).await.map_err(halt_of)?;
    let page = found.and_then(|(value, _)| serde_json::from_slice(&value).ok());
    page.ok_or_else(|| Halt::Failed("the list of what to try again is gone".to_owned()))
}

async fn forget<G: Ground>(hand: &Hand<G>, listed: u64) {
    for number in 0..(listed as usize).div_ceil(REDRIVE_PAGE) {
        hand.shared.jobs.kv().remove(&page_key(hand, number), None).await.ok();
    }
}

fn page_key<G: Ground>(hand: &Hand<G>, number: usize) -> String {
    format!("list.{}.{number}", hand.id)
}

fn parked_filter(filter: &Filter, now_ms: i64) -> ParkedFilter {
    ParkedFilter {
        event_type: None,
        reason: filter.reason.clone(),
        since_ms: None,
        before_ms: filter.older_than_ms.map(|ms| now_ms.saturating_sub(ms as i64)),
        id_prefix: filter.id_prefix.clone(),
        error_text: filter.error_text.clone(),
    }
}

fn of_type(filter: &Filter, subject: &str) -> bool {
    let name = subject.strip_prefix("events.").unwrap_or(subject);
    filter.types.is_empty()
        || filter.types.iter().any(|wanted| crate::event::normalise_name(wanted) == name)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err wants it")]
fn halt_of(error: QueueError) -> Halt {
    if error.is_retryable() {
        return Halt::Wait(error.to_string());
    }
    Halt::Failed(error.to_string())
}
