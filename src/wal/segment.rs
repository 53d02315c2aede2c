//! One segment: a sled database in a directory of its own, written once in order, deleted as a whole.
//!
//! Nothing outside this file calls sled. sled may panic on damage or on a full disk: every call is guarded.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::files;
use super::marks::Seal;
use super::record::Record;
use super::scan::{Records, scan};
use super::tail::take;
use crate::limits::{WAL_CACHE_BYTES, WAL_SLED_SEGMENT_BYTES};

/// Makes a file's data durable; a seam, so that a test can let it fail.
pub(super) type SyncData = Arc<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

/// The file that holds a sled database's data.
const DATA: &str = "db";
/// Where sled moves values that are too large, unsynced: nothing may ever be in it.
const BLOBS: &str = "blobs";
/// sled closes its file in the background, after its threads are done with it.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// The disk cannot read a block.
const EIO: i32 = 5;
const BLOCK: usize = 4096;
const CLOSE_POLL: Duration = Duration::from_millis(2);

/// An open segment.
pub(super) struct Segment {
    pub first: u64,
    store: Store,
}

enum Store {
    Sled(sled::Db, File),
    /// A whole segment that sled cannot open for now, say for want of disk space.
    Held(Records),
}

/// A segment whose records are not all readable through sled, with what a plain scan still finds.
pub(super) struct Damaged {
    pub reason: String,
    pub records: Records,
}

/// Why a segment was not opened.
pub(super) enum Refusal {
    Damaged(Damaged),
    /// It cannot be opened now, which says nothing about its content.
    NotNow(io::Error),
}

impl Refusal {
    /// Judges a file that could not be read.
    pub fn unreadable(error: io::Error) -> Refusal {
        if tells_of_damage(&error) {
            return Refusal::Damaged(Damaged::unreadable(&error));
        }
        Refusal::NotNow(error)
    }
}

impl Damaged {
    /// Is a segment without a readable file.
    fn unreadable(error: &io::Error) -> Damaged {
        let reason = format!("cannot be read: {error}");
        Damaged { reason, records: Records::new() }
    }

    /// Gives all entries out of memory, if all are there, when the damage cannot be repaired for now.
    pub fn hold(self, seal: &Seal) -> Option<Segment> {
        let whole = count(&self.records) >= seal.entries;
        whole.then(|| Segment { first: seal.first, store: Store::Held(self.records) })
    }
}

fn count(records: &Records) -> u64 {
    records.values().map(Record::count).sum()
}

fn guard<T>(work: impl FnOnce() -> sled::Result<T>) -> io::Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(io::Error::from),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            let text = text.unwrap_or_else(|| "no message".to_owned());
            Err(io::Error::other(format!("sled panicked: {text}")))
        }
    }
}

fn open_db(dir: &Path) -> io::Result<sled::Db> {
    guard(|| {
        sled::Config::new()
            .path(dir)
            .mode(sled::Mode::HighThroughput)
            .segment_size(WAL_SLED_SEGMENT_BYTES)
            .cache_capacity(WAL_CACHE_BYTES)
            .use_compression(false)
            .flush_every_ms(None)
            .open()
    })
}

