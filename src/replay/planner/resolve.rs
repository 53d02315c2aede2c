//! From a request to a generation and a range, and what forbids them. Pure.

use super::error::PlanError;
use crate::generation::{GenerationId, Record, View};
use crate::replay::job::{Filter, Job, Range, Verb};
use crate::replay::request::Request;

/// A place in the log that was found, and the words it was named with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub sequence: u64,
    pub text: String,
}

impl Found {
    pub fn new(sequence: u64, text: impl Into<String>) -> Self {
        Self { sequence, text: text.into() }
    }
}

/// Makes a range of two places, if anything lies between them.
pub fn range(from: &Found, to: &Found) -> Result<Range, PlanError> {
    if from.sequence < to.sequence {
        return Ok(Range { from: from.sequence, to: to.sequence });
    }
    Err(PlanError::Empty {
        from: from.sequence,
        from_text: from.text.clone(),
        to: to.sequence,
        to_text: to.text.clone(),
    })
}

/// Refuses a range that begins before the log does, unless that is accepted; returns where the log begins then.
pub fn truncation(range: Range, first: u64, accepted: bool) -> Result<Option<u64>, PlanError> {
    if range.from >= first {
        return Ok(None);
    }
    if accepted { Ok(Some(first)) } else { Err(PlanError::Truncated { first }) }
}

/// The generation that a job works on.
pub fn generation(request: &Request, view: &View, jobs: &[Job]) -> Result<GenerationId, PlanError> {
    let active = view.active_id();
    match request.verb {
        Verb::Rebuild => match request.generation {
            Some(id) if view.generations.contains_key(&id) => Err(PlanError::Exists(id)),
            Some(id) => Ok(id),
            None => Ok(next_free(view, jobs)),
        },
        Verb::Promote | Verb::Retire => request.generation.ok_or(PlanError::NoGeneration),
        Verb::Rollback => {
            let previous = view.active.as_ref().and_then(|active| active.previous);
            let none = crate::replay::promotion::Refused::NoPrevious(active);
            let previous = previous.ok_or(none)?;
            match request.generation {
                Some(id) if id != previous => Err(PlanError::Meaningless(format!(
                    "a rollback goes to {previous}, which was active before: use promote for {id}"
                ))),
                _ => Ok(previous),
            }
        }
        Verb::Replay | Verb::Jump | Verb::Verify | Verb::Redrive => {
            let id = request.generation.unwrap_or(active);
            usable(request.verb, id, view.generations.get(&id))
        }
    }
}

fn usable(
    verb: Verb,
    id: GenerationId,
    record: Option<&Record>,
) -> Result<GenerationId, PlanError> {
    let record = record.ok_or(PlanError::UnknownGeneration(id))?;
    if record.retiring {
        return Err(PlanError::Retiring(id));
    }
    match record.as_of {
        Some(as_of) if matches!(verb, Verb::Jump | Verb::Redrive) => {
            Err(PlanError::AsOf { id, as_of })
        }
        _ => Ok(id),
    }
}

/// One more than any generation has, or a job that makes one, or has made one that is gone: its name may stand
/// in places that do not know that yet.
fn next_free(view: &View, jobs: &[Job]) -> GenerationId {
    let made = jobs.iter().filter(|job| job.verb == Verb::Rebuild);
    let taken = view.generations.keys().copied().chain(made.map(|job| job.generation));
    let next = taken.map(GenerationId::number).max().unwrap_or(0) + 1;
    GenerationId::parse(&format!("g{next}")).unwrap_or(GenerationId::FIRST)
}

