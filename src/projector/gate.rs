//! The breaker of one generation's store, shared by the workers of a process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::batch::Share;
use crate::store::{Breaker, BreakerOptions, Permit};

/// Lets workers ask the store while most of what it answers is good, and one of them once in a while
/// otherwise.
#[derive(Debug)]
pub struct Gate {
    began: Instant,
    breaker: Mutex<Breaker>,
    changed: Notify,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            breaker: Mutex::new(Breaker::new(BreakerOptions::default())),
            changed: Notify::new(),
        }
    }
}

impl Gate {
    pub fn is_open(&self) -> bool {
        self.breaker().is_open()
    }

    /// Waits until there is a point in having something to apply.
    pub async fn ready(&self) {
        self.wait(|breaker, now_ms| breaker.waits_until(now_ms)).await;
    }

    /// Waits until the store may be asked; the attempt that follows is to be noted.
    pub async fn pass(&self) {
        let permit = |breaker: &mut Breaker, now_ms| match breaker.permit(now_ms) {
            Permit::Go | Permit::Trial => None,
            Permit::WaitUntil(until_ms) => Some(until_ms),
        };
        self.wait(permit).await;
    }

    /// Whether it may be the store that fails, and not some events alone.
    pub fn doubts(&self) -> bool {
        let now_ms = self.now_ms();
        self.breaker().doubts(now_ms)
    }

    /// How long another trial may have to be waited for; `None` while the store is asked as usual.
    pub fn patience(&self) -> Option<Duration> {
        self.breaker().wait_ms().map(|wait_ms| Duration::from_millis(2 * wait_ms))
    }

    /// Notes how an attempt went, `first` at what has not failed before; true if this opened the breaker or
    /// closed it.
    pub fn note(&self, share: Share, first: bool) -> bool {
        let (before, after) = {
            let mut breaker = self.breaker();
            let before = breaker.is_open();
            let now_ms = self.now_ms();
            if first {
                breaker.note(now_ms, share.failed, share.of);
            } else {
                breaker.note_again(now_ms, share.failed, share.of);
            }
            (before, breaker.is_open())
        };
        // Whoever waits for the end of a trial looks again: it is closed, or another trial is due.
        if before {
            self.changed.notify_waiters();
        }
        before != after
    }

    async fn wait(&self, mut until: impl FnMut(&mut Breaker, u64) -> Option<u64>) {
        loop {
            let changed = self.changed.notified();
            let Some(until_ms) = until(&mut self.breaker(), self.now_ms()) else { return };
            let at = self.began + Duration::from_millis(until_ms);
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(at) => {}
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const FAILED: Share = Share { failed: 1, of: 1 };

    #[tokio::test]
    async fn the_next_trial_does_not_wait_for_one_that_has_failed() {
        let gate = Arc::new(Gate::default());
        (0..4).for_each(|_| _ = gate.note(FAILED, true));
        gate.pass().await;
        let next = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass().await }
        });
        tokio::task::yield_now().await;
        gate.note(FAILED, true);
        // Half a second, and not the twenty after which a trial counts as lost.
        tokio::time::timeout(Duration::from_secs(5), next)
            .await
            .expect("in time")
            .expect("it passes");
    }

    #[tokio::test]
    async fn a_trial_without_events_is_the_next_ones() {
        let gate = Gate::default();
        (0..4).for_each(|_| _ = gate.note(FAILED, true));
        gate.pass().await;
        gate.note(Share { failed: 0, of: 0 }, true);
        assert!(gate.is_open());
        tokio::time::timeout(Duration::from_secs(5), gate.pass()).await.expect("in time");
    }
}
