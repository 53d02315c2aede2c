//! Damaged files: the log always comes up, saves what can be read and tells what cannot.

use std::fs::{File, OpenOptions};
use std::path::Path;

use super::support::*;
use crate::wal::marks::read_seal;
use crate::wal::segment::{Damaged, find_records, skip_unreadable};
use crate::wal::{LostRange, Wal};

const ENTRIES: u64 = 120;

/// A closed log of several segments, or the same as a crash would leave it.
async fn log(crashed: bool) -> tempfile::TempDir {
    let (dir, copy) = (temporary(), temporary());
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, ENTRIES, 1000).await;
    eventually("HIGHWATER knows all", || {
        crate::wal::inspect(dir.path()).is_ok_and(|status| status.high_water == ENTRIES)
    })
    .await;
    crash_copy(dir.path(), copy.path());
    wal.close().await;
    if crashed { copy } else { dir }
}

/// Opens a damaged log, checks that every entry is there or told as lost, and that it still works.
async fn survives(dir: &Path) -> (u64, u64) {
    let wal = Wal::open(options(dir)).unwrap();
    let all = read_all(&wal, 1).await;
    let lost =
        |sequence| all.lost.iter().any(|range| (range.first..=range.last).contains(&sequence));
    let read = sequences(&all);
    for sequence in 1..=ENTRIES {
        let held = read.contains(&sequence);
        assert!(held != lost(sequence), "{sequence} is held: {held}");
    }
    assert!(all.entries.iter().all(|(sequence, bytes)| *bytes == entry(*sequence, 1000)));
    let status = wal.status();
    assert_eq!(status.lost_entries, ENTRIES - read.len() as u64);
    assert_eq!(status.degraded.is_some(), status.quarantined + status.lost_entries > 0);
    let outcome = wal.append(vec![entry(0, 1000)]).await.unwrap();
    assert!(outcome.first > ENTRIES);
    wal.close().await;

    let wal = Wal::open(options(dir)).unwrap();
    assert_eq!(read_all(&wal, 1).await.entries.len(), read.len() + 1);
    let again = wal.status();
    assert_eq!((again.quarantined, again.lost_entries), (status.quarantined, status.lost_entries));
    assert_eq!(again.degraded, None, "old damage is told in numbers, not as a state");
    wal.close().await;
    (status.quarantined, status.lost_entries)
}