/// Refuses what a verb cannot do with what it was given.
pub fn sensible(request: &Request) -> Result<(), PlanError> {
    let verb = request.verb;
    let Filter { types, users, items, sources, reason, older_than_ms, id_prefix, error_text } =
        &request.filter;
    let of_events = [users, items, sources].into_iter().any(|ids| !ids.is_empty());
    let of_parked =
        reason.is_some() || older_than_ms.is_some() || id_prefix.is_some() || error_text.is_some();
    let filters = of_events || of_parked || !types.is_empty();
    let wrong = match verb {
        Verb::Replay if of_parked => "a replay is filtered by type, user, item and source",
        Verb::Redrive if of_events => "a redrive is filtered by type, reason, age, id and error",
        Verb::Replay | Verb::Redrive => "",
        _ if filters => "takes no filter",
        _ => "",
    };
    let ranged = request.from.is_some() || request.to.is_some();
    let wrong = match verb {
        _ if !wrong.is_empty() => wrong,
        Verb::Rebuild if ranged => {
            "a rebuild begins with the log, and ends at its end or at --as-of"
        }
        Verb::Replay | Verb::Rebuild => "",
        _ if ranged => "takes no range",
        _ => "",
    };
    let wrong = if wrong.is_empty() && request.as_of.is_some() && verb != Verb::Rebuild {
        "only a rebuild is of a moment"
    } else {
        wrong
    };
    if wrong.is_empty() {
        return Ok(());
    }
    let told =
        if wrong.starts_with("takes") { format!("{verb} {wrong}") } else { wrong.to_owned() };
    Err(PlanError::Meaningless(told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Active;
    use crate::replay::request::Point;

    fn id(text: &str) -> GenerationId {
        GenerationId::parse(text).expect("valid")
    }

    fn view() -> View {
        let record = |name: &str| (id(name), Record::new(id(name), "f", 1));
        let active =
            Active { id: id("g2"), promotion: 2, previous: Some(id("g1")), promoted_ms: 1 };
        View { generations: [record("g1"), record("g2")].into(), active: Some(active) }
    }

    fn of(verb: Verb, generation: Option<&str>) -> Result<GenerationId, PlanError> {
        let request = Request { generation: generation.map(id), ..Request::new(verb) };
        generation_of(&request)
    }

    fn generation_of(request: &Request) -> Result<GenerationId, PlanError> {
        generation(request, &view(), &[])
    }

    #[test]
    fn a_job_works_on_what_it_names_or_on_what_is_meant() {
        assert_eq!(of(Verb::Replay, None).unwrap(), id("g2"));
        assert_eq!(of(Verb::Replay, Some("g1")).unwrap(), id("g1"));
        assert!(matches!(of(Verb::Replay, Some("g7")), Err(PlanError::UnknownGeneration(_))));
        assert_eq!(of(Verb::Rebuild, None).unwrap(), id("g3"));
        assert!(matches!(of(Verb::Rebuild, Some("g1")), Err(PlanError::Exists(_))));
        assert!(matches!(of(Verb::Promote, None), Err(PlanError::NoGeneration)));
        assert_eq!(of(Verb::Rollback, None).unwrap(), id("g1"));
        assert!(matches!(of(Verb::Rollback, Some("g2")), Err(PlanError::Meaningless(_))));
        let range = Range { from: 1, to: 2 };
        let other = Job::of(Request::new(Verb::Rebuild), id("g3"), range, "e", 1);
        assert_eq!(next_free(&view(), &[other]), id("g4"), "one that is being made is taken");
    }

    #[test]
    fn an_empty_range_tells_both_ends_and_a_truncated_one_where_the_log_begins() {
        let (from, to) = (Found::new(9, "-1h"), Found::new(9, "-2h"));
        let told = range(&from, &to).unwrap_err().to_string();
        assert!(told.contains("9 (-1h)") && told.contains("9 (-2h)"), "{told}");
        let whole = range(&Found::new(1, "the log's first"), &to).unwrap();
        assert_eq!(truncation(whole, 1, false).unwrap(), None);
        assert!(matches!(truncation(whole, 5, false), Err(PlanError::Truncated { first: 5 })));
        assert_eq!(truncation(whole, 5, true).unwrap(), Some(5));
        assert_eq!(truncation(Range { from: 5, to: 9 }, 5, false).unwrap(), None);
    }

    #[test]
    fn what_a_verb_cannot_do_is_refused() {
        let point = Some(Point::Sequence(7));
        let users = Filter { users: vec!["u".to_owned()], ..Filter::default() };
        let reason = Filter { reason: Some("r".to_owned()), ..Filter::default() };
        let asked =
            |verb, filter: &Filter| Request { filter: filter.clone(), ..Request::new(verb) };
        for verb in Verb::ALL {
            assert!(sensible(&Request::new(verb)).is_ok(), "{verb}");
            assert_eq!(sensible(&asked(verb, &users)).is_ok(), verb == Verb::Replay, "{verb}");
            assert_eq!(sensible(&asked(verb, &reason)).is_ok(), verb == Verb::Redrive, "{verb}");
            let from = Request { from: point.clone(), ..Request::new(verb) };
            assert_eq!(sensible(&from).is_ok(), verb == Verb::Replay, "{verb}");
            let to = Request { to: point.clone(), ..Request::new(verb) };
            assert_eq!(sensible(&to).is_ok(), verb == Verb::Replay, "{verb}");
            let as_of = Request { as_of: point.clone(), ..Request::new(verb) };
            assert_eq!(sensible(&as_of).is_ok(), verb == Verb::Rebuild, "{verb}");
        }
    }
}
