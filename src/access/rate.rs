//! How much may be sent: a bucket that is paid from afterwards. Pure, on atomics, without a lock.
//!
//! The bucket is the time (GCRA): it holds the moment at which everything that was sent would be paid for. A
//! request is admitted while that moment is less than a burst ahead, before anybody knows what it holds, and
//! what it held is added afterwards. So in any time `t` no more is admitted than `rate·t + burst` and what
//! the requests hold that were in flight together.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::RATE_BURST_S;

const SECOND_NS: f64 = 1e9;

/// Pays for units of one kind.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: u64,
    /// When all that was sent is paid for, in nanoseconds of the caller's clock.
    paid_at_ns: AtomicU64,
}

impl Bucket {
    pub fn new(per_second: u64) -> Self {
        Self { per_second, paid_at_ns: AtomicU64::new(0) }
    }

    /// Returns how many units may be sent at once after a while of silence.
    pub fn burst(&self) -> u64 {
        self.per_second.saturating_mul(RATE_BURST_S)
    }

    /// Returns how long a request has to wait, in nanoseconds; 0 admits it.
    pub fn wait_ns(&self, now_ns: u64) -> u64 {
        let ahead = self.paid_at_ns.load(Ordering::Relaxed).saturating_sub(now_ns);
        (ahead + 1).saturating_sub(BURST_NS)
    }

    /// Pays for what a request held.
    pub fn charge(&self, units: u64, now_ns: u64) {
        let cost = (units as f64 * SECOND_NS / self.per_second as f64).ceil() as u64;
        let paid = |at: u64| Some(at.max(now_ns).saturating_add(cost));
        // It never fails, since there is always a new moment.
        let _ = self.paid_at_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid);
    }

    /// Returns how many units are left, and in how many nanoseconds all are there again.
    pub fn left(&self, now_ns: u64) -> (u64, u64) {
        let ahead = self.paid_at_ns.load(Ordering::Relaxed).saturating_sub(now_ns);
        let left = BURST_NS.saturating_sub(ahead) as f64 * self.per_second as f64 / SECOND_NS;
        (left as u64, ahead)
    }
}

const BURST_NS: u64 = RATE_BURST_S * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_more_is_admitted_than_rate_and_burst_allow(
            per_second in 1..2_000u64,
            requests in prop::collection::vec((0..500_000_000u64, 1..300u64), 1..200),
        ) {
            let bucket = Bucket::new(per_second);
            let (mut now, mut sent, mut largest) = (1_000_000_000u64, 0u64, 0u64);
            let begin = now;
            for (pause, units) in requests {
                now += pause;
                if bucket.wait_ns(now) == 0 {
                    bucket.charge(units, now);
                    sent += units;
                    largest = largest.max(units);
                }
                let time = (now - begin) as f64 / SECOND_NS;
                let most = per_second as f64 * time + (bucket.burst() + largest) as f64;
                prop_assert!(sent as f64 <= most + 1.0, "{sent} of {most}");
            }
        }

        #[test]
        fn who_waits_as_long_as_told_is_admitted(per_second in 1..2_000u64, units in 1..100_000u64) {
            let bucket = Bucket::new(per_second);
            bucket.charge(units, 5);
            let wait = bucket.wait_ns(5);
            prop_assert_eq!(bucket.wait_ns(5 + wait), 0);
            prop_assert!(wait == 0 || bucket.wait_ns(5 + wait - 1) > 0);
        }
    }

    #[test]
    fn what_is_left_comes_back_with_time() {
        let bucket = Bucket::new(10);
        assert_eq!(bucket.left(0), (bucket.burst(), 0));
        bucket.charge(5, 0);
        assert_eq!(bucket.left(0), (bucket.burst() - 5, 500_000_000));
        assert_eq!(bucket.left(500_000_000), (bucket.burst(), 0));
    }
}
