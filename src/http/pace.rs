//! How long a body may keep its reader waiting.
//!
//! Only waiting for the client counts, so a slow log or a busy machine makes nobody too slow. One timer a body,
//! armed only when a piece is not there yet: a small body that arrives with its head costs no timer at all.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::body::BodyLimits;

/// The waiting of one body.
#[derive(Debug)]
pub(super) struct Pace {
    limits: BodyLimits,
    received: u64,
    /// Over all waits that are over.
    waited: Duration,
    /// Since when the reader waits, if it does.
    began: Option<Instant>,
    /// Made at the first wait.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub fn new(limits: BodyLimits) -> Self {
        Self { limits, received: 0, waited: Duration::ZERO, began: None, timer: None }
    }

    /// Notes that a piece came.
    pub fn progress(&mut self, bytes: usize) {
        self.received += bytes as u64;
        if let Some(began) = self.began.take() {
            self.waited += began.elapsed();
        }
    }

    /// Is ready once the client is too slow. Called whenever a piece is not there yet.
    pub fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.began.is_none() {
            let now = Instant::now();
            self.began = Some(now);
            let end = now + patience(&self.limits, self.waited, self.received);
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(end),
                None => self.timer = Some(Box::pin(sleep_until(end))),
            }
        }
        let timer = self.timer.as_mut().expect("made when the wait began");
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(())
    }
}

/// Returns how long the next wait may be, after so much waiting and so many bytes: the least of what the piece,
/// the whole body and the rate allow. The rate counts from the second wait on that a piece may take.
fn patience(limits: &BodyLimits, waited: Duration, received: u64) -> Duration {
    let piece = limits.chunk_deadline;
    let whole = limits.total_deadline.saturating_sub(waited);
    let earned = match limits.min_rate {
        0 => Duration::MAX,
        rate => Duration::try_from_secs_f64(received as f64 / rate as f64).unwrap_or(Duration::MAX),
    };
    let rate = piece.saturating_add(earned).saturating_sub(waited);
    piece.min(whole).min(rate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn limits(min_rate: u64) -> BodyLimits {
        BodyLimits {
            chunk_deadline: 10 * S,
            total_deadline: 60 * S,
            min_rate,
            ..BodyLimits::default()
        }
    }

    #[test]
    fn the_nearest_of_piece_whole_and_rate_counts() {
        let limits = limits(100);
        assert_eq!(patience(&limits, Duration::ZERO, 0), 10 * S);
        assert_eq!(patience(&limits, 4 * S, 0), 6 * S);
        assert_eq!(patience(&limits, 4 * S, 300), 9 * S);
        assert_eq!(patience(&limits, 4 * S, 100_000), 10 * S);
        assert_eq!(patience(&limits, 55 * S, 100_000), 5 * S);
        assert_eq!(patience(&limits, 55 * S, 1_000), Duration::ZERO);
    }

    #[test]
    fn without_a_rate_only_the_deadlines_count() {
        assert_eq!(patience(&limits(0), 40 * S, 1), 10 * S);
        assert_eq!(patience(&limits(0), 55 * S, 1), 5 * S);
    }

    proptest! {
        #[test]
        fn a_client_at_twice_the_rate_is_never_too_slow_and_one_at_half_of_it_is(
            rate in 1_u64..10_000, seconds in 1_u64..50,
        ) {
            let limits = limits(rate);
            let waited = Duration::from_secs(seconds);
            prop_assert!(patience(&limits, waited, 2 * rate * seconds) > Duration::ZERO);
            if seconds > 20 {
                prop_assert_eq!(patience(&limits, waited, rate * seconds / 2), Duration::ZERO);
            }
        }
    }
}