impl Segment {
    /// Creates an empty segment in `dir` and makes its files and names durable.
    pub fn create(dir: &Path, first: u64) -> io::Result<Segment> {
        match std::fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::create_dir(dir)?,
        }
        let segment = Segment::open(dir, first)?;
        for entry in std::fs::read_dir(dir)? {
            File::open(entry?.path())?.sync_all()?;
        }
        files::sync_dir(dir)?;
        if let Some(root) = dir.parent() {
            files::sync_dir(root)?;
        }
        Ok(segment)
    }

    fn open(dir: &Path, first: u64) -> io::Result<Segment> {
        let db = open_db(dir)?;
        let data = File::options().read(true).write(true).open(dir.join(DATA))?;
        Ok(Segment { first, store: Store::Sled(db, data) })
    }

    /// Opens an existing segment for reading, if what its file holds is all that its seal tells, and
    /// sled yields every record of it.
    pub fn open_checked(dir: &Path, seal: &Seal) -> Result<Segment, Refusal> {
        match find_records(dir) {
            Ok(records) => Segment::open_found(dir, seal, records),
            Err(error) => Err(Refusal::unreadable(error)),
        }
    }

    /// Does the same with the records that were found in its file before.
    pub fn open_found(dir: &Path, seal: &Seal, mut records: Records) -> Result<Segment, Refusal> {
        records.retain(|_, record| record.first >= seal.first && record.last <= seal.last);
        let found = count(&records);
        if found < seal.entries {
            let reason = format!("holds {found} of {} entries", seal.entries);
            return Err(Refusal::Damaged(Damaged { reason, records }));
        }
        wait_until_closed(dir).map_err(Refusal::NotNow)?;
        match Segment::open_agreeing(dir, seal.first, &records) {
            Ok(segment) => Ok(segment),
            Err(error) if tells_of_damage(&error) => {
                let reason = error.to_string();
                Err(Refusal::Damaged(Damaged { reason, records }))
            }
            Err(error) => {
                tracing::warn!(segment = seal.first, %error, "a segment is held in memory for now");
                Ok(Segment { first: seal.first, store: Store::Held(records) })
            }
        }
    }

    fn open_agreeing(dir: &Path, first: u64, records: &Records) -> io::Result<Segment> {
        if has_blobs(dir) {
            let reason = "has values in files of their own, which are never synced";
            return Err(io::Error::other(reason));
        }
        let segment = Segment::open(dir, first)?;
        let mut missing = records.len();
        segment.for_each(0, |record| {
            missing -= usize::from(records.get(&record.first) == Some(&record));
            true
        })?;
        if missing > 0 {
            let all = records.len();
            return Err(io::Error::other(format!("its database lost {missing} of {all} records")));
        }
        Ok(segment)
    }

    /// Stores records and syncs them; after an error the segment must not be written again.
    pub fn write(&self, records: &[Record], sync: &SyncData) -> io::Result<()> {
        let Store::Sled(db, data) = &self.store else {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        };
        guard(|| {
            for record in records {
                db.insert(record.first.to_be_bytes(), record.bytes.as_ref())?;
            }
            db.flush().map(drop)
        })?;
        sync(data)
    }

    /// Returns the size of the data file, in bytes.
    pub fn bytes(&self) -> u64 {
        match &self.store {
            Store::Sled(_, data) => data.metadata().map_or(0, |metadata| metadata.len()),
            Store::Held(records) => records.values().map(|record| record.bytes.len() as u64).sum(),
        }
    }

    /// Reads entries `from ..= through` in order, at least one if there is one, within the limits.
    pub fn read(
        &self,
        from: u64,
        through: u64,
        max_entries: usize,
        max_bytes: usize,
    ) -> io::Result<Vec<(u64, Bytes)>> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        self.for_each(from, |record| {
            if record.first > through {
                return false;
            }
            bytes += record.bytes.len();
            take([record], from, max_entries, max_bytes, &mut entries);
            entries.is_empty() || (entries.len() < max_entries && bytes < max_bytes)
        })?;
        while entries.last().is_some_and(|(sequence, _)| *sequence > through) {
            entries.pop();
        }
        Ok(entries)
    }

    /// Visits the records from the one that holds `from` on, checked, until told to stop.
    fn for_each(&self, from: u64, mut visit: impl FnMut(Record) -> bool) -> io::Result<()> {
        let db = match &self.store {
            Store::Sled(db, _) => db,
            Store::Held(records) => {
                let start = records.range(..=from).next_back().map_or(from, |(first, _)| *first);
                let _ = records.range(start..).all(|(_, record)| visit(record.clone()));
                return Ok(());
            }
        };
        let mut start = from.to_be_bytes();
        if let Some((key, _)) = guard(|| db.range(..=start).next_back().transpose())? {
            start.copy_from_slice(key.get(..8).ok_or(io::ErrorKind::InvalidData)?);
        }
        let mut range = db.range(start..);
        while let Some((_, value)) = guard(|| range.next().transpose())? {
            let record =
                Record::decode(Bytes::copy_from_slice(&value)).map_err(io::Error::other)?;
            if !visit(record) {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let store = std::mem::replace(&mut self.store, Store::Held(Records::new()));
        if let Err(error) = guard(|| {
            drop(store);
            Ok(())
        }) {
            tracing::warn!(segment = self.first, %error, "a segment did not close cleanly");
        }
    }
}

/// Waits for sled's background threads to let go of a database that was closed before.
fn wait_until_closed(dir: &Path) -> io::Result<()> {
    let data = File::open(dir.join(DATA))?;
    let deadline = Instant::now() + CLOSE_PATIENCE;
    loop {
        match data.try_lock() {
            Ok(()) => return data.unlock(),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(CLOSE_POLL);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "the segment is still open",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Whether an error is about the segment's content, rather than about the machine for now.
fn tells_of_damage(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(code) => code == EIO || error.kind() == io::ErrorKind::NotFound,
        // Nothing of it can be read: the disk is away rather than a place of it broken.
        None if error.kind() == io::ErrorKind::ResourceBusy => false,
        // sled's own errors, its panics, and system errors it has wrapped.
        None => !is_full(error) && error.kind() != io::ErrorKind::OutOfMemory,
    }
}

/// Whether the disk had no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn has_blobs(dir: &Path) -> bool {
    std::fs::read_dir(dir.join(BLOBS)).is_ok_and(|mut blobs| blobs.next().is_some())
}

/// Finds every whole record in a segment's files without sled, and without changing anything.
pub(super) fn find_records(dir: &Path) -> io::Result<Records> {
    let mut records = Records::new();
    scan(&Bytes::from(read_around(&dir.join(DATA))?), &mut records);
    if let Ok(blobs) = std::fs::read_dir(dir.join(BLOBS)) {
        for blob in blobs {
            scan(&Bytes::from(read_around(&blob?.path())?), &mut records);
        }
    }
    Ok(records)
}

/// Whether the disk can read all of a segment's file; one that is not there has nothing to read.
pub(super) fn is_readable(dir: &Path) -> bool {
    match std::fs::read(dir.join(DATA)) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(_) => true,
    }
}

/// Reads a file; blocks that the disk cannot read are zeros. It fails if that is all of them, for then a
/// later look may find everything, and nothing may be given up for lost.
fn read_around(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    match file.read_exact_at(&mut bytes, 0) {
        Err(error) if error.raw_os_error() == Some(EIO) => {
            let read = skip_unreadable(&mut bytes, |block, at| file.read_exact_at(block, at));
            if read == 0 { Err(unreadable(path, &error)) } else { Ok(bytes) }
        }
        result => result.map(|()| bytes),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> io::Error {
    let path = path.display();
    let detail = format!(
        "no block of {path} can be read ({error}); it is tried again, and if the disk is broken for good, move the \
         segment's directory away"
    );
    io::Error::new(io::ErrorKind::ResourceBusy, detail)
}

/// Reads block by block, with zeros for those that cannot be; returns how many could.
pub(super) fn skip_unreadable(
    bytes: &mut [u8],
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
) -> usize {
    let mut readable = 0;
    for (index, block) in bytes.chunks_mut(BLOCK).enumerate() {
        match read(block, (index * BLOCK) as u64) {
            Ok(()) => readable += 1,
            Err(_) => block.fill(0),
        }
    }
    readable
}
