//! The way from many appending tasks to the one committer thread.
//!
//! Bounded by bytes: the appender holds a share of the budget, which the committer gives back.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::error::AppendError;
use super::handle::AppendOutcome;
use crate::limits::{PULSE_PERIOD, WAL_COMMIT_BYTES};
use crate::pulse::Pulse;

/// An append that waits for its commit.
pub(super) struct Pending {
    pub entries: Vec<Bytes>,
    /// Its share of the budget.
    pub cost: u32,
    pub reply: oneshot::Sender<Result<AppendOutcome, AppendError>>,
}

/// What the committer does next.
pub(super) enum Work {
    Commit(Vec<Pending>),
    /// Finish the segment that is being written.
    Roll,
    Stop,
}

#[derive(Default)]
struct Inner {
    pending: VecDeque<Pending>,
    roll: bool,
    closed: bool,
    parked: bool,
}

/// The queue.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    ready: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds the queue")
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        change(&mut inner);
        let parked = inner.parked;
        drop(inner);
        // Waking costs a system call even when nobody waits.
        if parked {
            self.ready.notify_one();
        }
    }

    /// Adds an append; gives it back if the queue is closed.
    pub fn push(&self, pending: Pending) -> Result<(), Pending> {
        let mut refused = None;
        self.change(|inner| {
            if inner.closed {
                refused = Some(pending);
            } else {
                inner.pending.push_back(pending);
            }
        });
        refused.map_or(Ok(()), Err)
    }

    /// Asks for a new segment.
    pub fn roll(&self) {
        self.change(|inner| inner.roll = true);
    }

    /// Refuses appends from now on; those in the queue are still committed.
    pub fn close(&self) {
        self.change(|inner| inner.closed = true);
    }

    /// Waits for work, and shows meanwhile that it only waits. A commit holds what is waiting, up to `WAL_COMMIT_BYTES` and at least one append.
    pub fn take(&self, pulse: &Pulse) -> Work {
        let mut inner = self.lock();
        loop {
            pulse.beat();
            if !inner.pending.is_empty() {
                return Work::Commit(batch(&mut inner.pending));
            }
            if std::mem::take(&mut inner.roll) {
                return Work::Roll;
            }
            if inner.closed {
                return Work::Stop;
            }
            inner.parked = true;
            let waited = self.ready.wait_timeout(inner, PULSE_PERIOD);
            (inner, _) = waited.expect("nothing panics while it holds the queue");
            inner.parked = false;
        }
    }
}

fn batch(pending: &mut VecDeque<Pending>) -> Vec<Pending> {
    let mut bytes = 0;
    let fits = pending.iter().take_while(|append| {
        let fits = bytes == 0 || bytes + append.cost as usize <= WAL_COMMIT_BYTES;
        bytes += append.cost as usize;
        fits
    });
    let count = fits.count();
    pending.drain(..count).collect()
}
