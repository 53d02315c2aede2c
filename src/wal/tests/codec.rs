//! What is persisted reads back as it was, and nothing else reads as it.

use bytes::Bytes;
use proptest::prelude::*;

use super::support::temporary;
use crate::limits::{EVENT_BYTES, WAL_RECORD_BYTES};
use crate::wal::marks::{
    HighWater, Seal, read_cursor, read_high_water, read_seal, write_cursor, write_seal,
};
use crate::wal::record::{HEADER, Packer, Record, RecordError};
use crate::wal::scan::{Records, scan};

fn pack(first: u64, entries: &[Vec<u8>]) -> Vec<Record> {
    let mut packer = Packer::new(first, entries.iter().map(Vec::len).sum());
    for entry in entries {
        packer.push(entry);
    }
    packer.finish()
}

fn sample() -> Vec<u8> {
    let records = pack(41, &[b"one".to_vec(), Vec::new(), b"three".to_vec()]);
    records[0].bytes.to_vec()
}

proptest! {
    #[test]
    fn packed_entries_read_back_in_order_within_the_record_limit(
        first in 1..u64::MAX / 2,
        sizes in prop::collection::vec((0..9000_usize, any::<u8>()), 1..40),
    ) {
        let entries: Vec<Vec<u8>> = sizes.iter().map(|(size, byte)| vec![*byte; *size]).collect();
        let records = pack(first, &entries);
        let mut next = first;
        let mut found = Vec::new();
        for record in records {
            prop_assert!(record.bytes.len() <= WAL_RECORD_BYTES);
            let decoded = Record::decode(record.bytes.clone()).unwrap();
            prop_assert_eq!(&decoded, &record);
            prop_assert_eq!(decoded.first, next);
            next = decoded.last + 1;
            found.extend(decoded.entries_from(0).map(|(_, entry)| entry.to_vec()));
        }
        prop_assert_eq!(next, first + entries.len() as u64);
        prop_assert_eq!(found, entries);
    }

    #[test]
    fn a_changed_byte_is_never_taken_for_a_record(at in 0_usize..1000, change in 1..=255_u8) {
        let mut bytes = sample();
        let at = at % bytes.len();
        // The reserved byte says nothing.
        prop_assume!(at != 7);
        bytes[at] ^= change;
        prop_assert!(Record::decode(Bytes::from(bytes)).is_err());
    }

    #[test]
    fn a_cut_record_is_refused(length in 0_usize..1000) {
        let bytes = sample();
        let length = length % bytes.len();
        prop_assert!(Record::decode(Bytes::from(bytes).slice(..length)).is_err());
    }

    #[test]
    fn records_are_found_between_any_bytes(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut file = noise.clone();
        let records = pack(7, &[b"a".to_vec(), b"b".to_vec()]);
        file.extend_from_slice(&records[0].bytes);
        file.extend_from_slice(&noise);
        file.extend_from_slice(&sample());
        let mut found = Records::new();
        scan(&Bytes::from(file), &mut found);
        prop_assert_eq!(found.keys().copied().collect::<Vec<_>>(), vec![7, 41]);
    }
}

#[test]
fn the_largest_entry_fits_a_record_of_its_own() {
    let records = pack(1, &[vec![1; EVENT_BYTES], vec![2; EVENT_BYTES]]);
    assert!(records.iter().all(|record| record.bytes.len() <= WAL_RECORD_BYTES));
    assert_eq!(records.iter().map(Record::count).sum::<u64>(), 2);
}

#[test]
fn a_record_of_another_version_is_named_as_such() {
    let mut bytes = sample();
    bytes[6] = 9;
    assert_eq!(Record::decode(Bytes::from(bytes)), Err(RecordError::Version(9)));
}

#[test]
fn bytes_after_a_record_are_refused() {
    let mut bytes = sample();
    bytes.push(0);
    assert_eq!(Record::decode(Bytes::from(bytes)), Err(RecordError::Trailing));
}

#[test]
fn a_count_that_does_not_match_is_refused_even_under_a_right_checksum() {
    let mut bytes = sample();
    bytes[16] = 2;
    let checksum = crc32c::crc32c(&bytes[12..]);
    bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(Record::decode(Bytes::from(bytes)), Err(RecordError::Count));
}

#[test]
fn bytes_behind_the_last_entry_are_refused_even_under_a_right_checksum() {
    for extra in [&[0][..], &[0; 4], &[0, 0, 0, 0, 7]] {
        let mut bytes = sample();
        bytes.extend_from_slice(extra);
        let body = (bytes.len() - HEADER) as u32;
        bytes[12..16].copy_from_slice(&body.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(Record::decode(Bytes::from(bytes)), Err(RecordError::Count));
    }
}

#[test]
fn marks_read_back_and_their_damage_reads_as_absence() {
    let dir = temporary();
    let root = dir.path();
    assert_eq!(read_cursor(root).unwrap(), None);
    write_cursor(root, 17).unwrap();
    assert_eq!(read_cursor(root).unwrap(), Some(17));
    let seal = Seal { first: 3, last: 9, entries: 6, next: 12 };
    write_seal(root, &seal).unwrap();
    assert_eq!(read_seal(root).unwrap(), Some(seal));
    // One mark is never taken for another.
    std::fs::copy(root.join("SEAL"), root.join("CURSOR")).unwrap();
    assert_eq!(read_cursor(root).unwrap(), None);
    for length in 0..std::fs::read(root.join("SEAL")).unwrap().len() {
        let bytes = std::fs::read(root.join("SEAL")).unwrap();
        std::fs::write(root.join("SEAL"), &bytes[..length]).unwrap();
        assert_eq!(read_seal(root).unwrap(), None);
        std::fs::write(root.join("SEAL"), bytes).unwrap();
    }
}

#[test]
fn a_torn_high_water_slot_leaves_the_other_one() {
    let dir = temporary();
    let path = dir.path().join("HIGHWATER");
    let mut high_water = HighWater::open(dir.path()).unwrap();
    for through in [5, 6, 7] {
        high_water.write(through).unwrap();
    }
    assert_eq!(read_high_water(dir.path()).unwrap(), Some(7));
    let whole = std::fs::read(&path).unwrap();
    for (at, left) in [(8, 7), (4096 + 8, 6)] {
        let mut torn = whole.clone();
        torn[at] ^= 1;
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(read_high_water(dir.path()).unwrap(), Some(left));
        // The next write spares the slot that is left.
        HighWater::open(dir.path()).unwrap().write(8).unwrap();
        assert_eq!(read_high_water(dir.path()).unwrap(), Some(8));
        let mut torn = std::fs::read(&path).unwrap();
        torn[if at == 8 { 8 } else { 4096 + 8 }] ^= 1;
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(read_high_water(dir.path()).unwrap(), Some(left));
    }
    std::fs::write(&path, b"").unwrap();
    assert_eq!(read_high_water(dir.path()).unwrap(), None);
}
