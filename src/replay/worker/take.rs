//! A job is taken, or left for later or for others.

use super::hand::Halt;
use super::runner::Shared;
use crate::clock;
use crate::generation::{EventTypeSpec, GenerationId, Record};
use crate::projection::Fingerprint;
use crate::projector::MemoryGraph;
use crate::replay::ground::{Graph, Ground, Target};
use crate::replay::job::{Job, Verb};
use crate::replay::split::split;
use crate::replay::state::{Move, State};

/// Opens what a job works on, if it works on a graph; makes it first if that is what the job is for.
pub(super) async fn prepare<G: Ground>(
    shared: &Shared<G>,
    job: &Job,
) -> Result<Option<Graph>, Halt> {
    match job.verb {
        Verb::Rebuild => {
            if job.state != State::CatchingUp {
                make(shared, job).await?;
            }
            Ok(Some(open(shared, job.generation).await?))
        }
        Verb::Replay | Verb::Jump | Verb::Verify => Ok(Some(open(shared, job.generation).await?)),
        Verb::Redrive | Verb::Promote | Verb::Rollback | Verb::Retire => Ok(None),
    }
}

async fn open<G: Ground>(shared: &Shared<G>, id: GenerationId) -> Result<Graph, Halt> {
    let view = shared.ground.generations().read().await.map_err(|e| Halt::Wait(e.to_string()))?;
    match view.generations.get(&id) {
        None => Err(Halt::Failed(format!("generation {id} is gone"))),
        Some(record) if record.retiring => {
            Err(Halt::Failed(format!("generation {id} is being retired")))
        }
        Some(_) => Ok(shared.ground.graph(id).await?),
    }
}

async fn make<G: Ground>(shared: &Shared<G>, job: &Job) -> Result<(), Halt> {
    let types = job.request.event_types.clone().unwrap_or_default();
    let read = EventTypeSpec::read(&types).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Halt::Failed(format!("the event types cannot be used: {}", errors.join("; ")))
    })?;
    let fingerprint = Fingerprint::of(&read, &shared.options.upcasters).to_string();
    if job.fingerprint.as_ref() != Some(&fingerprint) {
        let text =
            "it was planned for the projection of another version of weir, which has to run it";
        return Err(Halt::Elsewhere(text.to_owned()));
    }
    let record = record_of(job, &fingerprint, !shared.ground.has_databases());
    Ok(shared.ground.make(&record).await?)
}

/// The generation that a rebuild makes.
fn record_of(job: &Job, fingerprint: &str, in_memory: bool) -> Record {
    let as_of = job.request.as_of.as_ref().map(|_| job.range.to);
    Record {
        in_memory,
        event_types: job.request.event_types.clone(),
        follows_from: as_of.is_none().then_some(job.range.to),
        as_of,
        building: Some(job.id.to_string()),
        ..Record::new(job.generation, fingerprint, job.created_ms)
    }
}

/// Writes that this worker has it, with all that it goes on from.
pub(super) async fn take<G: Ground>(
    shared: &Shared<G>,
    job: &Job,
    graph: Option<&Graph>,
) -> Result<Job, Halt> {
    let memory = graph.and_then(|graph| match &graph.target {
        Target::Memory(memory) => Some(memory),
        Target::Database(_) => None,
    });
    let taken = shared.jobs.change(&job.id, |job| {
        job.make(Move::Take, clock::now_ms())?;
        job.run.fence += 1;
        job.run.worker = Some(shared.options.name.clone());
        job.note = None;
        // A gap of live is there once live has moved, and then it is split.
        if job.chunks.is_empty() && matches!(job.verb, Verb::Replay | Verb::Rebuild) {
            job.chunks = split(job.range);
        }
        if let Some(memory) = memory {
            fit(job, memory.instance(), |from, to| holds(memory, from, to));
        }
        Ok::<_, crate::replay::jobs::JobError>(())
    });
    Ok(taken.await?)
}

fn holds(memory: &MemoryGraph, from: u64, to: u64) -> bool {
    memory.holds(from, to)
}

/// Has what was applied to another graph in memory read again, unless this one holds it too.
///
/// Of a replay that cannot be told: live has applied the same range before.
fn fit(job: &mut Job, instance: u64, holds: impl Fn(u64, u64) -> bool) {
    if job.run.instance == Some(instance) || job.state != State::Running {
        return;
    }
    job.run.instance = Some(instance);
    let told = job.request.filter.is_empty() && matches!(job.verb, Verb::Rebuild | Verb::Jump);
    for chunk in &mut job.chunks {
        if !(told && holds(chunk.from, chunk.next)) {
            chunk.begin_anew();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::fold::Fate;
    use crate::replay::job::{Filter, Range};
    use crate::replay::request::{Point, Request};

    fn job(verb: Verb, filter: Filter) -> Job {
        let request = Request { filter, ..Request::new(verb) };
        let range = Range { from: 1, to: 10_001 };
        let mut job = Job::of(request, GenerationId::FIRST, range, "e", 1);
        job.chunks = split(range);
        job.state = State::Running;
        for chunk in &mut job.chunks {
            (chunk.from..chunk.from + 100).for_each(|sequence| chunk.take(sequence, Fate::Applied));
        }
        job.run.instance = Some(1);
        job
    }

    fn read_after(mut job: Job, instance: u64) -> u64 {
        fit(&mut job, instance, |from, _| from == 1);
        assert_eq!(job.run.instance, Some(instance));
        job.read()
    }

    #[test]
    fn what_another_graph_lacks_is_read_again() {
        let filtered = || Filter { users: vec!["u".to_owned()], ..Filter::default() };
        assert_eq!(read_after(job(Verb::Rebuild, Filter::default()), 1), 200, "the same graph");
        assert_eq!(read_after(job(Verb::Rebuild, Filter::default()), 2), 100, "it holds the first");
        assert_eq!(read_after(job(Verb::Jump, Filter::default()), 2), 100);
        assert_eq!(read_after(job(Verb::Replay, Filter::default()), 2), 0);
        assert_eq!(read_after(job(Verb::Jump, filtered()), 2), 0);
    }

    #[test]
    fn a_rebuild_follows_the_log_from_its_end_unless_it_is_of_a_moment() {
        let mut job = job(Verb::Rebuild, Filter::default());
        let record = record_of(&job, "f", false);
        assert_eq!((record.follows_from, record.as_of), (Some(10_001), None));
        assert_eq!(record.building, Some(job.id.to_string()));
        job.request.as_of = Some(Point::Sequence(10_001));
        let record = record_of(&job, "f", true);
        assert_eq!((record.follows_from, record.as_of), (None, Some(10_001)));
        assert!(record.in_memory);
    }
}
