//! What is said of each put after an answer, and what is sent again.
//!
//! Pure.

use super::answer::{Outcome, Wrote};
use super::group::Members;
use crate::limits::ARANGO_ATTEMPTS;
use crate::store::arango::classify::{Action, Finding};
use crate::store::{Failure, Verdict};

/// Puts that are sent once more, in a request of their own.
#[derive(Debug, PartialEq, Eq)]
pub struct Again {
    pub members: Members,
    /// How often these were sent for the same reason, from 1.
    pub attempt: u32,
    /// Whether to let a moment pass first: they met another writer.
    pub pause: bool,
}

/// The end for some, another round for others.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub done: Vec<(usize, Verdict)>,
    pub again: Vec<Again>,
}

/// Settles a request that was sent `attempt` times (from 1) and got an answer, or none.
pub fn settle(members: &[usize], attempt: u32, answer: Result<Vec<Outcome>, Finding>) -> Settled {
    let outcomes = match answer {
        Ok(outcomes) => outcomes,
        Err(finding) => vec![Err(finding); members.len()],
    };
    let mut settled = Settled::default();
    let (mut retry, mut split) = (Vec::new(), Vec::new());
    for (member, outcome) in members.iter().copied().zip(outcomes) {
        match outcome {
            Ok(Wrote::Applied) => settled.done.push((member, Verdict::Applied)),
            Ok(Wrote::Superseded) => settled.done.push((member, Verdict::Superseded)),
            Err(Finding { action, failure }) => match action {
                Action::Retry | Action::Restart if attempt < ARANGO_ATTEMPTS => retry.push(member),
                Action::Split => split.push((member, failure)),
                _ => settled.done.push((member, Verdict::Failed(failure))),
            },
        }
    }
    if !retry.is_empty() {
        settled.again.push(Again { members: retry, attempt: attempt + 1, pause: true });
    }
    halve(split, attempt, &mut settled);
    settled
}

/// Sends halves; what is one and still too large has failed.
fn halve(mut split: Vec<(usize, Failure)>, attempt: u32, settled: &mut Settled) {
    if split.len() == 1 {
        let failed = split.into_iter().map(|(member, failure)| (member, Verdict::Failed(failure)));
        settled.done.extend(failed);
        return;
    }
    let upper = split.split_off(split.len() / 2);
    for half in [split, upper].into_iter().filter(|half| !half.is_empty()) {
        let members = half.into_iter().map(|(member, _)| member).collect();
        settled.again.push(Again { members, attempt, pause: false });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Remedy;
    use crate::store::arango::classify::{Evidence, Wire, classify};

    fn element(number: u32) -> Outcome {
        Err(classify(Evidence::Element { number, message: "" }))
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![
            Just(Ok(Wrote::Applied)),
            Just(Ok(Wrote::Superseded)),
            prop::sample::select(vec![1200u32, 32, 1221, 1203, 21003, 4711]).prop_map(element),
        ]
    }

    /// Plays a server that answers with what `outcomes` gives until every put has its verdict.
    fn play(
        puts: usize,
        mut answer: impl FnMut(&[usize]) -> Result<Vec<Outcome>, Finding>,
    ) -> (Vec<Verdict>, usize) {
        let mut todo = vec![Again { members: (0..puts).collect(), attempt: 1, pause: false }];
        let (mut verdicts, mut requests) = (vec![None; puts], 0);
        while let Some(Again { members, attempt, .. }) = todo.pop() {
            requests += 1;
            let settled = settle(&members, attempt, answer(&members));
            for (member, verdict) in settled.done {
                assert!(verdicts[member].replace(verdict).is_none(), "one verdict a put");
            }
            todo.extend(settled.again);
        }
        (
            verdicts.into_iter().map(|verdict| verdict.expect("a verdict for each")).collect(),
            requests,
        )
    }

    proptest! {
        #[test]
        fn every_put_gets_one_verdict_whatever_is_answered(
            puts in 1usize..40, pool in prop::collection::vec(outcome(), 40..400), whole in prop::collection::vec(0u8..10, 10..50),
        ) {
            let (mut pool, mut whole) = (pool.into_iter().cycle(), whole.into_iter().cycle());
            let (_, requests) = play(puts, |members| match whole.next() {
                Some(0) => Err(classify(Evidence::Answer { status: 413, body: "" })),
                Some(1) => Err(classify(Evidence::Wire { wire: Wire::Cut, text: "" })),
                _ => Ok(members.iter().map(|_| pool.next().expect("it cycles")).collect()),
            });
            prop_assert!(requests <= 2 * puts * ARANGO_ATTEMPTS as usize);
        }
    }

    #[test]
    fn one_document_that_is_too_large_is_found_by_halving() {
        let (verdicts, _) = play(16, |members| {
            if members.contains(&11) {
                return Err(classify(Evidence::Answer { status: 413, body: "" }));
            }
            Ok(members.iter().map(|_| Ok(Wrote::Applied)).collect())
        });
        for (place, verdict) in verdicts.iter().enumerate() {
            match verdict {
                Verdict::Failed(failure) => assert_eq!((place, failure.remedy), (11, Remedy::Park)),
                verdict => assert_eq!(verdict, &Verdict::Applied),
            }
        }
    }

    #[test]
    fn a_conflict_is_tried_a_few_times_and_then_told() {
        let mut rounds = 0;
        let (verdicts, requests) = play(2, |members| {
            rounds += 1;
            Ok(members
                .iter()
                .map(|m| if *m == 0 { element(1200) } else { Ok(Wrote::Superseded) })
                .collect())
        });
        assert_eq!(requests, ARANGO_ATTEMPTS as usize);
        assert_eq!(verdicts[1], Verdict::Superseded);
        assert!(
            matches!(&verdicts[0], Verdict::Failed(failure) if failure.remedy == Remedy::Retry)
        );
    }

    #[test]
    fn an_overload_is_told_at_once() {
        let busy = || Err(classify(Evidence::Answer { status: 503, body: "busy" }));
        let (verdicts, requests) = play(3, |_| busy());
        assert_eq!(requests, 1);
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Failed(failure) if failure.remedy == Remedy::BackOff)));
    }
}
