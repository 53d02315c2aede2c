//! What a question may choose: how many, what to leave out, and how much each event type says.

use super::weights::strength;
use super::{Budget, Touch};
use crate::limits;

/// Which of the user's own items an answer leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exclude {
    /// Items that the user has touched in any way.
    #[default]
    Seen,
    /// Items that the user has touched with a kind that counts as a purchase.
    Purchased,
    /// Nothing.
    None,
}

/// What each event type says about interest, by its index; a kind that was never set says nothing.
#[derive(Debug, Clone)]
pub struct KindWeights {
    weight: [f32; 256],
    /// What one touch of the kind adds to closeness, computed once because windows look it up.
    strength: [f64; 256],
    purchase: [bool; 256],
}

impl KindWeights {
    /// A table in which no kind says anything.
    pub fn new() -> Self {
        Self { weight: [0.0; 256], strength: [0.0; 256], purchase: [false; 256] }
    }

    /// Sets the weight of a kind: 1.0 is a view, more is more interest, negative takes interest back.
    /// Anything that is not finite counts as 0.
    #[must_use]
    pub fn with(mut self, kind: u8, weight: f32) -> Self {
        let weight = if weight.is_finite() { weight } else { 0.0 };
        self.weight[usize::from(kind)] = weight;
        self.strength[usize::from(kind)] = strength(f64::from(weight));
        self
    }

    /// Marks a kind as a purchase, for `Exclude::Purchased`.
    #[must_use]
    pub fn purchase(mut self, kind: u8) -> Self {
        self.purchase[usize::from(kind)] = true;
        self
    }

    pub(super) fn weight(&self, kind: u8) -> f64 {
        f64::from(self.weight[usize::from(kind)])
    }

    pub(super) fn strength(&self, kind: u8) -> f64 {
        self.strength[usize::from(kind)]
    }

    pub(super) fn is_purchase(&self, kind: u8) -> bool {
        self.purchase[usize::from(kind)]
    }
}

impl Default for KindWeights {
    fn default() -> Self {
        Self::new()
    }
}

/// One question for a user.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    limit: usize,
    pub exclude: Exclude,
    pub kinds: &'a KindWeights,
    pub budget: Budget,
}

impl<'a> Options<'a> {
    /// Asks for up to `limit` items; a limit above `limits::RECOMMENDATIONS` is cut to it.
    pub fn new(limit: usize, kinds: &'a KindWeights) -> Self {
        Self {
            limit: limit.min(limits::RECOMMENDATIONS),
            exclude: Exclude::default(),
            kinds,
            budget: Budget::LOCAL,
        }
    }

    /// Chooses what to leave out.
    #[must_use]
    pub fn exclude(mut self, exclude: Exclude) -> Self {
        self.exclude = exclude;
        self
    }

    /// Chooses how much the answer may look at.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// How many items the answer holds at most.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// One question for an item.
#[derive(Debug, Clone, Copy)]
pub struct ItemOptions<'a> {
    /// Both meetings are of this kind; without it, of any kind with a weight above 0.
    pub only: Option<u8>,
    pub kinds: &'a KindWeights,
    /// Most items in the answer; cut to `limits::RECOMMENDATIONS`.
    pub limit: usize,
    pub budget: Budget,
}

impl<'a> ItemOptions<'a> {
    /// Asks for up to `limit` items, met in any way.
    pub fn new(limit: usize, kinds: &'a KindWeights) -> Self {
        Self { only: None, kinds, limit, budget: Budget::LOCAL }
    }

    /// Chooses the kind of both meetings, or any.
    #[must_use]
    pub fn only(mut self, only: Option<u8>) -> Self {
        self.only = only;
        self
    }

    /// Chooses how much the answer may look at.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    pub(super) fn counts(&self, touch: &Touch) -> bool {
        match self.only {
            Some(kind) => touch.kind == kind,
            None => self.kinds.weight(touch.kind) > 0.0,
        }
    }
}
