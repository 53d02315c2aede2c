//! Puts a damaged segment aside and saves what can be read of it.
//!
//! The saved copy is complete and durable under a name of its own before the damaged one moves, so a
//! crash at any point leaves either the damaged segment or the saved one.

use std::io;
use std::path::Path;

use super::damage::Damage;
use super::files;
use super::ledger::Sealed;
use super::marks::{self, Seal};
use super::record::Record;
use super::scan::{Records, holes};
use super::segment::{Damaged, Segment, SyncData};

/// Records written between two syncs of a salvage.
const CHUNK: usize = 64;

/// Quarantines the segment and returns its salvaged replacement, if anything of it could be read.
///
/// `expected` is what the segment should hold; what is missing of it above `cursor` is counted as lost.
pub(super) fn repair(
    root: &Path,
    expected: Seal,
    cursor: u64,
    damaged: &Damaged,
    damage: &mut Damage,
    sync: &SyncData,
) -> io::Result<Option<Sealed>> {
    let saved = salvage(root, expected, &damaged.records, sync)?;
    let aside = files::quarantine(root, expected.first, &damaged.reason, crate::clock::now_ms())?;
    if let Some(sealed) = &saved {
        let first = sealed.seal.first;
        std::fs::rename(files::salvage_dir(root, expected.first), files::segment_dir(root, first))?;
        files::sync_dir(root)?;
    }
    let salvaged = saved.as_ref().map_or(0, |sealed| sealed.seal.entries);
    damage.quarantined += 1;
    damage.salvaged += salvaged;
    let promised = expected.first.max(cursor + 1)..=expected.last;
    let mut lost = 0;
    for range in holes(damaged.records.values().map(|record| (record.first, record.last)), promised)
    {
        lost += damage.lose(range);
    }
    damage.write(root)?;
    tracing::error!(
        segment = expected.first,
        reason = damaged.reason,
        aside = %aside.display(),
        salvaged,
        lost,
        "a damaged segment of the log was quarantined"
    );
    Ok(saved)
}

fn salvage(
    root: &Path,
    expected: Seal,
    records: &Records,
    sync: &SyncData,
) -> io::Result<Option<Sealed>> {
    let records: Vec<Record> = records.values().cloned().collect();
    let (Some(oldest), Some(newest)) = (records.first(), records.last()) else {
        return Ok(None);
    };
    let seal = Seal {
        first: oldest.first,
        last: newest.last,
        entries: records.iter().map(Record::count).sum(),
        next: expected.next.max(newest.last + 1),
    };
    let dir = files::salvage_dir(root, expected.first);
    let segment = Segment::create(&dir, seal.first)?;
    for chunk in records.chunks(CHUNK) {
        segment.write(chunk, sync)?;
    }
    drop(segment);
    marks::write_seal(&dir, &seal)?;
    Ok(Some(Sealed { seal, bytes: files::dir_bytes(&dir), published_at: None, checked: true }))
}
