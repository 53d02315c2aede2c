//! What a projector tells of itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::lag::LagMeter;

/// What a projector is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waits for the log to answer.
    Waiting,
    /// Reads what it has missed.
    CatchingUp,
    /// Has read all there is.
    Live,
}

/// The latest message that was no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastUndecodable {
    pub sequence: u64,
    pub subject: String,
    pub reason: String,
}

/// Counters since the start, and how far the log is applied. Shared between writer and readers.
#[derive(Debug, Default)]
pub struct Status {
    pub applied_through: AtomicU64,
    pub events: AtomicU64,
    pub applied_puts: AtomicU64,
    pub superseded_puts: AtomicU64,
    pub undecodable: AtomicU64,
    /// Messages the log held behind the last batch when it came.
    pub pending: AtomicU64,
    /// Whether the log began behind what the graph had read of it, so that something is missing for good.
    pub truncated: AtomicBool,
    /// Whether the graph has once held all of the log that there was, from its beginning.
    pub caught_up: Arc<AtomicBool>,
    /// How often the log turned out to be another one than was read.
    pub went_back: AtomicU64,
    /// How late events were applied of late.
    pub lag: LagMeter,
    phase: AtomicU64,
    last_undecodable: Mutex<Option<LastUndecodable>>,
}

impl Status {
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Waiting,
            1 => Phase::CatchingUp,
            _ => Phase::Live,
        }
    }

    pub fn last_undecodable(&self) -> Option<LastUndecodable> {
        self.last_undecodable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u64, Ordering::Relaxed);
        if phase == Phase::Live && !self.truncated.load(Ordering::Relaxed) {
            self.caught_up.store(true, Ordering::Release);
        }
    }

    pub(super) fn note_undecodable(&self, last: LastUndecodable) {
        self.undecodable.fetch_add(1, Ordering::Relaxed);
        *self.last_undecodable.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}
