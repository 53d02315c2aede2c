//! The judge of one step: goes on, passes it, or sends the new version back. Pure.
//!
//! The same calls in the same order give the same verdict, so a resumed rollout is judged by what was seen before.
//! The permitted error of the whole rollout is shared out to every question of every step that compares (a union
//! bound), and each question may be asked at any look.

use serde::{Deserialize, Serialize};

#[cfg(test)]
use super::evidence::Sample;
use super::evidence::{Evidence, Share};
use super::look::{Look, Seen};
use super::plan::{Plan, Step};
use super::reason::Reason;
use crate::limits::{ROLLOUT_ALONE_REQUESTS, ROLLOUT_DOUBT};

/// Questions that a test answers: errors, refusals, slowness.
const QUESTIONS: usize = 3;

/// What makes a new version a worse one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The probability, at most, that a version that is no worse is sent back by a test, in the whole rollout.
    pub alpha: f64,
    pub errors: Tolerance,
    pub refusals: Tolerance,
    pub slow: SlowLimits,
    pub lag: LagLimits,
    /// Share of errors that is allowed where there is nothing to compare with.
    pub errors_alone: f64,
}

/// How much worse is still well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tolerance {
    /// The new version's odds may be so many times the old one's.
    pub odds: f64,
    /// The difference of both shares is at least this, or it does not matter.
    pub excess: f64,
}

/// What counts as slow, and how much of it is well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlowLimits {
    /// An answer is slow after the old version's p99 times this,
    pub ratio: f64,
    /// and at least so many seconds after it.
    pub by_s: f64,
    /// The new version's odds of a slow answer may be so many times the old one's.
    pub odds: f64,
    /// Fewer slow answers than this share do not matter: with 0.01, the new p99 lies past the bound.
    pub share: f64,
    /// Share of slow answers that is allowed where there is nothing to compare with.
    pub alone: f64,
}

/// How far the stream may be behind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LagLimits {
    /// Events that may wait.
    pub events: u64,
    /// More than that is the new version's fault if, for its share of the traffic, it is so many times the old one's.
    pub ratio: f64,
    /// In so many looks, one after another.
    pub looks: u32,
}

/// What follows from all looks of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// The step is not over yet.
    Continue,
    /// Its time is over; there were too few requests.
    NotEnough,
    /// The step is passed.
    Promote,
    RollBack {
        reason: Reason,
    },
}

/// Judges one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    judgement: Judgement,
    plan: Plan,
    step: Step,
    began_ms: i64,
    errors: Evidence,
    refusals: Evidence,
    slow: Evidence,
    new: Totals,
    old: Totals,
    lagging: u32,
    apart: u32,
}

/// What one version did in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Totals {
    errors: Share,
    refusals: Share,
    slow: Share,
}

impl Default for Judgement {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            errors: Tolerance { odds: 1.1, excess: 0.001 },
            refusals: Tolerance { odds: 1.1, excess: 0.01 },
            slow: SlowLimits { ratio: 1.25, by_s: 0.005, odds: 1.5, share: 0.01, alone: 0.05 },
            lag: LagLimits { events: 10_000, ratio: 3.0, looks: 3 },
            errors_alone: 0.02,
        }
    }
}

impl Totals {
    fn add(&mut self, seen: &Seen) {
        self.errors += seen.share(|seen| seen.errors);
        self.refusals += seen.share(|seen| seen.refused);
        self.slow += seen.share(|seen| seen.slow);
    }
}

impl Judge {
    /// Begins a step.
    pub fn new(judgement: &Judgement, plan: &Plan, step: Step, began_ms: i64) -> Self {
        Self {
            errors: Evidence::new(judgement.errors.odds),
            refusals: Evidence::new(judgement.refusals.odds),
            slow: Evidence::new(judgement.slow.odds),
            judgement: judgement.clone(),
            plan: plan.clone(),
            step,
            began_ms,
            new: Totals::default(),
            old: Totals::default(),
            lagging: 0,
            apart: 0,
        }
    }

