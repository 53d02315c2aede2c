//! The end of one of both versions: it publishes what it took, and is no more.

use std::time::Duration;

use super::run::{Engine, EngineError, persist};
use crate::limits::ROLLOUT_TICK;
use crate::rollout::jobs::{self, Made};
use crate::rollout::provider::AdminFailure;
use crate::rollout::state::Move;

/// Between two questions whether a version that gets no more traffic is still busy.
const DRAIN_TICK: Duration = Duration::from_millis(500);

impl Engine<'_> {
    pub(super) async fn promote(&mut self) -> Result<Move, EngineError> {
        let (sides, to) = (self.record.begun.sides.clone(), self.record.begun.to.clone());
        let (provider, deadline) = (self.provider, self.record.begun.plan.drain_within);
        let what = format!("{to} cannot be made the live version");
        persist(deadline, what, async || provider.settle(&sides, &to).await).await?;
        if let Some(live) = &sides.live {
            self.end(live, Some(&sides.next), true).await?;
        }
        Ok(Move::Ended)
    }

    pub(super) async fn roll_back(&mut self) -> Result<Move, EngineError> {
        let sides = self.record.begun.sides.clone();
        if sides.live.is_some() && self.record.had_traffic {
            self.split(0).await?;
        }
        if self.record.rebuilt {
            self.back_to_generation().await?;
        }
        self.end(&sides.next, sides.live.as_deref(), self.record.had_traffic).await?;
        Ok(Move::Ended)
    }

    /// Has the generation before answer again; it has followed the log meanwhile.
    async fn back_to_generation(&mut self) -> Result<(), EngineError> {
        let what = "the generation before cannot be made the active one again";
        let end = tokio::time::Instant::now() + self.record.begun.plan.drain_within;
        loop {
            let url = self
                .jobs_url()
                .await
                .map_err(|error| AdminFailure { detail: error.detail, may_pass: error.may_pass });
            let asked = match url {
                Ok(url) => jobs::back(self.admin, &url, &self.record.begun.id).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(Made::Promoted) => return self.say("the generation before answers again"),
                Ok(Made::NotYet(_)) => {}
                Ok(Made::Failed(detail)) => {
                    let error = AdminFailure { detail, may_pass: false };
                    return Err(EngineError::Admin { what, error });
                }
                Err(error) if error.may_pass && tokio::time::Instant::now() < end => {}
                Err(error) => return Err(EngineError::Admin { what, error }),
            }
            tokio::time::sleep(ROLLOUT_TICK).await;
        }
    }

    /// Ends a version without traffic once it has published what it took.
    async fn end(
        &mut self,
        place: &str,
        keeper: Option<&str>,
        had_traffic: bool,
    ) -> Result<(), EngineError> {
        self.say(format!("{place} gets no more traffic, publishes what it has, and ends"))?;
        let end = tokio::time::Instant::now() + self.record.begun.plan.drain_within;
        loop {
            let drained = !had_traffic || self.drain(place, end).await;
            match self.provider.stop(place, keeper, drained).await {
                Ok(()) => return Ok(()),
                Err(error) if error.may_pass && tokio::time::Instant::now() < end => {}
                Err(error) => {
                    let what = format!("{place} cannot be ended");
                    return Err(EngineError::Provider { what, error });
                }
            }
            tokio::time::sleep(ROLLOUT_TICK).await;
        }
    }

    /// Waits until a version answers no more requests and all that it took is in the stream; false if that
    /// cannot be seen, or did not come in time.
    async fn drain(&self, place: &str, end: tokio::time::Instant) -> bool {
        let mut before = None;
        loop {
            let Ok(reading) = self.read(place).await else { return false };
            let requests = reading.all().requests;
            if before == Some(requests) && reading.lag() == 0 {
                return true;
            }
            // Without NATS nothing will be published, however long one waits.
            if before == Some(requests) && !reading.connected()
                || tokio::time::Instant::now() >= end
            {
                return false;
            }
            before = Some(requests);
            tokio::time::sleep(DRAIN_TICK).await;
        }
    }
}
