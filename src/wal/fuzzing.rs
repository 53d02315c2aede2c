//! Laws of what the log keeps on disk, for any bytes.

use bytes::Bytes;

use super::marks;
use super::record::{HEADER, MAGIC, Packer, Record};
use super::scan::{Records, scan};
use crate::limits::WAL_RECORD_BYTES;

/// Bytes before those that a record's checksum covers, and where the reserved byte is.
const CHECKED_FROM: usize = 12;
const RESERVED: usize = 7;

/// A record that is decoded encodes to its bytes, and is found wherever it stands; so with the small files.
///
/// No fuzzer finds a checksum, so the bytes are tried once as they are, and once with one that fits.
pub(crate) fn record(data: &[u8]) {
    one(data);
    one(&with_checksum(data));
    marks::is_written_as_read(data);
}

fn one(data: &[u8]) {
    let mut found = Records::new();
    scan(&Bytes::copy_from_slice(data), &mut found);
    found.values().for_each(holds);
    if let Ok(record) = Record::decode(Bytes::copy_from_slice(data)) {
        holds(&record);
        let mut among = data.to_vec();
        among.splice(0..0, [MAGIC[0], 0, MAGIC[0]]);
        among.extend_from_slice(&MAGIC);
        let mut found = Records::new();
        scan(&Bytes::from(among), &mut found);
        assert_eq!(found.get(&record.first), Some(&record), "a record is found among others");
    }
}

fn holds(record: &Record) {
    let entries: Vec<(u64, Bytes)> = record.entries_from(0).collect();
    assert_eq!(entries.len() as u64, record.count());
    assert!(entries.iter().map(|(sequence, _)| *sequence).eq(record.first..=record.last));
    // The log itself never writes a larger one, and would cut it.
    if record.bytes.len() > WAL_RECORD_BYTES || record.bytes[RESERVED] != 0 {
        return;
    }
    let mut packer = Packer::new(record.first, record.bytes.len());
    entries.iter().for_each(|(_, entry)| packer.push(entry));
    assert_eq!(packer.finish(), std::slice::from_ref(record), "a record is written as it was read");
}

/// Makes a record's beginning, its body's length and its checksum fit, whatever the rest says.
fn with_checksum(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    if bytes.len() < HEADER {
        return bytes;
    }
    let body = (bytes.len() - HEADER) as u32;
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    bytes[MAGIC.len()..8].copy_from_slice(&[1, 0]);
    bytes[12..16].copy_from_slice(&body.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    bytes
}
