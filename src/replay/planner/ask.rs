//! Asks what has to be known, and puts a plan together. Nothing is changed before [`Planner::start`].

use super::error::PlanError;
use super::plan::{Estimate, Plan, Sample};
use super::resolve::{self, Found};
use super::sample::{Judge, look};
use crate::clock;
use crate::event::Parser;
use crate::generation::{EventTypeSpec, GenerationId, View};
use crate::projection::Fingerprint;
use crate::replay::ground::{Ground, Unready};
use crate::replay::job::{Job, Range, Verb};
use crate::replay::jobs::Jobs;
use crate::replay::point::Place;
use crate::replay::promotion::Facts;
use crate::replay::request::{Point, Request};
use crate::replay::wanted::Wanted;
use crate::stream::{EventLog, LogState, Parked};

/// Plans jobs, and begins them.
pub struct Planner<G> {
    pub ground: G,
    pub log: EventLog,
    pub jobs: Jobs,
    pub parked: Parked,
    /// The event types and upcasters of the process that is asked.
    pub parser: Parser,
}

/// A verb that reads no range of the log.
const NOTHING: Range = Range { from: 1, to: 1 };

impl<G: Ground> Planner<G> {
    /// Tells what a job would do, or why there can be none.
    pub async fn plan(&self, request: &Request, now_ms: i64) -> Result<Plan, PlanError> {
        resolve::sensible(request)?;
        let view = self.ground.generations().read().await?;
        let jobs = self.jobs.list().await?;
        let generation = resolve::generation(request, &view, &jobs)?;
        self.is_allowed(request, generation, &view, &jobs).await?;
        let state = self.log.state().await?;
        let epoch = state.epoch.clone().ok_or(PlanError::NoLog)?.as_str().to_owned();
        let as_of = view.generations.get(&generation).and_then(|record| record.as_of);
        let (range, truncated_at) =
            self.range(request, generation, (&state, as_of), now_ms).await?;
        let mut plan = Plan {
            generation,
            range,
            missing: 0,
            truncated_at,
            sample: Sample::default(),
            estimate: Estimate::default(),
            parked: None,
            epoch,
            fingerprint: None,
            request: request.clone(),
        };
        let parser = self.parser_of(&mut plan, &view)?;
        if request.verb == Verb::Redrive {
            plan.parked = Some(self.parked.count(generation.number()).await?);
        }
        self.look_at(&mut plan, &parser, &state).await?;
        if let Some(collision) = crate::replay::collide::collision(&plan.job(now_ms), &jobs) {
            return Err(collision.into());
        }
        Ok(plan)
    }

    /// Writes the job of a plan down; a worker takes it from there.
    pub async fn start(&self, plan: &Plan) -> Result<Job, PlanError> {
        let job = plan.job(clock::now_ms());
        self.jobs.create(&job).await?;
        Ok(job)
    }

    async fn is_allowed(
        &self,
        request: &Request,
        id: GenerationId,
        view: &View,
        jobs: &[Job],
    ) -> Result<(), PlanError> {
        if request.verb == Verb::Verify {
            let facts = Facts { view: view.clone(), jobs, ..Facts::default() };
            return Ok(facts.may_verify(id)?);
        }
        if !matches!(request.verb, Verb::Promote | Verb::Rollback | Verb::Retire) {
            return Ok(());
        }
        let mut facts = Facts {
            view: view.clone(),
            jobs,
            force: request.force,
            unverified: request.unverified,
            ..Facts::default()
        };
        if request.verb == Verb::Retire {
            return Ok(facts.may_retire(id)?);
        }
        match (self.ground.live(id).await, self.ground.unready_readers(id).await) {
            (Ok(live), Ok(unready)) => (facts.live, facts.unready) = (Some(live), unready),
            // Whoever runs the job knows.
            (Err(Unready::Elsewhere(_)), _) | (_, Err(Unready::Elsewhere(_))) => facts.force = true,
            _ => {}
        }
        match request.verb {
            Verb::Promote => facts.may_promote(id)?,
            _ => _ = facts.may_roll_back()?,
        }
        Ok(())
    }

