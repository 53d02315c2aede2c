//! From readings to looks: what came since the look before, and what counts as slow. Pure.

use super::judge::SlowLimits;
use super::look::{Look, Seen};
use super::reading::{Counted, Reading};
use crate::limits::ROLLOUT_BOUND_REQUESTS;

/// Remembers the readings that the next one is compared with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Watch {
    /// Of the old version, when the first step began.
    base: Option<Reading>,
    new: Reading,
    old: Option<Reading>,
    bound_s: Option<f64>,
}

impl Watch {
    /// Begins where the first step does.
    pub fn begun(new: Reading, old: Option<Reading>) -> Self {
        Self { base: old.clone(), new, old, bound_s: None }
    }

    /// Takes the next reading of both, and says what came since the one before.
    pub fn look(
        &mut self,
        at_ms: i64,
        new: Reading,
        old: Option<Reading>,
        slow: SlowLimits,
    ) -> Look {
        // Chosen from what came before this look, so that the look itself cannot choose it.
        self.bound_s = self.bound(slow).or(self.bound_s);
        let counted_new = new.since(&self.new);
        let seen_old = old.as_ref().map(|old| {
            let before = self.old.clone().unwrap_or_default();
            seen(old, &old.since(&before), self.bound_s)
        });
        let look = Look {
            at_ms,
            new: seen(&new, &counted_new, self.bound_s),
            old: seen_old,
            bound_s: self.bound_s,
            restarted: new.restarted(&self.new),
        };
        (self.new, self.old) = (new, old.or(self.old.take()));
        look
    }

    /// From when on an answer is slow, by what the old version did since the rollout began, or ever.
    fn bound(&self, slow: SlowLimits) -> Option<f64> {
        let old = self.old.as_ref()?;
        let since = self.base.as_ref().map(|base| old.since(base));
        let counted = since.filter(|counted| counted.requests >= ROLLOUT_BOUND_REQUESTS);
        counted.unwrap_or_else(|| old.all()).slow_after_s(slow.ratio, slow.by_s)
    }
}

fn seen(reading: &Reading, counted: &Counted, bound_s: Option<f64>) -> Seen {
    Seen {
        requests: counted.requests,
        errors: counted.errors,
        refused: counted.refused,
        slow: bound_s.map_or(0, |bound| counted.slower_than(bound)),
        lag: reading.lag(),
        connected: reading.connected(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::judge::Judgement;
    use crate::rollout::reading::Instance;

    fn reading(requests: u64, fast: u64) -> Reading {
        let within = vec![(0.005, fast), (0.02, requests)];
        let instance = Instance { requests, within, ..Instance::default() };
        Reading { instances: [("a".to_owned(), instance)].into() }
    }

    #[test]
    fn a_look_cannot_choose_what_counts_as_slow_in_it() {
        let slow = Judgement::default().slow;
        let mut watch = Watch::begun(reading(0, 0), Some(reading(1000, 1000)));
        // All of the old version's answers are slow now; before they were not, and that is what counts.
        let look = watch.look(1, reading(10, 0), Some(reading(2000, 1000)), slow);
        assert_eq!(look.bound_s, Some(0.02));
        let first = (look.new.requests, look.old.map(|old| old.requests));
        assert_eq!(first, (10, Some(1000)));
        let next = watch.look(2, reading(30, 0), Some(reading(2500, 1000)), slow);
        // Past the p99 there is no bound any more, so the one before stays.
        assert_eq!((next.bound_s, next.new.requests), (Some(0.02), 20));
    }
}
