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

    /// Notes how an attempt went; true if this opened the breaker or closed it.
    pub fn note(&self, share: Share) -> bool {
        let (before, after) = {
            let mut breaker = self.breaker();
            let before = breaker.is_open();
            breaker.note(self.now_ms(), share.failed, share.of);
            (before, breaker.is_open())
        };
        if before && !after {
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
