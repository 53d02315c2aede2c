//! Which generation may answer, and which may end: decided from what is known of them. Pure.

use super::ground::Live;
use super::job::{Job, JobId, Range, Verb};
use super::state::State;
use crate::generation::{GenerationId, Record, View};
use crate::limits::PROMOTE_LAG_EVENTS;

/// What is known when somebody asks for a switch.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    pub view: View,
    pub jobs: &'a [Job],
    /// The job that asks; it is not in its own way.
    pub asking: Option<&'a JobId>,
    /// How far live is in the generation; absent if nothing follows the log into it.
    pub live: Option<Live>,
    /// Whose images of it are not ready.
    pub unready: Vec<String>,
    pub force: bool,
    pub unverified: bool,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no generation {0}: `weir generation list` shows those there are")]
    Unknown(GenerationId),
    #[error("generation {0} is active already")]
    Active(GenerationId),
    #[error("generation {0} is being retired")]
    Retiring(GenerationId),
    #[error("generation {id} is still being built by job {job}: wait for it")]
    Building { id: GenerationId, job: String },
    #[error(
        "generation {id} was never finished, since job {job} is {state}: rebuild it, and retire this one"
    )]
    Unfinished { id: GenerationId, job: String, state: State },
    #[error(
        "generation {id} has a gap that job {job} has left when it failed: weir replay --generation {id} --from {} --to {}",
        .range.from, .range.to
    )]
    GapLeft { id: GenerationId, job: JobId, range: Range },
    #[error("generation {id} has a gap that job {job} fills: wait for it")]
    Gap { id: GenerationId, job: JobId },
    #[error(
        "generation {id} is {behind} events behind the log, and {PROMOTE_LAG_EVENTS} are allowed: wait, or use --force"
    )]
    Behind { id: GenerationId, behind: u64 },
    #[error(
        "nothing follows the log into generation {0}, as far as is known: is a projector running? Or use --force"
    )]
    Unfollowed(GenerationId),
    #[error(
        "generation {id} holds the log below {as_of} alone, and nothing follows: use --force if that is meant"
    )]
    AsOf { id: GenerationId, as_of: u64 },
    #[error("generation {id} is not ready at {}: wait, or use --force", .readers.join(", "))]
    Readers { id: GenerationId, readers: Vec<String> },
    #[error(
        "generation {0} was not compared with the log: run `weir verify {0}`, or use --unverified"
    )]
    Unverified(GenerationId),
    #[error("no generation was active before {0}: there is nothing to roll back to")]
    NoPrevious(GenerationId),
    #[error("generation {0} is active: promote another one first")]
    RetireActive(GenerationId),
    #[error("generation {0} is where a rollback goes: use --force to give that up")]
    WayBack(GenerationId),
    #[error("job {job} works on generation {id}: cancel it first")]
    InUse { id: GenerationId, job: JobId },
}

impl Refused {
    /// Whether it passes without anybody's doing.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Building { .. }
                | Self::Gap { .. }
                | Self::Behind { .. }
                | Self::Unfollowed(_)
                | Self::Readers { .. }
        )
    }
}

