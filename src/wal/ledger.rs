//! What segments there are and what each holds; pure decisions about reading and deleting them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::marks::Seal;

/// A finished segment.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub seal: Seal,
    /// On disk.
    pub bytes: u64,
    /// Since when everything in it counts as published.
    pub published_at: Option<Instant>,
    /// Whether its content was seen to be whole since the log was opened.
    pub checked: bool,
}

/// The segment that is being written.
#[derive(Debug, Clone)]
pub(super) struct Active {
    pub first: u64,
    /// `first - 1` when it is empty.
    pub last: u64,
    pub entries: u64,
    /// On disk.
    pub bytes: u64,
    pub opened: Instant,
}

/// Where a sequence is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Sealed(Seal),
    Active,
}

/// All segments of the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub sealed: BTreeMap<u64, Sealed>,
    pub active: Option<Active>,
}

impl Ledger {
    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        let active = self.active.as_ref().map_or(0, |active| active.bytes);
        active + self.sealed.values().map(|sealed| sealed.bytes).sum::<u64>()
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.sealed.len() + usize::from(self.active.is_some())
    }

    /// The first sequence that is kept, if any is.
    pub fn oldest(&self) -> Option<u64> {
        let active = self.active.as_ref().filter(|active| active.entries > 0);
        let sealed = self.sealed.values().next().map(|sealed| sealed.seal.first);
        sealed.or_else(|| active.map(|active| active.first))
    }

    /// The segment that holds `from` or, if none does, the first one after it.
    pub fn place(&self, from: u64) -> Option<Place> {
        let sealed = self.sealed.values().map(|sealed| sealed.seal).find(|seal| seal.last >= from);
        let active =
            self.active.as_ref().filter(|active| active.last >= from && active.entries > 0);
        sealed.map(Place::Sealed).or_else(|| active.map(|_| Place::Active))
    }

    /// Starts and stops grace periods after the published mark moved.
    pub fn note_published(&mut self, through: u64, now: Instant) {
        for sealed in self.sealed.values_mut() {
            if sealed.seal.last > through {
                sealed.published_at = None;
            } else if sealed.published_at.is_none() {
                sealed.published_at = Some(now);
            }
        }
    }

    /// The oldest segment of which everything is published durably.
    pub fn oldest_published(&self, cursor: u64) -> Option<u64> {
        let (first, sealed) = self.sealed.iter().next()?;
        (sealed.seal.last <= cursor && sealed.published_at.is_some()).then_some(*first)
    }

    /// The segments whose grace period is over by age or by bytes, oldest first.
    pub fn out_of_grace(&self, cursor: u64, now: Instant, age: Duration, bytes: u64) -> Vec<u64> {
        let published =
            |sealed: &&Sealed| sealed.seal.last <= cursor && sealed.published_at.is_some();
        let published: Vec<_> = self.sealed.values().take_while(published).collect();
        let mut kept: u64 = published.iter().map(|sealed| sealed.bytes).sum();
        let mut out = Vec::new();
        for sealed in published {
            let since =
                sealed.published_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
            if since < age && kept <= bytes {
                break;
            }
            kept -= sealed.bytes;
            out.push(sealed.seal.first);
        }
        out
    }
}