fn truncate(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

#[tokio::test]
async fn a_record_that_is_spoilt_is_the_only_one_lost() {
    for crashed in [false, true] {
        let dir = log(crashed).await;
        let places: usize =
            segments(dir.path()).iter().map(|dir| spoil(&dir.join("db"), "entry-40-")).sum();
        assert!(places > 0);
        assert_eq!(survives(dir.path()).await, (1, 1));
        let quarantined = std::fs::read_dir(dir.path())
            .unwrap()
            .flatten()
            .find(|entry| entry.file_name().to_str().unwrap().starts_with("corrupt-"));
        let reason = std::fs::read_to_string(quarantined.unwrap().path().join("REASON")).unwrap();
        assert!(reason.contains("entries"), "{reason}");
    }
}

#[tokio::test]
async fn a_truncated_segment_gives_what_is_left() {
    for crashed in [false, true] {
        for part in [2, 3, 10] {
            let dir = log(crashed).await;
            let db = segments(dir.path()).pop().unwrap().join("db");
            let length = std::fs::metadata(&db).unwrap().len();
            truncate(&db, length / part);
            survives(dir.path()).await;
        }
    }
}

#[tokio::test]
async fn a_segment_without_its_snapshot_is_whole() {
    let dir = log(false).await;
    // Reopening makes sled write snapshots.
    assert_eq!(survives(dir.path()).await, (0, 0));
    let mut removed = 0;
    for segment in segments(dir.path()) {
        for file in std::fs::read_dir(segment).unwrap().flatten() {
            if file.file_name().to_str().unwrap().starts_with("snap.") {
                std::fs::remove_file(file.path()).unwrap();
                removed += 1;
            }
        }
    }
    assert!(removed > 0);
    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!(read_all(&wal, 1).await.entries.len() as u64, ENTRIES + 1);
    wal.close().await;
}

#[tokio::test]
async fn an_emptied_segment_is_noticed() {
    for crashed in [false, true] {
        let dir = log(crashed).await;
        let segments = segments(dir.path());
        truncate(&segments.last().unwrap().join("db"), 0);
        let first: u64 =
            segments.last().unwrap().file_name().unwrap().to_str().unwrap()[8..].parse().unwrap();
        assert_eq!(survives(dir.path()).await, (1, ENTRIES + 1 - first));
    }
}

#[tokio::test]
async fn a_segment_without_its_data_or_with_garbage_is_noticed() {
    let dir = log(true).await;
    let segments = segments(dir.path());
    std::fs::remove_file(segments.last().unwrap().join("db")).unwrap();
    std::fs::write(segments[1].join("db"), vec![0xFF; 100_000]).unwrap();
    let (quarantined, lost) = survives(dir.path()).await;
    assert_eq!(quarantined, 2);
    assert!(lost > 0);
}

#[tokio::test]
async fn headers_that_only_sled_needs_cost_no_entry() {
    for crashed in [false, true] {
        let dir = log(crashed).await;
        for segment in segments(dir.path()) {
            let mut bytes = std::fs::read(segment.join("db")).unwrap();
            bytes[..20].fill(0xA5);
            std::fs::write(segment.join("db"), bytes).unwrap();
        }
        let (quarantined, lost) = survives(dir.path()).await;
        assert!(quarantined > 0);
        assert_eq!(lost, 0);
    }
}

#[tokio::test]
async fn values_in_files_of_their_own_are_not_trusted_and_not_lost() {
    let dir = log(true).await;
    let blobs = segments(dir.path()).pop().unwrap().join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    File::create(blobs.join("1")).unwrap();
    assert_eq!(survives(dir.path()).await, (1, 0));
}

#[tokio::test]
async fn torn_marks_lose_nothing() {
    for name in ["HIGHWATER", "CURSOR", "DAMAGE"] {
        let dir = log(true).await;
        std::fs::write(dir.path().join(name), b"torn").unwrap();
        assert_eq!(survives(dir.path()).await, (0, 0));
    }
    let dir = log(false).await;
    for segment in segments(dir.path()) {
        std::fs::write(segment.join("SEAL"), b"torn").unwrap();
    }
    assert_eq!(survives(dir.path()).await, (0, 0));
}

#[tokio::test]
async fn the_counter_goes_on_above_the_high_water_when_all_segments_are_gone() {
    let dir = log(true).await;
    for segment in segments(dir.path()) {
        std::fs::remove_dir_all(segment).unwrap();
    }
    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!(wal.status().lost, [LostRange { first: 1, last: ENTRIES }]);
    fill(&wal, ENTRIES + 1, ENTRIES + 2, 10).await;
    let read = wal.read(1, 10, 1000).await.unwrap();
    assert_eq!(sequences(&read), [ENTRIES + 1, ENTRIES + 2]);
    wal.close().await;
}

#[tokio::test]
async fn damage_to_what_was_published_breaks_no_promise() {
    let dir = log(true).await;
    let wal =
        Wal::open(crate::wal::Options { grace_bytes: 1 << 30, ..options(dir.path()) }).unwrap();
    wal.mark_published(ENTRIES);
    wal.close().await;
    truncate(&segments(dir.path()).pop().unwrap().join("db"), 0);
    let wal =
        Wal::open(crate::wal::Options { grace_bytes: 1 << 30, ..options(dir.path()) }).unwrap();
    assert_eq!((wal.status().quarantined, wal.status().lost_entries), (1, 0));
    wal.close().await;
}

#[tokio::test]
async fn a_segment_that_nobody_reads_is_checked_in_the_background() {
    let dir = log(false).await;
    truncate(&segments(dir.path())[0].join("db"), 0);
    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!(wal.status().quarantined, 0);
    eventually("the keeper finds the damage", || wal.status().quarantined == 1).await;
    assert!(wal.status().lost_entries > 0);
    wal.close().await;
}

#[tokio::test]
async fn a_crash_during_a_repair_leaves_the_damaged_segment_or_the_saved_one() {
    let dir = log(true).await;
    let last = segments(dir.path()).pop().unwrap();
    let saved =
        dir.path().join(last.file_name().unwrap().to_str().unwrap().replace("segment", "salvage"));
    // Unfinished, it has no seal.
    std::fs::create_dir(&saved).unwrap();
    std::fs::write(saved.join("db"), b"half").unwrap();
    assert_eq!(survives(dir.path()).await, (0, 0));
    assert!(!saved.exists());
    // Finished, and the damaged one already aside.
    let dir = log(false).await;
    let last = segments(dir.path()).pop().unwrap();
    let saved =
        dir.path().join(last.file_name().unwrap().to_str().unwrap().replace("segment", "salvage"));
    std::fs::rename(&last, &saved).unwrap();
    assert_eq!(survives(dir.path()).await, (0, 0));
}

#[tokio::test]
async fn only_the_newest_quarantined_segments_are_kept() {
    let dir = log(false).await;
    for segment in segments(dir.path()).iter().rev().take(7) {
        spoil(&segment.join("db"), "entry-");
    }
    let (quarantined, _) = survives(dir.path()).await;
    let kept = std::fs::read_dir(dir.path())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_str().unwrap().starts_with("corrupt-"));
    assert!(quarantined as usize > crate::limits::WAL_QUARANTINES, "{quarantined}");
    assert_eq!(kept.count(), crate::limits::WAL_QUARANTINES);
}

