//! How fast a job may go beside the live flow: as TCP does it, with live lag in the place of loss. Pure.
//!
//! It doubles while it is below what went well before, adds a little beyond, and halves when live lags too much.
//! What it allows is never far above what is done, so that halving is felt at once.

use super::job::Control;
use crate::limits::{JOB_BEGIN, JOB_FLOOR};

/// Live lag up to this share of the limit is comfortable: then the rate may double.
const COMFORTABLE: f64 = 0.5;
/// Live lag up to this share of the limit lets the rate rise at all.
const TOLERABLE: f64 = 0.8;
/// Events a second that are added every second.
const ADDED: f64 = 10_000.0;
/// Seconds in which the rate doubles.
const DOUBLING: f64 = 0.25;
/// Seconds between two halvings: live lag is a figure of the last seconds, and comes down late.
const PATIENCE: f64 = 1.0;
/// What is allowed, of what is achieved.
const HEADROOM: f64 = 2.0;

/// Decides the rate of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Governor {
    control: Control,
    allowed: f64,
    threshold: f64,
    /// Live lagged too much at the last look.
    over: bool,
    /// It was halved since live began to lag.
    was_cut: bool,
    since_cut: f64,
}

impl Governor {
    pub fn new(control: Control) -> Self {
        let mut governor = Self {
            control,
            allowed: JOB_BEGIN,
            threshold: f64::INFINITY,
            over: false,
            was_cut: false,
            since_cut: PATIENCE,
        };
        governor.bound(0.0);
        governor
    }

    /// Takes what an operator has changed.
    pub fn set(&mut self, control: Control) {
        if control != self.control {
            self.control = control;
            self.threshold = f64::INFINITY;
            self.bound(self.allowed);
        }
    }

    /// The events a second that are allowed now.
    pub fn allowed(&self) -> f64 {
        self.allowed
    }

    /// Whether it goes as slowly as it ever does and live lags too much all the same: it does not help live to wait.
    pub fn is_at_its_end(&self) -> bool {
        self.over && self.allowed <= self.floor()
    }

    /// Looks at how it went for `dt` seconds, and returns the events a second that are allowed from now on.
    /// `live_lag_ms` is absent while nobody knows it: then nothing rises.
    pub fn step(&mut self, live_lag_ms: Option<f64>, measured: f64, dt: f64) -> f64 {
        self.since_cut += dt;
        if let Some(lag) = live_lag_ms {
            let share = lag / (self.control.live_lag_ms.max(1) as f64);
            if share > 1.0 {
                self.cut(measured);
            } else {
                (self.over, self.was_cut) = (false, false);
                self.rise(share, dt);
            }
        }
        self.bound(measured);
        self.allowed
    }

    fn cut(&mut self, measured: f64) {
        self.over = true;
        if self.since_cut < PATIENCE {
            return;
        }
        self.since_cut = 0.0;
        let before = if measured > 0.0 { self.allowed.min(measured) } else { self.allowed };
        self.allowed = before / 2.0;
        // Of one episode only the first says where it went well.
        if !std::mem::replace(&mut self.was_cut, true) {
            self.threshold = self.allowed.max(self.floor());
        }
    }

    fn rise(&mut self, share: f64, dt: f64) {
        if share <= COMFORTABLE && self.allowed < self.threshold {
            self.allowed = (self.allowed * (dt / DOUBLING).exp2()).min(self.threshold);
        } else if share <= TOLERABLE {
            self.allowed += ADDED * dt;
        }
    }

    fn bound(&mut self, measured: f64) {
        let most = (HEADROOM * measured).max(JOB_BEGIN).min(self.cap());
        self.allowed = self.allowed.min(most).max(self.floor());
    }

    fn cap(&self) -> f64 {
        self.control.rate.map_or(f64::INFINITY, |rate| rate.max(1) as f64)
    }

