//! The steps of a rollout. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limits::ROLLOUT_STEPS;

/// What a rollout goes through, and how long it may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Percents of the traffic that the new version gets, one after another; the last is 100.
    pub percents: Vec<u8>,
    /// A step takes this long at least.
    pub least_duration: Duration,
    /// The new version has answered so many requests in a step at least.
    pub least_requests: u64,
    /// A step that is not passed by then sends the new version back.
    pub step_deadline: Duration,
    pub look_every: Duration,
    /// The new version is ready by then, or goes back.
    pub ready_within: Duration,
    /// A version that gets no more traffic has published everything by then.
    pub drain_within: Duration,
    /// A new projection is rebuilt, verified and promoted by then.
    pub rebuild_within: Duration,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub percent: u8,
    /// Whether both versions have traffic, so that they can be compared.
    pub compares: bool,
}

/// Why a plan is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlanError {
    #[error("plan.steps is empty: name percents that rise and end with 100, as [1, 10, 50, 100]")]
    Empty,
    #[error("plan.steps has more than {ROLLOUT_STEPS} steps: each needs its time and its requests")]
    TooMany,
    #[error("plan.steps must rise from 1 or more to 100, as [1, 10, 50, 100]")]
    NotRising,
    #[error("plan.step_deadline is not after plan.least_duration: no step could be passed")]
    NoTime,
    #[error("plan.look_every is 0: write how often both versions are looked at, as 10s")]
    NoLooks,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            percents: vec![1, 10, 50, 100],
            least_duration: Duration::from_mins(10),
            least_requests: 1000,
            step_deadline: Duration::from_hours(1),
            look_every: Duration::from_secs(10),
            ready_within: Duration::from_mins(5),
            drain_within: Duration::from_mins(5),
            rebuild_within: Duration::from_hours(12),
        }
    }
}

impl Plan {
    /// Holds that the plan can be gone through.
    pub fn check(&self) -> Result<(), PlanError> {
        let percents = &self.percents;
        let Some((first, last)) = percents.first().zip(percents.last()) else {
            return Err(PlanError::Empty);
        };
        if percents.len() > ROLLOUT_STEPS {
            return Err(PlanError::TooMany);
        }
        if *first == 0 || *last != 100 || percents.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(PlanError::NotRising);
        }
        if self.step_deadline <= self.least_duration {
            return Err(PlanError::NoTime);
        }
        if self.look_every.is_zero() { Err(PlanError::NoLooks) } else { Ok(()) }
    }

    /// The same without an old version: all of the traffic at once.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { percents: vec![100], ..self }
    }

    /// The step at a place; none past the last.
    pub fn step(&self, at: usize) -> Option<Step> {
        self.percents.get(at).map(|percent| Step { percent: *percent, compares: *percent < 100 })
    }

    /// How many steps compare both versions.
    pub fn comparisons(&self) -> usize {
        self.percents.iter().filter(|percent| **percent < 100).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(percents: &[u8]) -> Result<(), PlanError> {
        Plan { percents: percents.to_vec(), ..Plan::default() }.check()
    }

    #[test]
    fn steps_rise_to_the_whole() {
        assert_eq!(Plan::default().check(), Ok(()));
        assert_eq!(checked(&[100]), Ok(()));
        assert_eq!(checked(&[]), Err(PlanError::Empty));
        for wrong in [&[0, 100][..], &[1, 50], &[10, 10, 100], &[50, 10, 100], &[50, 101]] {
            assert_eq!(checked(wrong), Err(PlanError::NotRising), "{wrong:?}");
        }
        let many: Vec<u8> = (60..=100).collect();
        assert_eq!(checked(&many), Err(PlanError::TooMany));
    }

    #[test]
    fn a_plan_leaves_time_to_pass_and_to_look() {
        let least_duration = Duration::from_hours(1);
        assert_eq!(Plan { least_duration, ..Plan::default() }.check(), Err(PlanError::NoTime));
        let look_every = Duration::ZERO;
        assert_eq!(Plan { look_every, ..Plan::default() }.check(), Err(PlanError::NoLooks));
    }

    #[test]
    fn the_last_step_has_nothing_to_compare_with() {
        let plan = Plan::default();
        assert_eq!(plan.comparisons(), 3);
        assert_eq!(plan.step(0), Some(Step { percent: 1, compares: true }));
        assert_eq!(plan.step(3), Some(Step { percent: 100, compares: false }));
        assert_eq!((plan.step(4), plan.alone().comparisons()), (None, 0));
    }
}
