//! The small checksummed files beside the segments: CURSOR, HIGHWATER and SEAL.
//!
//! Layout, little-endian: magic (4), kind (1), version (1), the fields (8 each), CRC32C of all before.
//! Kinds and versions are never reused.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files;
use super::segment::is_full;

const MAGIC: [u8; 4] = *b"wmrk";
const VERSION: u8 = 1;
const HIGH_WATER: u8 = 1;
const CURSOR: u8 = 2;
const SEAL: u8 = 3;

const CURSOR_NAME: &str = "CURSOR";
const HIGH_WATER_NAME: &str = "HIGHWATER";
const SEAL_NAME: &str = "SEAL";

/// Each slot has a page of its own, so that one torn write spoils one slot.
const SLOT: u64 = 4096;

fn encode<const N: usize>(kind: u8, fields: [u64; N]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(10 + 8 * N);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[kind, VERSION]);
    for field in fields {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

fn decode<const N: usize>(kind: u8, bytes: &[u8]) -> Option<[u64; N]> {
    let (content, checksum) = bytes.get(..10 + 8 * N)?.split_last_chunk::<4>()?;
    let sound = content.starts_with(&MAGIC)
        && content[4..6] == [kind, VERSION]
        && crc32c::crc32c(content).to_le_bytes() == *checksum;
    let mut fields = [0; N];
    for (field, bytes) in fields.iter_mut().zip(content[6..].as_chunks::<8>().0) {
        *field = u64::from_le_bytes(*bytes);
    }
    sound.then_some(fields)
}

/// Holds that what is read as a mark is written as it was read; the fuzzers call it.
pub(super) fn is_written_as_read(bytes: &[u8]) {
    if let Some(fields) = decode::<4>(SEAL, bytes) {
        assert!(bytes.starts_with(&encode(SEAL, fields)));
    }
    if let Some(fields) = decode::<1>(CURSOR, bytes) {
        assert!(bytes.starts_with(&encode(CURSOR, fields)));
    }
    // A torn or forged file may hold anything, and both slots are looked at.
    let _ = slots(bytes);
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the sequence through which everything was published; none if absent or damaged.
pub(super) fn read_cursor(root: &Path) -> io::Result<Option<u64>> {
    let bytes = read(&root.join(CURSOR_NAME))?;
    Ok(bytes.and_then(|bytes| decode(CURSOR, &bytes)).map(|[through]| through))
}

/// Replaces the cursor durably; on a full disk in place, for only a moved cursor frees space. Torn,
/// it reads as absent, and what was published is published again.
pub(super) fn write_cursor(root: &Path, through: u64) -> io::Result<()> {
    let bytes = encode(CURSOR, [through]);
    match files::replace(root, CURSOR_NAME, &bytes) {
        Err(error) if is_full(&error) => {
            let file = OpenOptions::new().write(true).open(root.join(CURSOR_NAME))?;
            file.write_all_at(&bytes, 0)?;
            file.sync_data()
        }
        result => result,
    }
}

/// Returns the sequence through which entries were certainly committed; none if absent or damaged.
pub(super) fn read_high_water(root: &Path) -> io::Result<Option<u64>> {
    let bytes = read(&root.join(HIGH_WATER_NAME))?.unwrap_or_default();
    Ok(slots(&bytes).iter().flatten().map(|[_, through]| *through).max())
}

fn slots(bytes: &[u8]) -> [Option<[u64; 2]>; 2] {
    [0, SLOT as usize].map(|at| decode(HIGH_WATER, bytes.get(at..)?))
}

/// The open HIGHWATER file, written in place, one slot after the other.
pub(super) struct HighWater {
    file: File,
    turn: u64,
}

impl HighWater {
    /// Opens or creates it; the next write spares the newest sound slot.
    pub fn open(root: &Path) -> io::Result<HighWater> {
        let path = root.join(HIGH_WATER_NAME);
        let bytes = read(&path)?.unwrap_or_default();
        let turn = slots(&bytes).iter().flatten().map(|[turn, _]| *turn).max();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        files::sync_dir(root)?;
        Ok(HighWater { file, turn: turn.unwrap_or(0) })
    }

    /// Writes and syncs the other slot.
    pub fn write(&mut self, through: u64) -> io::Result<()> {
        let turn = self.turn + 1;
        let bytes = encode(HIGH_WATER, [turn, through]);
        self.file.write_all_at(&bytes, turn % 2 * SLOT)?;
        self.file.sync_data()?;
        self.turn = turn;
        Ok(())
    }
}

/// What a finished segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    pub first: u64,
    pub last: u64,
    pub entries: u64,
    /// The sequence that the log went on with: what lies between was never promised, or is told as lost.
    pub next: u64,
}

/// Returns the seal of a segment's directory; none if absent or damaged.
pub(super) fn read_seal(segment: &Path) -> io::Result<Option<Seal>> {
    let bytes = read(&segment.join(SEAL_NAME))?;
    let fields = bytes.and_then(|bytes| decode(SEAL, &bytes));
    Ok(fields.map(|[first, last, entries, next]| Seal { first, last, entries, next }))
}

/// Writes a segment's seal durably.
pub(super) fn write_seal(segment: &Path, seal: &Seal) -> io::Result<()> {
    let fields = [seal.first, seal.last, seal.entries, seal.next];
    files::replace(segment, SEAL_NAME, &encode(SEAL, fields))
}
