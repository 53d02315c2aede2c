//! How much evidence there is that the new version does something bad more often than the old one. Pure.
//!
//! A sequential test that may be looked at whenever one likes. In each look, given how many requests both versions
//! had and how many of all of them were bad, the number of bad ones of the new version is hypergeometric (Fisher's
//! noncentral one, if the odds differ). The ratio of that likelihood under greater odds to the one under the odds
//! that are tolerated has a mean of at most 1 while the new version is no worse, so the running product is a
//! nonnegative supermartingale, and by Ville's inequality it ever reaches 1/α with probability at most α.
//! Sources: R. A. Fisher (1935) for the conditional law; J. Ville (1939); Turner, Ly and Grünwald, "Generic
//! e-variables for exact sequential k-sample tests" (2024), for tests of two proportions by such ratios.

use serde::{Deserialize, Serialize};

use crate::limits::{ROLLOUT_LOOK_CAP, ROLLOUT_LOOK_STAKE};

/// Odds of the alternatives, as multiples of those that are tolerated; each has the same weight at first.
const ALTERNATIVES: [f64; 8] = [1.25, 1.5, 2.0, 3.0, 6.0, 16.0, 64.0, 512.0];

/// How far below the largest term of a sum a term no longer counts, as a logarithm.
const NEGLIGIBLE: f64 = 40.0;

/// Requests, and how many of them were bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub bad: u64,
    pub of: u64,
}

/// What one look saw of both versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    pub new: Share,
    pub old: Share,
}

/// The evidence so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    tolerated: f64,
    /// The logarithm of each alternative's likelihood ratio so far.
    alternatives: [f64; ALTERNATIVES.len()],
    /// The logarithm of the test's value.
    value: f64,
}

impl Share {
    /// The share itself; 0 of nothing.
    pub fn rate(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.bad as f64 / self.of as f64 }
    }
}

impl std::ops::AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.bad += other.bad;
        self.of += other.of;
    }
}

impl Evidence {
    /// Begins a test of the odds of the new version being at most `tolerated` times those of the old one.
    pub fn new(tolerated: f64) -> Self {
        Self { tolerated, alternatives: [0.0; ALTERNATIVES.len()], value: 0.0 }
    }

    /// Takes what one more look saw.
    ///
    /// One look counts at most [`ROLLOUT_LOOK_CAP`] times, and at least one minus [`ROLLOUT_LOOK_STAKE`]: both
    /// keep the mean at most 1. So a burst within one look, whose requests are not independent, decides nothing.
    pub fn add(&mut self, sample: Sample) {
        let before = mean_of_exp(&self.alternatives);
        let ratios = likelihood_ratios(sample, self.tolerated);
        for (sum, ratio) in self.alternatives.iter_mut().zip(ratios) {
            *sum += ratio;
        }
        let ratio = (mean_of_exp(&self.alternatives) - before).exp();
        let staked = (1.0 - ROLLOUT_LOOK_STAKE) + ROLLOUT_LOOK_STAKE * ratio;
        self.value += staked.min(ROLLOUT_LOOK_CAP).ln();
    }

    /// Whether the evidence suffices, if it shall be wrong with probability `alpha` at most, whenever it is asked.
    pub fn suffices(&self, alpha: f64) -> bool {
        self.value >= -alpha.ln()
    }

    /// The evidence as a p-value that holds at any time (1 over the test's value, at most 1).
    pub fn p_value(&self) -> f64 {
        (-self.value).exp().min(1.0)
    }
}

/// The logarithm of the mean of exponentials.
fn mean_of_exp(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|log| (log - most).exp()).sum();
    most + (sum / logs.len() as f64).ln()
}

/// The logarithm of each alternative's likelihood ratio to the tolerated odds.
fn likelihood_ratios(sample: Sample, tolerated: f64) -> [f64; ALTERNATIVES.len()] {
    let Sample { new, old } = sample;
    let bad = new.bad + old.bad;
    if bad == 0 || new.of == 0 || old.of == 0 {
        return [0.0; ALTERNATIVES.len()];
    }
    let at_null = ln_total(new.of, old.of, bad, tolerated.ln());
    ALTERNATIVES.map(|factor| {
        let total = ln_total(new.of, old.of, bad, (tolerated * factor).ln());
        new.bad as f64 * factor.ln() - (total - at_null)
    })
}

