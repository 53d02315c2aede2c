//! Looking at a log that no process runs, for the command line. Nothing here changes a file.
//!
//! Files are read without sled, whose recovery writes; what is found is what a start would find or save.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;
use serde::Serialize;

use super::damage::Damage;
use super::error::{Context, OfflineError};
use super::files::{self, Listing};
use super::marks::{self, Seal};
use super::record::Record;
use super::recover::{gaps, lock, settle};
use super::scan::{LostRange, Records, holes};
use super::segment::find_records;
use super::status::Status;

/// A segment that does not hold what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentFault {
    /// The segment's first sequence, as in its directory's name.
    pub segment: u64,
    pub reason: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    pub high_water: u64,
    pub published: u64,
    pub segments: usize,
    /// Records with a right checksum, and the entries in them.
    pub records: u64,
    pub entries: u64,
    /// Promised sequences that no record holds and that were not told as lost before.
    pub holes: Vec<LostRange>,
    /// What was told as lost before.
    pub lost: Vec<LostRange>,
    pub faults: Vec<SegmentFault>,
}

impl VerifyReport {
    /// Whether everything that the log still promises can be read back.
    pub fn is_sound(&self) -> bool {
        self.holes.is_empty() && self.faults.is_empty()
    }
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyProgress {
    pub done: usize,
    pub segments: usize,
    pub entries: u64,
}

/// What an export gave out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportReport {
    pub entries: u64,
    /// One past the last sequence given out; `from` if none was.
    pub next: u64,
}

/// Tells a log's state from its marks and sizes; also while a process runs it, then up to a second old.
pub fn inspect(dir: &Path) -> Result<Status, OfflineError> {
    let log = Log::read(dir)?;
    let bytes =
        log.listing.segments.iter().map(|first| files::dir_bytes(&files::segment_dir(dir, *first)));
    let newest = log.listing.segments.last().map_or(0, |first| first - 1);
    let high_water = log.high_water.max(log.cursor).max(newest);
    Ok(Status {
        high_water,
        published: log.cursor,
        oldest: log.listing.segments.first().copied().unwrap_or(high_water + 1),
        bytes: bytes.sum(),
        max_bytes: None,
        segments: log.listing.segments.len(),
        quarantined: log.damage.quarantined,
        salvaged: log.damage.salvaged,
        lost_entries: log.damage.lost_entries,
        lost: log.damage.lost,
        degraded: None,
        full: false,
    })
}

/// Reads every record, checks its checksum and that the promised sequences are all there.
pub fn verify(
    dir: &Path,
    mut progress: impl FnMut(VerifyProgress),
) -> Result<VerifyReport, OfflineError> {
    let (_lock, log) = Log::locked(dir)?;
    let mut report = VerifyReport {
        high_water: log.high_water,
        published: log.cursor,
        segments: log.listing.segments.len(),
        lost: log.damage.lost.clone(),
        ..VerifyReport::default()
    };
    let mut seals = Vec::new();
    for (index, first) in log.listing.segments.iter().copied().enumerate() {
        let (seal, records) = log.segment(index)?;
        report.note(&log.damage, first, seal, &records);
        seals.extend(seal);
        progress(VerifyProgress {
            done: index + 1,
            segments: report.segments,
            entries: report.entries,
        });
    }
    let gaps = gaps(seals.into_iter(), log.cursor, log.high_water);
    report.holes.extend(gaps.into_iter().flat_map(|gap| log.damage.unknown(gap)));
    report.holes.sort_unstable_by_key(|hole| hole.first);
    Ok(report)
}

impl VerifyReport {
    fn note(
        &mut self,
        damage: &Damage,
        segment: u64,
        seal: Option<Seal>,
        records: &Result<Records, std::io::Error>,
    ) {
        let none = Records::new();
        let held = records.as_ref().unwrap_or(&none);
        let entries: u64 = held.values().map(Record::count).sum();
        self.records += held.len() as u64;
        self.entries += entries;
        let Some(seal) = seal else { return };
        let ranges = held.values().map(|record| (record.first, record.last));
        let holes = holes(ranges, seal.first..=seal.last);
        self.holes.extend(holes.into_iter().flat_map(|hole| damage.unknown(hole)));
        let reason = match records {
            Err(error) => format!("cannot be read: {error}"),
            Ok(_) if entries < seal.entries => {
                format!("holds {entries} of {} entries", seal.entries)
            }
            Ok(_) => return,
        };
        self.faults.push(SegmentFault { segment, reason });
    }
}

/// Gives every readable entry from sequence `from` on to `sink`, in order.
pub fn export(
    dir: &Path,
    from: u64,
    mut sink: impl FnMut(u64, Bytes) -> std::io::Result<()>,
) -> Result<ExportReport, OfflineError> {
    let mut report = ExportReport { entries: 0, next: from };
    let mut failed = None;
    walk(dir, from, |sequence, entry| match sink(sequence, entry) {
        Ok(()) => {
            report.entries += 1;
            report.next = sequence + 1;
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(report), |error| Err(OfflineError::Sink(error)))
}

/// Gives every readable entry from sequence `from` on to `sink`, in order, until it has enough.
pub fn walk(
    dir: &Path,
    from: u64,
    mut sink: impl FnMut(u64, Bytes) -> ControlFlow<()>,
) -> Result<(), OfflineError> {
    let (_lock, log) = Log::locked(dir)?;
    for index in 0..log.listing.segments.len() {
        let following = log.listing.segments.get(index + 1);
        if following.is_some_and(|following| *following <= from) {
            continue;
        }
        let (_, records) = log.segment(index)?;
        for record in records.unwrap_or_default().values() {
            for (sequence, entry) in record.entries_from(from) {
                if sink(sequence, entry).is_break() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// What a log's directory tells without opening anything.
struct Log<'a> {
    dir: &'a Path,
    listing: Listing,
    cursor: u64,
    high_water: u64,
    damage: Damage,
}

impl Log<'_> {
    /// Reads it while no process can run it.
    fn locked(dir: &Path) -> Result<(File, Log<'_>), OfflineError> {
        Log::read(dir)?;
        let lock = lock(dir)?;
        Ok((lock, Log::read(dir)?))
    }

    fn read(dir: &Path) -> Result<Log<'_>, OfflineError> {
        if !dir.join("HIGHWATER").exists() {
            return Err(OfflineError::Missing(dir.to_owned()));
        }
        Ok(Log {
            dir,
            listing: files::list(dir).during("list", dir)?,
            cursor: marks::read_cursor(dir).during("read the cursor in", dir)?.unwrap_or(0),
            high_water: marks::read_high_water(dir)
                .during("read the high water in", dir)?
                .unwrap_or(0),
            damage: Damage::read(dir),
        })
    }

    /// Returns what the segment should hold, none if nothing, and what of it can be read.
    fn segment(
        &self,
        index: usize,
    ) -> Result<(Option<Seal>, std::io::Result<Records>), OfflineError> {
        let first = self.listing.segments[index];
        let dir = files::segment_dir(self.dir, first);
        let sealed = marks::read_seal(&dir).during("read the seal in", &dir)?;
        let mut records = find_records(&dir);
        let none = Records::new();
        let held = records.as_ref().unwrap_or(&none);
        let following = self.listing.segments.get(index + 1).copied();
        let seal = sealed.or_else(|| settle(first, following, self.high_water, held));
        if let Ok(records) = &mut records {
            records.retain(|_, record| seal.is_some_and(|seal| record.last <= seal.last));
        }
        Ok((seal, records))
    }
}
