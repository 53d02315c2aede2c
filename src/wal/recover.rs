//! Opening a log's directory: takes the lock, settles what a crash left, finds what is there.
//!
//! Damage never stops a start. The last segment, the one a crash can have hurt, is checked in full;
//! the others by their seals, and in full when they are first read or by the keeper in the background.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Instant;

use super::damage::Damage;
use super::error::{Context, InUse, IoCause, OpenError};
use super::files::{self, Listing};
use super::ledger::{Ledger, Sealed};
use super::marks::{self, Seal};
use super::repair::repair;
use super::scan::{LostRange, Records, holes, run_end};
use super::segment::{Refusal, Segment, SyncData, find_records, is_full, is_readable};

const LOCK: &str = "LOCK";

/// A log's directory after recovery, locked.
pub(super) struct Recovered {
    pub lock: File,
    pub ledger: Ledger,
    /// The sequence of the next entry.
    pub next: u64,
    pub cursor: u64,
    pub damage: Damage,
    /// Whether this start found damage that was not known.
    pub hurt: bool,
}

/// Takes the directory's lock until the file is dropped.
pub(super) fn lock(root: &Path) -> Result<File, OpenError> {
    let path = root.join(LOCK);
    let file = File::options().write(true).create(true).truncate(false).open(&path);
    let file = file.during("open", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(InUse { dir: root.to_owned() }.into()),
        Err(TryLockError::Error(error)) => Err(IoCause::new("lock", &path, error).into()),
    }
}

/// Recovers the log in `root`, creating it if it is absent.
pub(super) fn recover(root: &Path, sync: &SyncData) -> Result<Recovered, OpenError> {
    files::create_dirs(root).during("create", root)?;
    let lock = lock(root)?;
    let listing = clean(root).during("clean", root)?;
    let cursor = marks::read_cursor(root).during("read the cursor in", root)?;
    // Without a cursor nothing tells whether older segments were deleted or lost.
    let cursor = cursor.unwrap_or_else(|| listing.segments.first().map_or(0, |first| first - 1));
    marks::write_cursor(root, cursor).during("write the cursor in", root)?;
    let high_water =
        marks::read_high_water(root).during("read the high water in", root)?.unwrap_or(0);
    let mut recovery = Recovery {
        root,
        sync,
        cursor,
        high_water,
        ledger: Ledger::default(),
        damage: Damage::read(root),
        hurt: false,
    };
    recovery.segments(&listing).during("recover a segment in", root)?;
    recovery.missing_segments().during("note the damage in", root)?;
    let Recovery { mut ledger, damage, hurt, .. } = recovery;
    ledger.note_published(cursor, Instant::now());
    let newest = ledger.sealed.values().next_back().map_or(0, |sealed| sealed.seal.next - 1);
    let next = high_water.max(cursor).max(newest) + 1;
    Ok(Recovered { lock, ledger, next, cursor, damage, hurt })
}

/// Finishes or undoes what a crash interrupted.
fn clean(root: &Path) -> std::io::Result<Listing> {
    let listing = files::list(root)?;
    for gone in &listing.deleted {
        std::fs::remove_dir_all(gone)?;
    }
    for damaged in listing.salvages {
        let salvage = files::salvage_dir(root, damaged);
        match marks::read_seal(&salvage)? {
            Some(seal) if !files::segment_dir(root, damaged).exists() => {
                std::fs::rename(&salvage, files::segment_dir(root, seal.first))?;
            }
            _ => std::fs::remove_dir_all(&salvage)?,
        }
    }
    files::sync_dir(root)?;
    files::list(root)
}

/// Lets a full disk pass: what was to be written can be found out again at the next start.
fn not_full(result: std::io::Result<()>) -> std::io::Result<()> {
    result.or_else(|error| if is_full(&error) { Ok(()) } else { Err(error) })
}

/// Decides what a segment without a seal should hold; nothing, if it is rightly empty.
///
/// That is all up to the segment that follows, or up to the high water and what comes after that
/// without a hole. What lies beyond was never answered.
pub(super) fn settle(
    first: u64,
    following: Option<u64>,
    high_water: u64,
    records: &Records,
) -> Option<Seal> {
    let run_end = run_end(records, first).max(high_water);
    let last = following.map_or(run_end, |following| following - 1);
    let next = following.unwrap_or(last + 1);
    (last >= first).then(|| Seal { first, last, entries: last + 1 - first, next })
}