/// The logarithm of Σ C(new, j) C(old, bad − j) odds^j over all j that can be, up to a term without the odds.
fn ln_total(new: u64, old: u64, bad: u64, ln_odds: f64) -> f64 {
    let (least, most) = (bad.saturating_sub(old), bad.min(new));
    let mut term = least as f64 * ln_odds;
    let (mut largest, mut sum) = (term, 1.0);
    for j in least..most {
        let left = (new - j) as f64 * (bad - j) as f64;
        let right = (j + 1) as f64 * (old + j + 1 - bad) as f64;
        term += (left / right).ln() + ln_odds;
        if term > largest {
            sum = sum * (largest - term).exp() + 1.0;
            largest = term;
        } else if term < largest - NEGLIGIBLE {
            // The terms have one mode only, so those that follow are smaller still.
            break;
        } else {
            sum += (term - largest).exp();
        }
    }
    largest + sum.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(bad: u64, of: u64) -> Share {
        Share { bad, of }
    }

    fn choose(n: u64, k: u64) -> f64 {
        (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product()
    }

    #[test]
    fn one_look_alone_never_decides() {
        let mut evidence = Evidence::new(1.0);
        evidence.add(Sample { new: share(1000, 1000), old: share(0, 1_000_000) });
        assert!((evidence.p_value() - 1.0 / ROLLOUT_LOOK_CAP).abs() < 1e-9);
        assert!(!evidence.suffices(0.01));
        evidence.add(Sample { new: share(1000, 1000), old: share(0, 1_000_000) });
        evidence.add(Sample { new: share(1000, 1000), old: share(0, 1_000_000) });
        assert!(evidence.suffices(0.01));
    }

    #[test]
    fn what_says_nothing_changes_nothing() {
        let mut evidence = Evidence::new(1.0);
        evidence.add(Sample { new: share(0, 500), old: share(0, 9000) });
        evidence.add(Sample { new: share(7, 500), old: share(0, 0) });
        evidence.add(Sample { new: share(0, 0), old: share(70, 9000) });
        assert!((evidence.p_value() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_incident_of_both_is_no_evidence() {
        let mut evidence = Evidence::new(1.0);
        for _ in 0..20 {
            evidence.add(Sample { new: share(50, 100), old: share(4950, 9900) });
        }
        assert!(evidence.p_value() > 0.5, "{}", evidence.p_value());
    }

    proptest! {
        /// The mean of the factor of one look, over all that may be seen under the tolerated odds or below, is
        /// at most 1: what the whole test stands on.
        #[test]
        fn a_look_is_a_fair_bet_or_worse(
            new in 1_u64..30, old in 1_u64..60, bad in 1_u64..40,
            tolerated in 1.0_f64..3.0, below in 0.1_f64..1.0,
        ) {
            let bad = bad.min(new + old);
            let odds = tolerated * below;
            let (least, most) = (bad.saturating_sub(old), bad.min(new));
            let weight = |j: u64| choose(new, j) * choose(old, bad - j) * odds.powf(j as f64);
            let total: f64 = (least..=most).map(weight).sum();
            let mean: f64 = (least..=most)
                .map(|j| {
                    let mut evidence = Evidence::new(tolerated);
                    evidence.add(Sample { new: share(j, new), old: share(bad - j, old) });
                    weight(j) / total * evidence.value.exp()
                })
                .sum();
            prop_assert!(mean <= 1.0 + 1e-6, "{mean}");
        }

        #[test]
        fn more_bad_of_the_new_is_more_evidence(new in 10_u64..500, old in 10_u64..500, bad in 1_u64..10) {
            let at = |j: u64| {
                let mut evidence = Evidence::new(1.0);
                evidence.add(Sample { new: share(j, new), old: share(bad - j, old) });
                evidence.value
            };
            for j in 0..bad {
                prop_assert!(at(j) <= at(j + 1) + 1e-9);
            }
        }
    }
}
