//! Medians and percentiles. Pure.

use std::time::Duration;

/// The middle of some numbers, at least one.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (lower, upper) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(lower, upper)
}

/// The median of the ratios of each round, which hides what slowed both.
pub fn ratio(measured: &[f64], beside: &[f64]) -> f64 {
    let ratios: Vec<f64> =
        measured.iter().zip(beside).map(|(measured, beside)| measured / beside).collect();
    median(&ratios)
}

/// Times of one round, sorted, to take percentiles from; in milliseconds.
#[derive(Debug, Clone)]
pub struct Latencies(Vec<f64>);

impl Latencies {
    pub fn new(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut sorted: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64() * 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// `percent` of 0 to 100; the nearest rank. Not a number when there was nothing.
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

/// The median over rounds of a percentile of each.
pub fn median_percentile(rounds: &[Latencies], percent: f64) -> f64 {
    let of_rounds: Vec<f64> = rounds.iter().map(|round| round.percentile(percent)).collect();
    median(&of_rounds)
}
