//! How late events were applied of late: what a job looks at that must not disturb.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::LAG_SAMPLES;

/// What counts as of late.
const WINDOW: Duration = Duration::from_secs(5);

/// The lateness of what was applied within the last 5 seconds.
#[derive(Debug, Default)]
pub struct LagMeter(Mutex<Window>);

/// Samples in the order of time. Pure: it is told what time it is.
#[derive(Debug, Default)]
struct Window(VecDeque<(Instant, f32)>);

impl LagMeter {
    /// Notes that something was applied so long after the log had it.
    pub fn record(&self, lag_ms: f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).record(Instant::now(), lag_ms);
    }

    /// The lag that 99 of 100 samples do not exceed, in milliseconds; `None` without samples.
    pub fn p99_ms(&self) -> Option<f64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).p99(Instant::now())
    }
}

impl Window {
    fn record(&mut self, now: Instant, lag_ms: f64) {
        self.forget(now);
        if self.0.len() == LAG_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back((now, lag_ms as f32));
    }

    fn p99(&mut self, now: Instant) -> Option<f64> {
        self.forget(now);
        let mut lags: Vec<f32> = self.0.iter().map(|(_, lag)| *lag).collect();
        let place = (lags.len() * 99).div_ceil(100).checked_sub(1)?;
        let (_, lag, _) = lags.select_nth_unstable_by(place, f32::total_cmp);
        Some(f64::from(*lag))
    }

    fn forget(&mut self, now: Instant) {
        while self.0.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seconds_count_and_nothing_older() {
        let (mut window, began) = (Window::default(), Instant::now());
        assert_eq!(window.p99(began), None);
        (1..=100).for_each(|lag| window.record(began, f64::from(lag)));
        assert_eq!(window.p99(began), Some(99.0));
        window.record(began + WINDOW, 7.0);
        assert_eq!(window.p99(began + WINDOW), Some(99.0));
        assert_eq!(window.p99(began + WINDOW + Duration::from_millis(1)), Some(7.0));
        (0..2 * LAG_SAMPLES).for_each(|_| window.record(began + WINDOW, 1.0));
        assert_eq!(window.0.len(), LAG_SAMPLES);
    }
}
