//! Runs a rollout: does what its state asks for, writes down what it sees, and takes the moves that follow.
//!
//! Everything that is done may be done again, so it begins where the journal ends, whatever was under way.

use std::time::Duration;

use thiserror::Error;

use super::jobs::{self, Made};
use super::journal::{Journal, JournalError};
use super::judge::Verdict;
use super::provider::{Admin, AdminFailure, Provider, ProviderError, Up};
use super::reading::{Instance, Reading};
use super::reason::Reason;
use super::record::{Entry, Event, Record, RecordError};
use super::state::{Move, State};
use crate::clock;
use crate::limits::{ROLLOUT_SILENT_LOOKS, ROLLOUT_TICK};

/// Between two questions whether a version that gets no more traffic is still busy.
const DRAIN_TICK: Duration = Duration::from_millis(500);

/// Runs one rollout.
pub struct Engine<'a> {
    provider: &'a dyn Provider,
    admin: &'a dyn Admin,
    journal: Journal,
    record: Record,
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

    fn note(&mut self, event: Event) -> Result<(), EngineError> {
        let entry = Entry { at_ms: clock::now_ms(), event };
        self.journal.append(&entry)?;
        self.record.apply(&entry)?;
        (self.tell)(&entry, &self.record);
        Ok(())
    }

    fn say(&mut self, text: impl Into<String>) -> Result<(), EngineError> {
        self.note(Event::Said { text: text.into() })
    }

    /// Whether the state has lasted so long.
    fn has_lasted(&self, duration: Duration) -> bool {
        let elapsed = clock::now_ms().saturating_sub(self.record.since_ms);
        u128::try_from(elapsed).is_ok_and(|elapsed| elapsed >= duration.as_millis())
    }

    fn aborted(&self) -> Option<Move> {
        let why = self.journal.abort_wanted()?;
        Some(Move::Refused { reason: Reason::Aborted { why } })
    }

    async fn prepare(&mut self) -> Result<Move, EngineError> {
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

    /// Reads the metrics of all instances in a place.
    async fn read(&self, place: &str) -> Result<Reading, ProviderError> {
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

    async fn rebuild(&mut self) -> Result<Move, EngineError> {
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

    /// Who runs jobs for the new version.
    async fn jobs_url(&self) -> Result<String, ProviderError> {
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

    async fn step(&mut self, at: usize) -> Result<Move, EngineError> {
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

    async fn split(&mut self, percent: u8) -> Result<(), EngineError> {
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

    async fn promote(&mut self) -> Result<Move, EngineError> {
        let (sides, to) = (self.record.begun.sides.clone(), self.record.begun.to.clone());
        let (provider, deadline) = (self.provider, self.record.begun.plan.drain_within);
        let what = format!("{to} cannot be made the live version");
        persist(deadline, what, async || provider.settle(&sides, &to).await).await?;
        if let Some(live) = &sides.live {
            self.end(live, Some(&sides.next), true).await?;
        }
        Ok(Move::Ended)
    }

    async fn roll_back(&mut self) -> Result<Move, EngineError> {
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

enum Readiness {
    Ready,
    NotYet(String),
    Gone(String),
}

enum Looked {
    GoesOn,
    Decided(Option<Move>),
    /// The new version does not answer.
    Silent(String),
    /// The old version does not answer.
    Blind(String),
}

/// Does something again while it may pass, until a deadline.
async fn persist(
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
