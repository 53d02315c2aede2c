//! Before the first step: the new version becomes ready, and its projection gets a generation.

use super::run::{Engine, EngineError};
use crate::limits::ROLLOUT_TICK;
use crate::rollout::jobs::{self, Made};
use crate::rollout::provider::{AdminFailure, ProviderError, Up};
use crate::rollout::reading::Reading;
use crate::rollout::reason::Reason;
use crate::rollout::state::Move;

enum Readiness {
    Ready,
    NotYet(String),
    Gone(String),
}

impl Engine<'_> {
    pub(super) async fn prepare(&mut self) -> Result<Move, EngineError> {
        let (sides, to) = (self.record.begun.sides.clone(), self.record.begun.to.clone());
        self.say(format!("{to} is started as {}", sides.next))?;
        let mut started = false;
        loop {
            let detail = match self.ready(&mut started).await {
                Ok(Readiness::Ready) => return self.compared().await,
                Ok(Readiness::Gone(detail)) => {
                    return Ok(Move::Refused { reason: Reason::Ended { detail } });
                }
                Ok(Readiness::NotYet(detail)) => detail,
                Err(error) if error.may_pass => error.detail,
                Err(error) => {
                    return Ok(Move::Refused { reason: Reason::NotReady { detail: error.detail } });
                }
            };
            if self.has_lasted(self.record.begun.plan.ready_within) {
                return Ok(Move::Refused { reason: Reason::NotReady { detail } });
            }
            if let Some(aborted) = self.aborted() {
                return Ok(aborted);
            }
            tokio::time::sleep(ROLLOUT_TICK).await;
        }
    }

    /// Has the new version run, and asks whether it is ready. It is started once: one that dies is not wanted.
    async fn ready(&self, started: &mut bool) -> Result<Readiness, ProviderError> {
        let begun = &self.record.begun;
        if !*started {
            self.provider.start(&begun.sides, &begun.to).await?;
            *started = true;
        }
        let urls = match self.provider.up(&begun.sides.next).await? {
            Up::Answers(urls) => urls,
            Up::NotYet(detail) => return Ok(Readiness::NotYet(detail)),
            Up::Gone(detail) => return Ok(Readiness::Gone(detail)),
        };
        for url in urls {
            if let Some(detail) = self.admin.unready(&url).await? {
                return Ok(Readiness::NotYet(format!("{url}: {detail}")));
            }
        }
        Ok(Readiness::Ready)
    }

    /// Says whether the new version makes another graph than the old one.
    async fn compared(&mut self) -> Result<Move, EngineError> {
        let sides = self.record.begun.sides.clone();
        let new = self.read(&sides.next).await;
        let old = match &sides.live {
            Some(live) => self.read(live).await.ok(),
            None => None,
        };
        let projection = |reading: &Reading| reading.projection().unwrap_or_default().to_owned();
        let new = new.as_ref().map(projection).unwrap_or_default();
        let old = old.as_ref().map(projection).unwrap_or_default();
        if new.is_empty() || old.is_empty() {
            if sides.live.is_some() {
                self.say(
                    "the projections of both versions cannot be compared, and are taken to be one",
                )?;
            }
            return Ok(Move::Ready);
        }
        if new == old {
            return Ok(Move::Ready);
        }
        self.say(format!("the new version makes another graph ({new}, before {old})"))?;
        Ok(Move::Differs)
    }

    pub(super) async fn rebuild(&mut self) -> Result<Move, EngineError> {
        let mut told = String::new();
        loop {
            let detail = match self.jobs_url().await {
                Ok(url) => match jobs::made(self.admin, &url, &self.record.begun.id).await {
                    Ok(Made::Promoted) => return Ok(Move::Rebuilt),
                    Ok(Made::NotYet(detail)) => detail,
                    Err(error) if error.may_pass => error.detail,
                    Ok(Made::Failed(detail)) | Err(AdminFailure { detail, .. }) => {
                        return Ok(Move::Refused { reason: Reason::Projection { detail } });
                    }
                },
                Err(error) => error.detail,
            };
            if self.has_lasted(self.record.begun.plan.rebuild_within) {
                return Ok(Move::Refused { reason: Reason::Projection { detail } });
            }
            if let Some(aborted) = self.aborted() {
                return Ok(aborted);
            }
            if detail != told {
                self.say(&*detail)?;
                told = detail;
            }
            tokio::time::sleep(ROLLOUT_TICK).await;
        }
    }
}
