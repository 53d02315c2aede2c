//! The numbers that were tuned, each with what it says.
//!
//! They were chosen on earlier hold-outs of half of the users of `MovieLens` 100k, where the quality is
//! flat around all of them; `scripts/evaluate` shows what they give on the last hold-out.

use crate::limits::WINDOW_TOUCHES;

const DAY_MS: u64 = 86_400_000;

/// The weight of a user's item falls with this power of its place. A fall of -1 gains a
/// twentieth of the hits where the order says much, and costs a sixth of them where it says nothing.
const AGE_POWER: f64 = -0.75;

/// A user's item with less than this share of the strongest one's weight is no seed.
pub(super) const WEAKEST_SEED: f64 = 1.0 / 15.0;

/// What a neighbour met before the shared item says less than what came after it.
const BEFORE: f64 = 0.6;

/// Distance in a neighbour's timeline at which closeness has halved.
const HALF_DISTANCE: f64 = 10.0;

/// Closeness falls with this power of the days between.
const DAYS_POWER: f64 = -0.3;

/// Weight of the user's item that `newer` other items of its own are newer than.
pub(super) fn position(newer: f64) -> f64 {
    (1.0 + newer).powf(AGE_POWER)
}

/// What an event weight adds up to: doubling it adds a constant, a single view is 1.
pub(super) fn strength(weights: f64) -> f64 {
    weights.max(0.0).ln_1p() / std::f64::consts::LN_2
}

/// Factor for a seed: a hot item says less about taste.
pub(super) fn seed_degree(degree: u32) -> f64 {
    1.0 / f64::from(degree.max(1)).sqrt()
}

/// Factor for a candidate: a popular item is met by chance.
pub(super) fn candidate_degree(degree: u32) -> f64 {
    1.0 / f64::from(degree.max(1)).cbrt()
}

/// The factors of closeness, computed once an answer because a window looks them up thousands of times.
pub(super) struct Closeness {
    after: [f64; WINDOW_TOUCHES + 1],
    days: [f64; 64],
}

impl Closeness {
    pub(super) fn new() -> Self {
        Self {
            after: std::array::from_fn(|distance| 1.0 / (1.0 + distance as f64 / HALF_DISTANCE)),
            days: std::array::from_fn(|doublings| (DAYS_POWER * doublings as f64).exp2()),
        }
    }

    /// Closeness of a touch that is `distance` places after the moment.
    pub(super) fn after(&self, distance: usize) -> f64 {
        self.after[distance]
    }

    /// Closeness of a touch that is `distance` places before the moment.
    pub(super) fn before(&self, distance: usize) -> f64 {
        self.after[distance] * BEFORE
    }

    /// Factor for two moments apart: 1 below a day, less with each doubling of the days.
    pub(super) fn apart(&self, a_ms: i64, b_ms: i64) -> f64 {
        self.days[(a_ms.abs_diff(b_ms) / DAY_MS + 1).ilog2() as usize]
    }
}