    /// The permitted error of one question in one step.
    fn alpha(&self) -> f64 {
        self.judgement.alpha / (QUESTIONS * self.plan.comparisons().max(1)) as f64
    }

    /// The new version's requests so far, and the least p-value of the step (at any time).
    pub fn so_far(&self) -> (u64, f64) {
        let values = [&self.errors, &self.refusals, &self.slow].map(Evidence::p_value);
        (self.new.errors.of, values.into_iter().fold(1.0, f64::min))
    }

    /// Takes what one more look saw, and says what follows.
    pub fn look(&mut self, look: &Look) -> Verdict {
        self.take(look);
        let reason = look.restarted.clone().map(|instance| Reason::Restarted { instance });
        let reason = reason.or_else(|| {
            if self.step.compares { self.worse(look, self.alpha()) } else { self.bad(look) }
        });
        if let Some(reason) = reason.or_else(|| self.behind(look)) {
            return Verdict::RollBack { reason };
        }
        self.in_time(look)
    }

    fn take(&mut self, look: &Look) {
        self.new.add(&look.new);
        if let Some(old) = &look.old {
            self.old.add(old);
        }
        let tests: [(&mut Evidence, fn(&Seen) -> u64); QUESTIONS] = [
            (&mut self.errors, |seen| seen.errors),
            (&mut self.refusals, |seen| seen.refused),
            (&mut self.slow, |seen| seen.slow),
        ];
        for (evidence, bad) in tests {
            if let Some(sample) = look.sample(bad).filter(|_| self.step.compares) {
                evidence.add(sample);
            }
        }
        count(&mut self.lagging, lags(&self.judgement.lag, look));
        let apart = !look.new.connected && look.old.is_some_and(|old| old.connected);
        count(&mut self.apart, apart);
    }

    /// Compares both versions; tells of a difference that matters, if the evidence for it is wrong with probability
    /// `alpha` at most.
    fn worse(&self, look: &Look, alpha: f64) -> Option<Reason> {
        let limits = &self.judgement;
        let told = |evidence: &Evidence, new: Share, old: Share, excess: f64| {
            let matters = new.rate() - old.rate() >= excess;
            (matters && evidence.suffices(alpha))
                .then(|| (new.rate(), old.rate(), evidence.p_value()))
        };
        let (new, old) = (&self.new, &self.old);
        if let Some((new, old, p_value)) =
            told(&self.errors, new.errors, old.errors, limits.errors.excess)
        {
            return Some(Reason::Errors { new, old, p_value });
        }
        if let Some((new, old, p_value)) =
            told(&self.refusals, new.refusals, old.refusals, limits.refusals.excess)
        {
            return Some(Reason::Refusals { new, old, p_value });
        }
        let bound_s = look.bound_s.filter(|_| new.slow.rate() >= limits.slow.share)?;
        told(&self.slow, new.slow, old.slow, 0.0).map(|(new, old, p_value)| Reason::Slow {
            bound_s,
            new,
            old,
            p_value,
        })
    }

    /// Judges the new version where there is nothing to compare it with.
    fn bad(&self, look: &Look) -> Option<Reason> {
        let Totals { errors, slow, .. } = self.new;
        if errors.of < ROLLOUT_ALONE_REQUESTS {
            return None;
        }
        let most = self.judgement.errors_alone;
        if errors.rate() > most {
            return Some(Reason::ErrorsAlone { new: errors.rate(), most });
        }
        let (bound_s, most) = (look.bound_s?, self.judgement.slow.alone);
        (slow.rate() > most).then(|| Reason::SlowAlone { bound_s, new: slow.rate(), most })
    }

    fn behind(&self, look: &Look) -> Option<Reason> {
        let limits = self.judgement.lag;
        if self.lagging >= limits.looks {
            let old = look.old.map_or(0, |old| old.lag);
            return Some(Reason::Lag { new: look.new.lag, old, most: limits.events });
        }
        (self.apart >= limits.looks).then_some(Reason::Apart)
    }

