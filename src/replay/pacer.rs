//! One rate that several tasks share: who has done something waits until it was allowed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a wait may be before the rate is looked at again, which may have risen meanwhile.
const LOOK_AGAIN: f64 = 0.25;
/// What may be done at once after a pause, in seconds of the rate.
const BURST: f64 = 0.1;

/// What is allowed and not used; below zero what was used and not yet allowed. Pure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tokens {
    rate: f64,
    level: f64,
}

impl Tokens {
    pub fn new(rate: f64) -> Self {
        Self { rate, level: 0.0 }
    }

    /// Lets `seconds` go by.
    pub fn pass(&mut self, seconds: f64) {
        self.level = (self.level + seconds * self.rate).min(self.rate * BURST);
    }

    pub fn set(&mut self, rate: f64) {
        self.rate = rate;
    }

    /// Takes what was done.
    pub fn take(&mut self, count: u64) {
        self.level -= count as f64;
    }

    /// Seconds until what was done is allowed.
    pub fn wait(&self) -> f64 {
        if self.level >= 0.0 { 0.0 } else { -self.level / self.rate }
    }
}

/// Tokens and the time they were looked at.
#[derive(Debug)]
struct Purse {
    tokens: Tokens,
    at: Instant,
    done: u64,
}

/// The rate of a job, shared by its tasks.
#[derive(Debug)]
pub struct Pacer {
    purse: Mutex<Purse>,
}

impl Pacer {
    pub fn new(rate: f64) -> Self {
        let purse = Purse { tokens: Tokens::new(rate), at: Instant::now(), done: 0 };
        Self { purse: Mutex::new(purse) }
    }

    pub fn set(&self, rate: f64) {
        self.passed().tokens.set(rate);
    }

    /// Events that were paced so far.
    pub fn done(&self) -> u64 {
        self.purse().done
    }

    /// Notes that so many events were done, and waits until that is allowed.
    pub async fn pace(&self, count: u64) {
        {
            let mut purse = self.passed();
            purse.tokens.take(count);
            purse.done += count;
        }
        loop {
            let wait = self.passed().tokens.wait();
            if wait <= 0.0 {
                return;
            }
            tokio::time::sleep(Duration::from_secs_f64(wait.clamp(0.001, LOOK_AGAIN))).await;
        }
    }

    fn passed(&self) -> MutexGuard<'_, Purse> {
        let mut purse = self.purse();
        let now = Instant::now();
        let seconds = now.duration_since(purse.at).as_secs_f64();
        purse.tokens.pass(seconds);
        purse.at = now;
        purse
    }

    fn purse(&self) -> MutexGuard<'_, Purse> {
        self.purse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_more_is_done_than_is_allowed(
            rate in 1.0..100_000.0f64, parts in prop::collection::vec(1..5_000u64, 1..50), idle in 0.0..10.0f64,
        ) {
            let mut tokens = Tokens::new(rate);
            tokens.pass(idle);
            let (mut seconds, mut done) = (0.0, 0);
            for part in parts {
                tokens.take(part);
                done += part;
                let wait = tokens.wait();
                tokens.pass(wait);
                seconds += wait;
            }
            prop_assert!(done as f64 <= rate * (seconds + BURST) * 1.000_001 + 1e-6);
            prop_assert!(done as f64 >= rate * seconds * 0.999_999 - 1e-6, "nobody waits for nothing");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_share_one_rate_and_feel_a_change_at_once() {
        let pacer = Pacer::new(1_000.0);
        let began = Instant::now();
        tokio::join!(pacer.pace(1_000), pacer.pace(1_000));
        assert!(began.elapsed() >= Duration::from_secs(2));
        let waiting = pacer.pace(1_000_000);
        let change = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            pacer.set(1e9);
        };
        let began = Instant::now();
        tokio::join!(waiting, change);
        assert!(began.elapsed() < Duration::from_secs(2));
        assert_eq!(pacer.done(), 1_002_000);
    }
}