/// Returns what was committed, not published, and is in no segment's care.
pub(super) fn gaps(
    seals: impl Iterator<Item = Seal>,
    cursor: u64,
    high_water: u64,
) -> Vec<LostRange> {
    let kept: Vec<_> = seals.map(|seal| (seal.first, seal.next - 1)).collect();
    let newest = kept.last().map_or(0, |(_, last)| *last);
    holes(kept, cursor + 1..=high_water.max(newest))
}

struct Recovery<'a> {
    root: &'a Path,
    sync: &'a SyncData,
    cursor: u64,
    high_water: u64,
    ledger: Ledger,
    damage: Damage,
    hurt: bool,
}

impl Recovery<'_> {
    fn segments(&mut self, listing: &Listing) -> std::io::Result<()> {
        for (index, first) in listing.segments.iter().copied().enumerate() {
            let seal = marks::read_seal(&files::segment_dir(self.root, first))?;
            let following = listing.segments.get(index + 1).copied();
            let sealed = match (seal, following) {
                (Some(seal), Some(_)) => Some(self.sealed(seal, false)),
                (Some(seal), None) => self.check(seal, None)?,
                (None, _) => self.finish(first, following)?,
            };
            if let Some(sealed) = sealed {
                self.ledger.sealed.insert(sealed.seal.first, sealed);
            }
        }
        Ok(())
    }

    fn sealed(&self, seal: Seal, checked: bool) -> Sealed {
        let bytes = files::dir_bytes(&files::segment_dir(self.root, seal.first));
        Sealed { seal, bytes, published_at: None, checked }
    }

    /// Finishes a segment that a crash left without a seal; removes it if it is rightly empty.
    fn finish(&mut self, first: u64, following: Option<u64>) -> std::io::Result<Option<Sealed>> {
        let dir = files::segment_dir(self.root, first);
        let found = match find_records(&dir) {
            // A crash came before its file was made.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(error),
            // Whether it is empty cannot be told.
            Err(error) if following.is_none() => return Err(error),
            found => found,
        };
        let none = Records::new();
        let held = found.as_ref().unwrap_or(&none);
        let Some(seal) = settle(first, following, self.high_water, held) else {
            self.remove_empty(first, &dir)?;
            return Ok(None);
        };
        self.check(seal, Some(found))
    }

    /// Removes a segment in which nothing is found. If a part of it cannot be read, there may be what was
    /// promised since the high water was written: then it is put aside, and told.
    fn remove_empty(&mut self, first: u64, dir: &Path) -> std::io::Result<()> {
        if is_readable(dir) {
            return files::delete_segment(self.root, first);
        }
        let reason = "nothing is found in it, and a part of it cannot be read";
        let aside = files::quarantine(self.root, first, reason, crate::clock::now_ms())?;
        tracing::error!(segment = first, reason, aside = %aside.display(), "a segment was quarantined");
        self.hurt = true;
        self.damage.quarantined += 1;
        self.damage.write(self.root)
    }

    /// Checks a segment in full, and repairs it if it is damaged.
    fn check(
        &mut self,
        seal: Seal,
        found: Option<std::io::Result<Records>>,
    ) -> std::io::Result<Option<Sealed>> {
        let dir = files::segment_dir(self.root, seal.first);
        let unsealed = found.is_some();
        let opened = match found.unwrap_or_else(|| find_records(&dir)) {
            Ok(records) => Segment::open_found(&dir, &seal, records),
            Err(error) => Err(Refusal::unreadable(error)),
        };
        match opened {
            Ok(segment) => {
                drop(segment);
                if unsealed {
                    not_full(marks::write_seal(&dir, &seal))?;
                }
                Ok(Some(self.sealed(seal, true)))
            }
            Err(Refusal::NotNow(error)) => Err(error),
            Err(Refusal::Damaged(damaged)) => {
                self.hurt = true;
                let damage = &mut self.damage;
                match repair(self.root, seal, self.cursor, &damaged, damage, self.sync) {
                    Err(error) if damaged.hold(&seal).is_some() => {
                        tracing::warn!(segment = seal.first, %error, "a repair must wait");
                        Ok(Some(self.sealed(seal, false)))
                    }
                    repaired => repaired,
                }
            }
        }
    }

    /// Counts as lost what was committed, not published, and is in no segment's care.
    fn missing_segments(&mut self) -> std::io::Result<()> {
        let seals = self.ledger.sealed.values().map(|sealed| sealed.seal);
        let gaps = gaps(seals, self.cursor, self.high_water);
        let lost: u64 = gaps.into_iter().map(|gap| self.damage.lose(gap)).sum();
        if lost > 0 {
            self.hurt = true;
            tracing::error!(lost, "segments with entries that were not published are missing");
            self.damage.write(self.root)?;
        }
        Ok(())
    }
}