impl Facts<'_> {
    /// Checks that a generation may be the one that answers.
    pub fn may_promote(&self, id: GenerationId) -> Result<(), Refused> {
        let record = self.usable(id)?;
        self.is_whole(record)?;
        if !self.unverified && record.verified.is_none() {
            return Err(Refused::Unverified(id));
        }
        self.answers(record)
    }

    /// Checks that a generation is one that can be what the log says.
    pub fn may_verify(&self, id: GenerationId) -> Result<(), Refused> {
        self.is_built(self.view.generations.get(&id).ok_or(Refused::Unknown(id))?)
    }

    /// Checks that the generation that was active before may be so again; returns it.
    pub fn may_roll_back(&self) -> Result<GenerationId, Refused> {
        let active = self.view.active.as_ref();
        let none = Refused::NoPrevious(self.view.active_id());
        let id = active.and_then(|active| active.previous).ok_or(none)?;
        let record = self.usable(id)?;
        self.is_whole(record)?;
        self.answers(record)?;
        Ok(id)
    }

    /// Checks that a generation may end.
    pub fn may_retire(&self, id: GenerationId) -> Result<(), Refused> {
        if !self.view.generations.contains_key(&id) {
            return Err(Refused::Unknown(id));
        }
        if self.view.active_id() == id {
            return Err(Refused::RetireActive(id));
        }
        let way_back = self.view.active.as_ref().and_then(|active| active.previous) == Some(id);
        if way_back && !self.force {
            return Err(Refused::WayBack(id));
        }
        match self.open(id).next() {
            Some(job) => Err(Refused::InUse { id, job: job.id.clone() }),
            None => Ok(()),
        }
    }

    fn usable(&self, id: GenerationId) -> Result<&Record, Refused> {
        let record = self.view.generations.get(&id).ok_or(Refused::Unknown(id))?;
        if self.view.active.as_ref().is_some_and(|active| active.id == id) {
            return Err(Refused::Active(id));
        }
        if record.retiring {
            return Err(Refused::Retiring(id));
        }
        Ok(record)
    }

    /// Whether it holds all that it shall; nothing forces this.
    fn is_whole(&self, record: &Record) -> Result<(), Refused> {
        let id = record.id;
        self.is_built(record)?;
        let fills = |job: &&Job| matches!(job.verb, Verb::Jump | Verb::Rebuild);
        if let Some(job) = self.open(id).find(fills) {
            return Err(Refused::Gap { id, job: job.id.clone() });
        }
        match self.jobs.iter().find(|job| self.leaves_a_gap(job, id)) {
            Some(job) => Err(Refused::GapLeft { id, job: job.id.clone(), range: job.range }),
            None => Ok(()),
        }
    }

    /// Whether a jump has failed, and nobody has applied its range since.
    fn leaves_a_gap(&self, jump: &Job, id: GenerationId) -> bool {
        let failed =
            jump.verb == Verb::Jump && jump.state == State::Failed && !jump.chunks.is_empty();
        let heals = |job: &Job| {
            job.generation == id
                && job.verb == Verb::Replay
                && job.state == State::Done
                && job.request.filter.is_empty()
                && job.range.from <= jump.range.from
                && job.range.to >= jump.range.to
                && job.created_ms >= jump.created_ms
        };
        failed && jump.generation == id && !self.jobs.iter().any(heals)
    }

    /// Whether the job that builds it has come to the end of its range.
    fn is_built(&self, record: &Record) -> Result<(), Refused> {
        let Some(job) = record.building.clone() else { return Ok(()) };
        let (id, known) = (record.id, self.jobs.iter().find(|known| known.id.as_str() == job));
        Err(match known.map(|job| job.state).filter(|state| state.is_over()) {
            Some(state) => Refused::Unfinished { id, job, state },
            None => Refused::Building { id, job },
        })
    }

    /// Whether it would answer as well as the one that does.
    fn answers(&self, record: &Record) -> Result<(), Refused> {
        let id = record.id;
        if self.force {
            return Ok(());
        }
        match (record.as_of, self.live) {
            (Some(as_of), _) => return Err(Refused::AsOf { id, as_of }),
            (None, None) => return Err(Refused::Unfollowed(id)),
            (None, Some(live)) if live.behind > PROMOTE_LAG_EVENTS => {
                return Err(Refused::Behind { id, behind: live.behind });
            }
            _ => {}
        }
        if self.unready.is_empty() {
            return Ok(());
        }
        Err(Refused::Readers { id, readers: self.unready.clone() })
    }

    fn open(&self, id: GenerationId) -> impl Iterator<Item = &Job> {
        let mine = move |job: &&Job| job.generation == id && !job.state.is_over();
        self.jobs.iter().filter(mine).filter(|job| Some(&job.id) != self.asking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::{Active, Verified};
    use crate::replay::job::Range;
    use crate::replay::request::Request;

    fn id(text: &str) -> GenerationId {
        GenerationId::parse(text).expect("valid")
    }

    fn record(name: &str) -> Record {
        let verified = Some(Verified { through: 9, at_ms: 1 });
        Record { verified, ..Record::new(id(name), "f", 1) }
    }

    /// `g1` was active, `g2` is, `g3` is ready.
    fn facts() -> Facts<'static> {
        let mut view = View::default();
        for name in ["g1", "g2", "g3"] {
            view.generations.insert(id(name), record(name));
        }
        let (active, previous) = (id("g2"), Some(id("g1")));
        view.active = Some(Active { id: active, promotion: 2, previous, promoted_ms: 1 });
        let live = Some(Live { lag_ms: 1.0, through: 9, behind: 0 });
        Facts { view, live, ..Facts::default() }
    }

    fn change(facts: &mut Facts<'_>, name: &str, change: impl FnOnce(&mut Record)) {
        change(facts.view.generations.get_mut(&id(name)).expect("there"));
    }

    fn job(verb: Verb, generation: &str) -> Job {
        Job::of(Request::new(verb), id(generation), Range { from: 1, to: 2 }, "e", 1)
    }

    #[test]
    fn a_generation_that_is_whole_verified_and_near_is_promoted() {
        assert_eq!(facts().may_promote(id("g3")), Ok(()));
        assert_eq!(facts().may_promote(id("g2")), Err(Refused::Active(id("g2"))));
        assert_eq!(facts().may_promote(id("g9")), Err(Refused::Unknown(id("g9"))));
    }

    #[test]
    fn what_is_not_built_yet_is_not_compared_with_the_log() {
        let mut building = facts();
        change(&mut building, "g3", |record| record.building = Some("rebuild-1".to_owned()));
        let refused = building.may_verify(id("g3")).expect_err("most of it is missing");
        assert!(refused.to_string().contains("wait for it"), "{refused}");
        assert_eq!(building.may_verify(id("g1")), Ok(()));
        assert_eq!(building.may_verify(id("g9")), Err(Refused::Unknown(id("g9"))));
    }

    #[test]
    fn what_passes_by_itself_is_told_apart_and_force_skips_what_it_may() {
        let jobs = [job(Verb::Jump, "g3")];
        let live = |behind| Some(Live { lag_ms: 1.0, through: 1, behind });
        let mut building = facts();
        change(&mut building, "g3", |record| record.building = Some("rebuild-1".to_owned()));
        let mut as_of = facts();
        change(&mut as_of, "g3", |record| record.as_of = Some(7));
        let mut unverified = facts();
        change(&mut unverified, "g3", |record| record.verified = None);
        let mut retiring = facts();
        change(&mut retiring, "g3", |record| record.retiring = true);
        let cases = [
            (building, true, false),
            (Facts { jobs: &jobs, ..facts() }, true, false),
            (Facts { live: live(PROMOTE_LAG_EVENTS + 1), ..facts() }, true, true),
            (Facts { live: None, ..facts() }, true, true),
            (Facts { unready: vec!["api-1".to_owned()], ..facts() }, true, true),
            (as_of, false, true),
            (unverified, false, false),
            (retiring, false, false),
        ];
        for (facts, passes, forced) in cases {
            let refused = facts.may_promote(id("g3")).expect_err("refused");
            assert_eq!(refused.passes(), passes, "{refused}");
            let facts = Facts { force: true, ..facts };
            assert_eq!(facts.may_promote(id("g3")).is_ok(), forced, "{refused}");
        }
        let own = &jobs[0].id;
        let facts = Facts { jobs: &jobs, asking: Some(own), ..facts() };
        assert_eq!(facts.may_promote(id("g3")), Ok(()));
    }

    #[test]
    fn what_was_never_finished_is_not_waited_for() {
        let mut rebuild = job(Verb::Rebuild, "g3");
        let mut building = facts();
        let name = rebuild.id.to_string();
        change(&mut building, "g3", |record| record.building = Some(name));
        let refused = |job: &Job| {
            let jobs = std::slice::from_ref(job);
            let facts = Facts { jobs, ..building.clone() };
            facts.may_promote(id("g3")).expect_err("refused")
        };
        assert!(refused(&rebuild).passes());
        rebuild.state = State::Cancelled;
        let refused = refused(&rebuild);
        assert!(!refused.passes() && refused.to_string().contains("cancelled"), "{refused}");
    }

    #[test]
    fn a_rollback_goes_where_it_came_from_without_a_verification() {
        let mut facts = facts();
        change(&mut facts, "g1", |record| record.verified = None);
        assert_eq!(facts.may_roll_back(), Ok(id("g1")));
        facts.view.active.as_mut().expect("there").previous = None;
        assert_eq!(facts.may_roll_back(), Err(Refused::NoPrevious(id("g2"))));
    }

    #[test]
    fn what_answers_is_never_retired_and_the_way_back_only_by_force() {
        let force = Facts { force: true, ..facts() };
        assert_eq!(facts().may_retire(id("g3")), Ok(()));
        assert_eq!(force.may_retire(id("g2")), Err(Refused::RetireActive(id("g2"))));
        assert_eq!(facts().may_retire(id("g1")), Err(Refused::WayBack(id("g1"))));
        assert_eq!(force.may_retire(id("g1")), Ok(()));
        let jobs = [job(Verb::Replay, "g3")];
        let used = Facts { jobs: &jobs, ..facts() }.may_retire(id("g3"));
        assert_eq!(used, Err(Refused::InUse { id: id("g3"), job: jobs[0].id.clone() }));
    }
}