    async fn range(
        &self,
        request: &Request,
        generation: GenerationId,
        (state, as_of): (&LogState, Option<u64>),
        now_ms: i64,
    ) -> Result<(Range, Option<u64>), PlanError> {
        let end = Found::new(state.last_sequence + 1, "the end of the log");
        let first = state.first_sequence.max(1);
        match request.verb {
            Verb::Replay | Verb::Rebuild => {
                let begin = Found::new(1, "the beginning of the log");
                let from = self.find(request.from.as_ref(), now_ms).await?.unwrap_or(begin);
                let to = request.to.as_ref().or(request.as_of.as_ref());
                let mut to = self.find(to, now_ms).await?.unwrap_or_else(|| end.clone());
                // What is not stored yet is not of the range, and nothing past its moment is of a generation.
                to.sequence = to.sequence.min(end.sequence).min(as_of.unwrap_or(u64::MAX));
                let empty = request.verb == Verb::Rebuild && from.sequence == 1 && to.sequence == 1;
                let range = if empty { NOTHING } else { resolve::range(&from, &to)? };
                // A time before the log's first message is found at that message.
                let timed = |point: &Point| matches!(point.place(now_ms), Ok(Place::Time(_)));
                let timed = request.from.as_ref().is_some_and(timed) && range.from == first;
                let asked =
                    Range { from: range.from.saturating_sub(u64::from(timed)).max(1), ..range };
                let accepted = request.allow_truncated || request.plan;
                let truncated = resolve::truncation(asked, first, accepted)?;
                Ok((range, truncated))
            }
            Verb::Jump => {
                let live = self.ground.live(generation).await;
                let live = live.map_err(|unready| PlanError::Unavailable(unready.to_string()))?;
                let from = Found::new(live.through + 1, "where live is");
                let range = resolve::range(&from, &end).map_err(|_| PlanError::NothingToJump)?;
                Ok((range, Some(first).filter(|first| range.from < *first)))
            }
            Verb::Verify => {
                let range = Range { from: 1, to: end.sequence };
                Ok((range, Some(first).filter(|first| *first > 1)))
            }
            Verb::Redrive | Verb::Promote | Verb::Rollback | Verb::Retire => Ok((NOTHING, None)),
        }
    }

    async fn find(&self, point: Option<&Point>, now_ms: i64) -> Result<Option<Found>, PlanError> {
        let Some(point) = point else { return Ok(None) };
        let place = point.place(now_ms)?;
        let sequence = match place {
            Place::Sequence(sequence) => sequence.max(1),
            Place::Time(at_ms) => self.log.sequence_at(at_ms).await?,
        };
        Ok(Some(Found::new(sequence, place.to_string())))
    }

    /// What the events are read with; a rebuild's is written into the plan.
    fn parser_of(&self, plan: &mut Plan, view: &View) -> Result<Parser, PlanError> {
        let written = match plan.request.verb {
            Verb::Rebuild => {
                let own = || EventTypeSpec::all(self.parser.types());
                let types = plan.request.event_types.take().unwrap_or_else(own);
                plan.request.event_types = Some(types.clone());
                Some(types)
            }
            _ => view.generations.get(&plan.generation).and_then(|one| one.event_types.clone()),
        };
        let Some(written) = written else { return Ok(self.parser.clone()) };
        let types = EventTypeSpec::read(&written).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            PlanError::Meaningless(errors.join("; "))
        })?;
        let upcasters = self.parser.upcasters();
        if plan.request.verb == Verb::Rebuild {
            plan.fingerprint = Some(Fingerprint::of(&types, upcasters).to_string());
        }
        Ok(Parser::new(std::sync::Arc::new(types), upcasters.clone()))
    }

    async fn look_at(
        &self,
        plan: &mut Plan,
        parser: &Parser,
        state: &LogState,
    ) -> Result<(), PlanError> {
        let wanted = Wanted::new(&plan.request.filter, parser.types())?;
        if plan.range.is_empty() {
            return Ok(());
        }
        let held = Range { from: plan.range.from.max(state.first_sequence), ..plan.range };
        let gone = self.log.gone().await?;
        let within = gone.erased.iter().filter(|at| (held.from..held.to).contains(at)).count();
        plan.missing = (plan.range.len() - held.len()) + within as u64;
        let databases = self.ground.has_databases();
        let judge = Judge { parser, wanted: &wanted, epoch: &plan.epoch, databases };
        let (sample, bytes) = judge.sample(&look(&self.log, held).await?);
        let events = plan.range.len() - plan.missing;
        plan.estimate = judge.estimate(events, &sample, bytes, plan.job(0).control);
        plan.sample = sample;
        Ok(())
    }
}