#[test]
fn blocks_that_the_disk_cannot_read_cost_no_more_than_themselves() {
    let mut bytes = vec![7; 10_000];
    let readable = skip_unreadable(&mut bytes, |block, at| {
        block.fill(1);
        if at == 4096 { Err(std::io::Error::from_raw_os_error(5)) } else { Ok(()) }
    });
    assert_eq!(readable, 2);
    assert!(bytes[..4096].iter().chain(&bytes[8192..]).all(|byte| *byte == 1));
    assert!(bytes[4096..8192].iter().all(|byte| *byte == 0));
}

#[tokio::test]
async fn a_small_read_from_within_a_hole_goes_on_behind_it() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    for first in [1, 21, 41] {
        wal.append((first..first + 20).map(|number| entry(number, 1000)).collect()).await.unwrap();
    }
    wal.close().await;
    for segment in segments(dir.path()) {
        spoil(&segment.join("db"), "entry-30-");
    }
    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!(read_all(&wal, 1).await.entries.len(), 40);
    let read = wal.read(25, 1, 10).await.unwrap();
    assert_eq!((sequences(&read), read.next), (vec![41], 42));
    assert_eq!(read.lost, [LostRange { first: 25, last: 40 }]);
    wal.close().await;
}

#[tokio::test]
async fn a_whole_segment_is_given_out_of_memory_while_it_cannot_be_repaired() {
    let dir = log(false).await;
    let segment = segments(dir.path()).remove(0);
    let seal = read_seal(&segment).unwrap().unwrap();
    let damaged = |records| Damaged { reason: String::new(), records };
    let records = find_records(&segment).unwrap();
    let held = damaged(records.clone()).hold(&seal).unwrap();
    let entries = held.read(3, seal.last, 4, 100_000).unwrap();
    assert!(entries.into_iter().eq((3..7).map(|number| (number, entry(number, 1000)))));
    assert!(damaged(records.into_iter().skip(1).collect()).hold(&seal).is_none());
}
