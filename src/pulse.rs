//! Signs of life: what a loop shows by coming by, and who has not shown any for too long.
//!
//! A pulse is shown by the loop itself, so one that is stuck shows none, whatever the rest of the process does.
//! The judgement is a pure function of what was shown.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::limits::PULSE_PERIOD;

/// The sign of life of one loop; clones share it.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    began: Instant,
    /// Milliseconds after `began`.
    last: AtomicU64,
}

/// What a loop has shown by one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    pub name: &'static str,
    /// How long ago it came by.
    pub age: Duration,
}

impl Pulse {
    /// Begins with a sign, so that a loop has time to begin too.
    pub fn new(name: &'static str) -> Self {
        Self(Arc::new(Inner { name, began: Instant::now(), last: AtomicU64::new(0) }))
    }

    /// Shows that the loop has come by.
    pub fn beat(&self) {
        self.0.last.store(self.0.elapsed_ms(), Ordering::Relaxed);
    }

    /// Waits for something that may rightly take for ever, and shows meanwhile that the loop is only waiting.
    /// Whatever blocks the task, in here or after, ends the signs. Pinned by the caller: moved in, it would be kept twice.
    pub async fn while_waiting<T>(&self, mut waiting: impl Future<Output = T> + Unpin) -> T {
        loop {
            self.beat();
            tokio::select! {
                biased;
                done = &mut waiting => return done,
                () = tokio::time::sleep(PULSE_PERIOD) => {}
            }
        }
    }

    /// Returns what was shown by now.
    pub fn sign(&self) -> Sign {
        let last = self.0.last.load(Ordering::Relaxed);
        let age = self.0.elapsed_ms().saturating_sub(last);
        Sign { name: self.0.name, age: Duration::from_millis(age) }
    }
}

impl Inner {
    fn elapsed_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

/// Returns who has shown nothing for longer than `patience`, each name once, in the order given. Pure.
pub fn silent(signs: &[Sign], patience: Duration) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for sign in signs.iter().filter(|sign| sign.age > patience) {
        if !names.contains(&sign.name) {
            names.push(sign.name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use proptest::prelude::*;

    use super::*;

    fn signs(ages_ms: &[u64]) -> Vec<Sign> {
        let names = ["the writer", "the listener", "the relay", "a worker"];
        let age = |ms: &u64| Duration::from_millis(*ms);
        names.iter().zip(ages_ms).map(|(name, ms)| Sign { name, age: age(ms) }).collect()
    }

    #[test]
    fn one_silent_loop_is_named_though_all_others_go_on() {
        let patience = Duration::from_millis(100);
        assert_eq!(silent(&signs(&[0, 100, 20]), patience), Vec::<&str>::new());
        assert_eq!(silent(&signs(&[0, 101, 20]), patience), ["the listener"]);
        assert_eq!(silent(&[], patience), Vec::<&str>::new());
    }

    #[test]
    fn loops_of_one_name_are_each_looked_at_and_told_once() {
        let two = |first, second| [first, second].map(|ms| signs(&[ms])[0]);
        let patience = Duration::from_millis(100);
        assert_eq!(silent(&two(500, 3), patience), ["the writer"]);
        assert_eq!(silent(&two(3, 500), patience), ["the writer"]);
        assert_eq!(silent(&two(500, 500), patience), ["the writer"]);
    }

    proptest! {
        #[test]
        fn whoever_shows_more_is_never_told_for_it(
            ages in proptest::collection::vec(0_u64..1_000, 4), which in 0_usize..4, patience in 0_u64..1_000,
        ) {
            let patience = Duration::from_millis(patience);
            let before = silent(&signs(&ages), patience);
            let mut better = ages.clone();
            better[which] /= 2;
            let after = silent(&signs(&better), patience);
            prop_assert!(after.iter().all(|name| before.contains(name)));
            prop_assert_eq!(before.is_empty(), ages.iter().all(|ms| Duration::from_millis(*ms) <= patience));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_busy_grows_silent_and_one_that_waits_shows_signs() {
        let pulse = Pulse::new("a loop");
        let busy = Duration::from_millis(20);
        while pulse.sign().age < busy {
            std::hint::spin_loop();
        }
        assert_eq!(silent(&[pulse.sign()], busy / 2), ["a loop"]);
        pulse.while_waiting(pin!(tokio::time::sleep(3 * PULSE_PERIOD))).await;
        assert!(pulse.sign().age < busy);
    }
}
