//! Finished segments that are open for reading: few, and each database only once.

use std::sync::Arc;

use super::error::{Context, ReadError};
use super::files;
use super::handle::ReadOutcome;
use super::ledger::Place;
use super::marks::Seal;
use super::repair::repair;
use super::segment::{Damaged, Refusal, Segment};
use super::shared::Shared;
use crate::limits::WAL_OPEN_SEGMENTS;

/// Open finished segments, the most recently used one last.
#[derive(Default)]
pub(super) struct Readers {
    open: Vec<Arc<Segment>>,
}

impl Readers {
    fn get(&mut self, first: u64) -> Option<Arc<Segment>> {
        let at = self.open.iter().position(|segment| segment.first == first)?;
        let segment = self.open.remove(at);
        self.open.push(Arc::clone(&segment));
        Some(segment)
    }

    /// Adds a segment, and closes the ones least recently used beyond the bound, unless they are in use.
    pub fn add(&mut self, segment: Arc<Segment>) {
        self.open.push(segment);
        let mut at = 0;
        while self.open.len() > WAL_OPEN_SEGMENTS && at + 1 < self.open.len() {
            if Arc::strong_count(&self.open[at]) == 1 {
                self.open.remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Closes a segment.
    pub fn forget(&mut self, first: u64) {
        self.open.retain(|segment| segment.first != first);
    }

    /// Closes all.
    pub fn clear(&mut self) {
        self.open.clear();
    }
}

impl Shared {
    /// Opens a finished segment; none if it changed and must be looked up again.
    fn open_sealed(&self, seal: &Seal) -> std::io::Result<Option<Arc<Segment>>> {
        let mut readers = self.readers();
        if let Some(segment) = readers.get(seal.first) {
            return Ok(Some(segment));
        }
        {
            let state = self.state();
            if let Some(segment) = state.finished.get(&seal.first) {
                return Ok(Some(Arc::clone(segment)));
            }
            if !state.ledger.sealed.contains_key(&seal.first) {
                return Ok(None);
            }
        }
        match Segment::open_checked(&files::segment_dir(&self.options.dir, seal.first), seal) {
            Ok(segment) => {
                let segment = Arc::new(segment);
                readers.add(Arc::clone(&segment));
                self.note_checked(seal.first);
                Ok(Some(segment))
            }
            Err(Refusal::NotNow(error)) => Err(error),
            Err(Refusal::Damaged(damaged)) => {
                let Err(error) = self.repair_sealed(seal, &damaged) else {
                    return Ok(None);
                };
                let held = damaged.hold(seal).map(Arc::new).ok_or(error)?;
                readers.add(Arc::clone(&held));
                Ok(Some(held))
            }
        }
    }

    /// Checks a finished segment in full, unless it is open, which it is only after a check.
    pub fn check_sealed(&self, first: u64) -> std::io::Result<()> {
        let readers = self.readers();
        let seal = {
            let state = self.state();
            let open = state.finished.contains_key(&first)
                || readers.open.iter().any(|segment| segment.first == first);
            state.ledger.sealed.get(&first).filter(|_| !open).map(|sealed| sealed.seal)
        };
        let Some(seal) = seal else { return Ok(()) };
        match Segment::open_checked(&files::segment_dir(&self.options.dir, first), &seal) {
            Ok(_) => self.note_checked(first),
            Err(Refusal::NotNow(error)) => return Err(error),
            Err(Refusal::Damaged(damaged)) => self.repair_sealed(&seal, &damaged)?,
        }
        Ok(())
    }

    fn note_checked(&self, first: u64) {
        // sled fills its file up when it opens it again.
        let bytes = files::dir_bytes(&files::segment_dir(&self.options.dir, first));
        if let Some(sealed) = self.state().ledger.sealed.get_mut(&first) {
            sealed.checked = true;
            sealed.bytes = bytes;
        }
    }

    /// Replaces a damaged segment; the caller holds the readers.
    fn repair_sealed(&self, seal: &Seal, damaged: &Damaged) -> std::io::Result<()> {
        let (mut damage, published) = {
            let state = self.state();
            (state.damage.clone(), state.published)
        };
        let saved = repair(&self.options.dir, *seal, published, damaged, &mut damage, &self.sync)?;
        let mut state = self.state();
        state.damage = damage;
        state.hurt = true;
        let published_at =
            state.ledger.sealed.remove(&seal.first).and_then(|sealed| sealed.published_at);
        if let Some(mut sealed) = saved {
            sealed.published_at = published_at;
            state.ledger.sealed.insert(sealed.seal.first, sealed);
        }
        Ok(())
    }

    /// Reads committed entries from the segments; blocks.
    pub fn read_stored(
        &self,
        from: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> Result<ReadOutcome, ReadError> {
        let dir = &self.options.dir;
        let committed = self.committed();
        let mut at = from;
        loop {
            let (place, active) = {
                let state = self.state();
                (state.ledger.place(at), state.active.clone())
            };
            let (segment, last) = match place {
                None => return Ok(self.outcome(from, Vec::new(), committed + 1)),
                Some(Place::Active) => (active, committed),
                Some(Place::Sealed(seal)) => {
                    (self.open_sealed(&seal).during("open a segment in", dir)?, seal.last)
                }
            };
            let Some(segment) = segment else { continue };
            let read = segment.read(at, last.min(committed), max_entries, max_bytes);
            if read.is_err() {
                // Opened again it is checked, and repaired if need be.
                self.readers().forget(segment.first);
            }
            let entries = read.during("read a segment in", dir)?;
            if let Some((last, _)) = entries.last() {
                let next = last + 1;
                return Ok(self.outcome(from, entries, next));
            }
            at = last + 1;
            if at > committed {
                return Ok(self.outcome(from, Vec::new(), at));
            }
        }
    }
}
