//! One step: the traffic is split, and both versions are looked at until the judge decides.

use std::time::Duration;

use super::run::{Engine, EngineError, persist};
use crate::clock;
use crate::limits::{ROLLOUT_SILENT_LOOKS, ROLLOUT_TICK};
use crate::rollout::judge::Verdict;
use crate::rollout::reason::Reason;
use crate::rollout::record::Event;
use crate::rollout::state::Move;

enum Looked {
    GoesOn,
    Decided(Option<Move>),
    /// The new version does not answer.
    Silent(String),
    /// The old version does not answer.
    Blind(String),
}

impl Engine<'_> {
    pub(super) async fn step(&mut self, at: usize) -> Result<Move, EngineError> {
        let (plan, sides) = (self.record.begun.plan.clone(), self.record.begun.sides.clone());
        if self.record.watch.is_none() {
            let new = self.read(&sides.next).await.unwrap_or_default();
            let old = match &sides.live {
                Some(live) => self.read(live).await.ok(),
                None => None,
            };
            self.note(Event::Based { new, old })?;
        }
        let percent = plan.step(at).map_or(100, |step| step.percent);
        self.split(percent).await?;
        let mut silent = 0;
        loop {
            if let Some(refused) = self.pause(plan.look_every).await {
                return Ok(refused);
            }
            let what = match self.look().await? {
                Looked::Decided(what) => what,
                Looked::GoesOn => {
                    silent = 0;
                    None
                }
                Looked::Silent(detail) => {
                    silent += 1;
                    let reason = Reason::Unreachable { detail };
                    (silent >= ROLLOUT_SILENT_LOOKS).then_some(Move::Refused { reason })
                }
                // Nothing can be compared meanwhile, and nothing would be won by going back.
                Looked::Blind(detail) if self.has_lasted(plan.step_deadline) => {
                    return Err(EngineError::Blind(detail));
                }
                Looked::Blind(_) => None,
            };
            if let Some(what) = what {
                return Ok(what);
            }
        }
    }

    pub(super) async fn split(&mut self, percent: u8) -> Result<(), EngineError> {
        let sides = self.record.begun.sides.clone();
        let deadline = self.record.begun.plan.drain_within;
        let (provider, what) =
            (self.provider, format!("the traffic cannot be split at {percent} %"));
        persist(deadline, what, async || provider.split(&sides, percent).await).await?;
        self.note(Event::Split { percent })
    }

    /// Waits for the next look; returns earlier if the new version is gone, or somebody ends the rollout.
    async fn pause(&self, duration: Duration) -> Option<Move> {
        let end = tokio::time::Instant::now() + duration;
        loop {
            if let Some(aborted) = self.aborted() {
                return Some(aborted);
            }
            if let Some(detail) = self.provider.gone(&self.record.begun.sides.next).await {
                return Some(Move::Refused { reason: Reason::Ended { detail } });
            }
            let now = tokio::time::Instant::now();
            if now >= end {
                return None;
            }
            tokio::time::sleep_until(end.min(now + ROLLOUT_TICK)).await;
        }
    }

    /// Reads both versions and has the judge look.
    async fn look(&mut self) -> Result<Looked, EngineError> {
        let sides = self.record.begun.sides.clone();
        let new = match self.read(&sides.next).await {
            Ok(new) => new,
            Err(error) => return Ok(Looked::Silent(error.detail)),
        };
        let old = match &sides.live {
            None => None,
            Some(live) => match self.read(live).await {
                Ok(old) => Some(old),
                // With all of the traffic at the new version, it can be judged without the old one.
                Err(_) if self.record.percent() == 100 => None,
                Err(error) => return Ok(Looked::Blind(error.detail)),
            },
        };
        let looked = self.record.looked(clock::now_ms(), new, old)?;
        let decided = match &looked {
            Event::Looked { decided, .. } => decided.clone(),
            _ => Verdict::Continue,
        };
        self.note(looked)?;
        Ok(match decided {
            Verdict::Continue | Verdict::NotEnough => Looked::GoesOn,
            Verdict::Promote => Looked::Decided(Some(Move::Passed)),
            Verdict::RollBack { reason } => Looked::Decided(Some(Move::Refused { reason })),
        })
    }
}