    fn floor(&self) -> f64 {
        JOB_FLOOR.min(self.cap())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTROL: Control = Control { live_lag_ms: 200, rate: None };
    const STEP: f64 = 0.25;

    /// Goes on for a while with a live flow that lags once more than `room` events a second are done.
    fn driven(governor: &mut Governor, room: f64, machine: f64, steps: usize) -> Vec<f64> {
        let mut done = governor.allowed().min(machine);
        let one = |_| {
            let lag = if done > room { 1_000.0 } else { 5.0 };
            done = governor.step(Some(lag), done, STEP).min(machine);
            done
        };
        (0..steps).map(one).collect()
    }

    #[test]
    fn an_idle_live_flow_lets_it_go_as_fast_as_it_can_within_seconds() {
        let mut governor = Governor::new(CONTROL);
        let rates = driven(&mut governor, f64::INFINITY, 250_000.0, 8);
        assert!(*rates.last().unwrap() >= 250_000.0, "{rates:?}");
        assert!(governor.allowed() <= 500_000.0);
    }

    #[test]
    fn it_settles_near_what_live_leaves() {
        let mut governor = Governor::new(CONTROL);
        let rates = driven(&mut governor, 40_000.0, 250_000.0, 400);
        let late = &rates[200..];
        let mean = late.iter().sum::<f64>() / late.len() as f64;
        assert!((20_000.0..=45_000.0).contains(&mean), "{mean}");
        let over = late.iter().filter(|rate| **rate > 40_000.0).count();
        assert!(over * 5 < late.len(), "{over} of {}", late.len());
    }

    #[test]
    fn it_says_so_when_slowing_does_not_help() {
        let mut governor = Governor::new(CONTROL);
        assert!(!governor.is_at_its_end());
        (0..100).for_each(|_| _ = governor.step(Some(900.0), governor.allowed(), STEP));
        assert!(governor.is_at_its_end());
        assert!((governor.allowed() - JOB_FLOOR).abs() < 1e-9);
        governor.step(Some(5.0), JOB_FLOOR, STEP);
        assert!(!governor.is_at_its_end());
    }

    #[test]
    fn an_unknown_lag_holds_the_rate() {
        let mut governor = Governor::new(CONTROL);
        let before = governor.allowed();
        (0..50).for_each(|_| _ = governor.step(None, before, STEP));
        assert!((governor.allowed() - before).abs() < 1e-9);
    }

    #[test]
    fn a_new_limit_holds_at_once_and_its_end_lets_it_rise_again() {
        let mut governor = Governor::new(CONTROL);
        driven(&mut governor, f64::INFINITY, 250_000.0, 10);
        governor.set(Control { rate: Some(100), ..CONTROL });
        assert!((governor.allowed() - 100.0).abs() < 1e-9);
        governor.set(CONTROL);
        let rates = driven(&mut governor, f64::INFINITY, 250_000.0, 20);
        assert!(*rates.last().unwrap() >= 250_000.0, "{rates:?}");
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(
            rate in prop::option::of(1..1_000_000u64),
            looks in prop::collection::vec((prop::option::of(0.0..2_000.0f64), 0.0..400_000.0f64, 0.01..1.0f64), 1..200),
        ) {
            let control = Control { rate, ..CONTROL };
            let mut governor = Governor::new(control);
            let cap = rate.map_or(f64::INFINITY, |rate| rate as f64);
            for (lag, measured, dt) in looks {
                let before = governor.allowed();
                let allowed = governor.step(lag, measured, dt);
                prop_assert!(allowed >= JOB_FLOOR.min(cap) && allowed <= cap);
                prop_assert!(allowed <= (HEADROOM * measured).max(JOB_BEGIN));
                if lag.is_some_and(|lag| lag > 200.0) {
                    prop_assert!(allowed <= before);
                }
            }
        }

        #[test]
        fn a_lagging_live_flow_brings_it_down_fast(measured in 10_000.0..400_000.0f64) {
            let mut governor = Governor::new(CONTROL);
            driven(&mut governor, f64::INFINITY, measured, 40);
            let allowed = governor.step(Some(201.0), measured, STEP);
            prop_assert!(allowed <= measured / 2.0 + 1.0, "{} of {}", allowed, measured);
        }
    }
}
