//! The loop over states, and what all of them need.

use std::time::Duration;

use thiserror::Error;

use crate::clock;
use crate::limits::ROLLOUT_TICK;
use crate::rollout::journal::{Journal, JournalError};
use crate::rollout::provider::{Admin, AdminFailure, Provider, ProviderError, Up};
use crate::rollout::reading::{Instance, Reading};
use crate::rollout::reason::Reason;
use crate::rollout::record::{Entry, Event, Record, RecordError};
use crate::rollout::state::{Move, State};

/// Runs one rollout.
pub struct Engine<'a> {
    pub(super) provider: &'a dyn Provider,
    pub(super) admin: &'a dyn Admin,
    journal: Journal,
    pub(super) record: Record,
    until: Option<u8>,
    tell: Box<dyn FnMut(&Entry, &Record) + Send + 'a>,
}

/// Why a rollout stands still. It goes on where it stands once the cause is gone and it is resumed.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("{what}: {error}; the rollout stands still: weir rollout resume goes on with it")]
    Provider { what: String, error: ProviderError },
    #[error(
        "the old version does not answer ({0}), so nothing can be compared: start it, then weir rollout resume"
    )]
    Blind(String),
    #[error("{what}: {error}; the rollout stands still: weir rollout resume goes on with it")]
    Admin { what: &'static str, error: AdminFailure },
}

impl<'a> Engine<'a> {
    /// Takes a rollout as its journal has it; `tell` hears every entry.
    pub fn new(
        provider: &'a dyn Provider,
        admin: &'a dyn Admin,
        (journal, record): (Journal, Record),
        tell: impl FnMut(&Entry, &Record) + Send + 'a,
    ) -> Self {
        Self { provider, admin, journal, record, until: None, tell: Box::new(tell) }
    }

    /// Has it stand still, at a step that is passed, before one with more of the traffic than so many percent.
    #[must_use]
    pub fn until(self, percent: Option<u8>) -> Self {
        Self { until: percent, ..self }
    }

    /// Goes on until the rollout is over, or stands where it was told to; returns where it is.
    pub async fn run(mut self) -> Result<State, EngineError> {
        loop {
            let aborted = self.aborted().filter(|_| self.record.state.can_be_refused());
            let what = match (aborted, self.record.state.clone()) {
                (Some(aborted), _) => aborted,
                (None, State::Preparing) => self.prepare().await?,
                (None, State::Rebuilding) => self.rebuild().await?,
                (None, State::Step { at }) => self.step(at).await?,
                (None, State::Promoting) => self.promote().await?,
                (None, State::RollingBack { .. }) => self.roll_back().await?,
                (None, over @ (State::Promoted | State::RolledBack { .. })) => {
                    self.journal.forget_abort()?;
                    return Ok(over);
                }
            };
            let steps = self.record.begun.plan.percents.len();
            let to = self.record.state.clone().after(what.clone(), steps);
            let to = to.map_err(RecordError::from)?;
            if what == Move::Passed && self.stands_before(&to) {
                // The move is not taken: whoever goes on looks at this step once more, however much later.
                self.say("it stands here, as it was told to: weir rollout resume goes on")?;
                return Ok(self.record.state);
            }
            self.note(Event::Moved { what, to })?;
        }
    }

    fn stands_before(&self, to: &State) -> bool {
        let State::Step { at } = *to else { return false };
        let percent = self.record.begun.plan.step(at).map_or(100, |step| step.percent);
        self.until.is_some_and(|until| percent > until)
    }

    pub(super) fn note(&mut self, event: Event) -> Result<(), EngineError> {
        let entry = Entry { at_ms: clock::now_ms(), event };
        self.journal.append(&entry)?;
        self.record.apply(&entry)?;
        (self.tell)(&entry, &self.record);
        Ok(())
    }

    pub(super) fn say(&mut self, text: impl Into<String>) -> Result<(), EngineError> {
        self.note(Event::Said { text: text.into() })
    }

    /// Whether the state has lasted so long.
    pub(super) fn has_lasted(&self, duration: Duration) -> bool {
        let elapsed = clock::now_ms().saturating_sub(self.record.since_ms);
        u128::try_from(elapsed).is_ok_and(|elapsed| elapsed >= duration.as_millis())
    }

    pub(super) fn aborted(&self) -> Option<Move> {
        let why = self.journal.abort_wanted()?;
        Some(Move::Refused { reason: Reason::Aborted { why } })
    }

    /// Reads the metrics of all instances in a place.
    pub(super) async fn read(&self, place: &str) -> Result<Reading, ProviderError> {
        let urls = match self.provider.up(place).await? {
            Up::Answers(urls) => urls,
            Up::NotYet(detail) | Up::Gone(detail) => return Err(ProviderError::passing(detail)),
        };
        let mut reading = Reading::default();
        for url in urls {
            let text = self.admin.metrics(&url).await?;
            reading.instances.insert(url, Instance::parse(&text));
        }
        Ok(reading)
    }

    /// Who runs jobs for the new version.
    pub(super) async fn jobs_url(&self) -> Result<String, ProviderError> {
        if let Some(url) = &self.record.begun.jobs_url {
            return Ok(url.clone());
        }
        // Back to the generation before, also the old version may be asked.
        let sides = &self.record.begun.sides;
        for place in [Some(&sides.next), sides.live.as_ref()].into_iter().flatten() {
            if let Up::Answers(urls) = self.provider.up(place).await?
                && let Some(url) = urls.into_iter().next()
            {
                return Ok(url);
            }
        }
        Err(ProviderError::passing("nothing runs that could run the job"))
    }
}

/// Does something again while it may pass, until a deadline.
pub(super) async fn persist(
    deadline: Duration,
    what: String,
    mut attempt: impl AsyncFnMut() -> Result<(), ProviderError>,
) -> Result<(), EngineError> {
    let end = tokio::time::Instant::now() + deadline;
    loop {
        match attempt().await {
            Ok(()) => return Ok(()),
            Err(error) if error.may_pass && tokio::time::Instant::now() < end => {}
            Err(error) => return Err(EngineError::Provider { what, error }),
        }
        tokio::time::sleep(ROLLOUT_TICK).await;
    }
}