    /// A step is passed once it has had its time and its requests, the new version is well at that moment, and nothing
    /// speaks against it so much that more looks are due.
    fn in_time(&self, look: &Look) -> Verdict {
        let elapsed = u128::try_from(look.at_ms.saturating_sub(self.began_ms)).unwrap_or_default();
        let (requests, wanted) = (self.new.errors.of, self.plan.least_requests);
        let has_time = elapsed >= self.plan.least_duration.as_millis();
        let in_doubt = self.step.compares && self.worse(look, ROLLOUT_DOUBT).is_some();
        let is_well = self.lagging == 0 && self.apart == 0 && !in_doubt;
        if has_time && requests >= wanted && is_well {
            return Verdict::Promote;
        }
        if elapsed >= self.plan.step_deadline.as_millis() {
            return Verdict::RollBack { reason: Reason::Deadline { requests, wanted } };
        }
        if has_time && requests < wanted { Verdict::NotEnough } else { Verdict::Continue }
    }
}

fn count(times: &mut u32, again: bool) {
    *times = if again { *times + 1 } else { 0 };
}

/// Whether the new version is behind, and the old one, for its share of the traffic, is not.
fn lags(limits: &LagLimits, look: &Look) -> bool {
    let new = look.new;
    let Some(old) = look.old else { return new.lag > limits.events };
    let share = |seen: Seen| seen.requests.max(1) as f64;
    let fair = (old.lag + 1) as f64 / share(old) * share(new);
    new.lag > limits.events && new.lag as f64 > limits.ratio * fair
}

