//! What the workers of one generation tell of themselves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::lag::LagMeter;
use crate::clock;
use crate::store::Failure;

/// Counters since the start of the process. Shared between the workers and those who ask.
#[derive(Debug, Default)]
pub struct WorkerStatus {
    pub events: AtomicU64,
    pub applied_puts: AtomicU64,
    pub superseded_puts: AtomicU64,
    pub undecodable: AtomicU64,
    pub parked: AtomicU64,
    pub went_back: AtomicU64,
    /// How late events were applied of late.
    pub lag: LagMeter,
    /// Whether the latest attempt failed in part.
    failing: AtomicBool,
    last_failure: Mutex<Option<LastFailure>>,
}

/// The latest failure of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    pub code: String,
    pub error: String,
    pub at_ms: i64,
}

impl WorkerStatus {
    pub fn last_failure(&self) -> Option<LastFailure> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What fails now: the latest failure, unless an attempt succeeded since.
    pub fn failing(&self) -> Option<LastFailure> {
        self.last_failure().filter(|_| self.failing.load(Ordering::Relaxed))
    }

    /// Notes an attempt of which nothing failed.
    pub(super) fn note_success(&self) {
        self.failing.store(false, Ordering::Relaxed);
    }

    /// Notes a failure; true if it is another one than the last.
    pub(super) fn note_failure(&self, failure: &Failure) -> bool {
        let last = LastFailure {
            code: failure.code.clone(),
            error: failure.text.clone(),
            at_ms: clock::now_ms(),
        };
        let mut known = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        let other = known.as_ref().is_none_or(|known| known.code != last.code);
        *known = Some(last);
        self.failing.store(true, Ordering::Relaxed);
        other
    }

    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}
