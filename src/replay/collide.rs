//! Which jobs cannot be begun beside each other. Pure.
//!
//! Replays may run beside anything: what they apply merges.

use super::job::{Job, Verb};
use super::jobs::Collision;

/// The job that is in the way of another one, among all there are.
pub fn collision(new: &Job, jobs: &[Job]) -> Option<Collision> {
    let other = jobs.iter().find(|job| !job.state.is_over() && collide(new, job))?;
    let what = format!("{} of {}, {}", other.verb, other.generation, other.state);
    Some(Collision { other: other.id.clone(), what })
}

fn collide(new: &Job, open: &Job) -> bool {
    let switches = |verb| matches!(verb, Verb::Promote | Verb::Rollback);
    if switches(new.verb) && switches(open.verb) {
        return true;
    }
    if new.generation != open.generation {
        return false;
    }
    let alone = matches!(new.verb, Verb::Rebuild | Verb::Jump | Verb::Redrive);
    new.verb == Verb::Retire
        || open.verb == Verb::Retire
        || (alone && new.verb == open.verb)
        || lacks_events(new.verb, open.verb)
        || lacks_events(open.verb, new.verb)
}

/// What a jump leaves behind, or a rebuild has not read, would be told as missing by whoever compares.
fn lacks_events(fills: Verb, comparing: Verb) -> bool {
    match fills {
        Verb::Jump => matches!(comparing, Verb::Verify | Verb::Rebuild),
        Verb::Rebuild => comparing == Verb::Verify,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::GenerationId;
    use crate::replay::job::Range;
    use crate::replay::request::Request;
    use crate::replay::state::State;

    fn job(verb: Verb, generation: &str) -> Job {
        let id = GenerationId::parse(generation).expect("valid");
        Job::of(Request::new(verb), id, Range { from: 1, to: 2 }, "e", 1)
    }

    #[test]
    fn what_would_undo_each_other_is_not_begun_and_the_rest_is() {
        let blocked = |new, open| collision(&job(new, "g2"), &[job(open, "g2")]).is_some();
        for verb in Verb::ALL {
            assert!(blocked(verb, Verb::Retire) && blocked(Verb::Retire, verb), "{verb}");
        }
        for verb in [Verb::Rebuild, Verb::Jump, Verb::Redrive, Verb::Promote, Verb::Rollback] {
            assert!(blocked(verb, verb), "{verb}");
        }
        assert!(!blocked(Verb::Replay, Verb::Replay) && blocked(Verb::Verify, Verb::Rebuild));
        assert!(!blocked(Verb::Replay, Verb::Jump));
        assert!(blocked(Verb::Verify, Verb::Jump) && blocked(Verb::Jump, Verb::Verify));
        assert!(collision(&job(Verb::Rebuild, "g2"), &[job(Verb::Rebuild, "g3")]).is_none());
        assert!(collision(&job(Verb::Promote, "g2"), &[job(Verb::Rollback, "g3")]).is_some());
    }

    #[test]
    fn what_is_over_is_in_nobodys_way() {
        let mut over = job(Verb::Jump, "g1");
        for state in State::ALL.into_iter().filter(|state| state.is_over()) {
            over.state = state;
            assert_eq!(collision(&job(Verb::Jump, "g1"), std::slice::from_ref(&over)), None);
        }
        over.state = State::Paused;
        let found = collision(&job(Verb::Jump, "g1"), std::slice::from_ref(&over)).expect("open");
        assert_eq!(found.other, over.id);
    }
}