/// What both versions did, for tests of the judge.
#[cfg(test)]
pub(super) fn sampled(at_ms: i64, sample: Sample) -> Look {
    let seen = |share: Share| Seen {
        requests: share.of,
        errors: share.bad,
        connected: true,
        ..Seen::default()
    };
    let (new, old) = (seen(sample.new), Some(seen(sample.old)));
    Look { at_ms, new, old, bound_s: Some(0.02), restarted: None }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan() -> Plan {
        let (least_duration, step_deadline) = (Duration::from_mins(1), Duration::from_mins(10));
        Plan { least_duration, step_deadline, least_requests: 100, ..Plan::default() }
    }

    fn judge(at: usize) -> Judge {
        Judge::new(&Judgement::default(), &plan(), plan().step(at).unwrap(), 0)
    }

    const WELL: Seen =
        Seen { requests: 50, errors: 0, refused: 0, slow: 0, lag: 0, connected: true };

    fn look(at_s: i64, new: Seen, old: Seen) -> Look {
        Look { at_ms: at_s * 1000, new, old: Some(old), bound_s: Some(0.02), restarted: None }
    }

    /// Looks every ten seconds until something is decided; returns when and what.
    fn decided(judge: &mut Judge, new: Seen, old: Seen) -> (i64, Verdict) {
        for at_s in (10..).step_by(10) {
            match judge.look(&look(at_s, new, old)) {
                Verdict::Continue | Verdict::NotEnough => {}
                verdict => return (at_s, verdict),
            }
        }
        unreachable!("a step has a deadline")
    }

    #[test]
    fn a_step_is_not_passed_while_the_evidence_grows_against_the_new_version() {
        let (bad, old) = (Seen { errors: 50, ..WELL }, Seen { requests: 5000, ..WELL });
        let mut judge = judge(0);
        assert_eq!(judge.look(&look(50, bad, old)), Verdict::Continue);
        // It has had its time and its requests, and all of them were errors.
        assert_eq!(judge.look(&look(60, bad, old)), Verdict::Continue);
        let decided = judge.look(&look(70, bad, old));
        assert!(
            matches!(decided, Verdict::RollBack { reason: Reason::Errors { .. } }),
            "{decided:?}"
        );
    }

    #[test]
    fn a_step_needs_its_time_and_its_requests() {
        let old = Seen { requests: 5000, ..WELL };
        assert_eq!(decided(&mut judge(0), WELL, old), (60, Verdict::Promote));
        let few = Seen { requests: 10, ..WELL };
        assert_eq!(decided(&mut judge(0), few, old), (100, Verdict::Promote));
        let mut slowly = judge(0);
        assert_eq!(slowly.look(&look(10, few, old)), Verdict::Continue);
        assert_eq!(slowly.look(&look(70, few, old)), Verdict::NotEnough);
        let reason = Reason::Deadline { requests: 0, wanted: 100 };
        let none = Seen { requests: 0, ..WELL };
        assert_eq!(decided(&mut judge(0), none, old), (600, Verdict::RollBack { reason }));
    }

    #[test]
    fn errors_refusals_and_slowness_are_each_told_apart() {
        let old = Seen { requests: 5000, errors: 5, refused: 50, slow: 20, ..WELL };
        let code = |new: Seen| match decided(&mut judge(0), new, old) {
            (at_s, Verdict::RollBack { reason }) => {
                assert!(at_s <= 60, "{at_s} {reason}");
                serde_json::to_value(&reason).unwrap()["code"].as_str().unwrap().to_owned()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(code(Seen { errors: 10, ..WELL }), "errors");
        assert_eq!(code(Seen { refused: 25, ..WELL }), "refusals");
        assert_eq!(code(Seen { slow: 10, ..WELL }), "slow");
    }

    #[test]
    fn slow_answers_below_the_share_that_matters_are_well() {
        // Ten times as many as of the old version, and still not one of a hundred.
        let old = Seen { requests: 50_000, slow: 40, ..WELL };
        let new = Seen { requests: 5000, slow: 40, ..WELL };
        assert_eq!(decided(&mut judge(1), new, old), (60, Verdict::Promote));
    }

    #[test]
    fn lag_counts_if_it_stays_and_the_old_version_has_less_of_it() {
        let behind = Seen { lag: 20_000, ..WELL };
        let mut one = judge(1);
        assert_eq!(one.look(&look(10, behind, WELL)), Verdict::Continue);
        assert_eq!(one.look(&look(20, behind, WELL)), Verdict::Continue);
        assert_eq!(one.look(&look(30, WELL, WELL)), Verdict::Continue);
        let reason = Reason::Lag { new: 20_000, old: 0, most: 10_000 };
        assert_eq!(decided(&mut judge(1), behind, WELL), (30, Verdict::RollBack { reason }));
        // Both are behind, so it is the stream; nothing is passed meanwhile either.
        let (at_s, verdict) = decided(&mut judge(1), behind, Seen { lag: 19_000, ..WELL });
        assert_eq!((at_s, verdict), (60, Verdict::Promote));
    }

    #[test]
    fn a_version_without_nats_goes_back_if_the_old_one_has_it() {
        let apart = Seen { connected: false, ..WELL };
        let gone_back = (30, Verdict::RollBack { reason: Reason::Apart });
        assert_eq!(decided(&mut judge(0), apart, WELL), gone_back);
        assert_eq!(decided(&mut judge(0), apart, apart), (60, Verdict::Promote));
    }

    #[test]
    fn alone_it_is_held_to_limits() {
        let failing = Seen { errors: 3, ..WELL };
        let reason = Reason::ErrorsAlone { new: 0.06, most: 0.02 };
        assert_eq!(decided(&mut judge(3), failing, WELL), (20, Verdict::RollBack { reason }));
        let slow = Seen { slow: 5, ..WELL };
        let reason = Reason::SlowAlone { bound_s: 0.02, new: 0.1, most: 0.05 };
        assert_eq!(decided(&mut judge(3), slow, WELL), (20, Verdict::RollBack { reason }));
        assert_eq!(decided(&mut judge(3), WELL, WELL), (60, Verdict::Promote));
    }

    #[test]
    fn one_that_begins_again_by_itself_goes_back_at_once() {
        let mut again = look(10, WELL, WELL);
        again.restarted = Some("i-1".into());
        let reason = Reason::Restarted { instance: "i-1".into() };
        assert_eq!(judge(0).look(&again), Verdict::RollBack { reason });
    }
}
