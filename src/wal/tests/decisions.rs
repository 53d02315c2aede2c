//! The pure decisions: holes, losses, grace, the tail.

use std::time::{Duration, Instant};

use super::support::entry;
use crate::wal::damage::Damage;
use crate::wal::ledger::{Active, Ledger, Place, Sealed};
use crate::wal::marks::Seal;
use crate::wal::record::{Packer, Record};
use crate::wal::recover::{gaps, settle};
use crate::wal::scan::{LostRange, Records, holes};
use crate::wal::tail::{Tail, take};

fn range(first: u64, last: u64) -> LostRange {
    LostRange { first, last }
}

fn record(first: u64, count: u64) -> Record {
    let mut packer = Packer::new(first, 100);
    for number in first..first + count {
        packer.push(&entry(number, 0));
    }
    packer.finish().remove(0)
}

fn seal(first: u64, last: u64) -> Seal {
    Seal { first, last, entries: last + 1 - first, next: last + 1 }
}

fn ledger(ranges: &[(u64, u64)]) -> Ledger {
    let sealed = |(first, last): &(u64, u64)| Sealed {
        seal: seal(*first, *last),
        bytes: 100,
        published_at: None,
        checked: true,
    };
    let sealed = ranges.iter().map(|range| (range.0, sealed(range))).collect();
    Ledger { sealed, active: None }
}

#[test]
fn holes_are_what_the_ranges_leave_out() {
    assert_eq!(holes([(5, 5)], 5..=5), []);
    assert_eq!(holes([], 5..=6), [range(5, 6)]);
    assert_eq!(holes([(1, 3), (4, 9)], 2..=9), []);
    assert_eq!(holes([(3, 4), (4, 5), (8, 20)], 1..=10), [range(1, 2), range(6, 7)]);
    assert_eq!(holes([(12, 15)], 1..=10), [range(1, 10)]);
}

#[test]
fn a_loss_is_counted_once_however_it_is_cut() {
    let mut damage = Damage::default();
    assert_eq!(damage.lose(range(5, 9)), 5);
    assert_eq!(damage.lose(range(10, 12)), 3);
    assert_eq!(damage.lost, [range(5, 12)]);
    assert_eq!(damage.lose(range(4, 13)), 2);
    assert_eq!((damage.lost_entries, damage.lost.clone()), (10, vec![range(4, 13)]));
    assert_eq!(damage.lost_within(6, 8), [range(6, 7)]);
    assert_eq!(damage.lost_within(14, 20), []);
}

#[test]
fn an_unsealed_segment_should_hold_what_is_promised_and_what_follows_it() {
    let records: Records = [(10, record(10, 3)), (13, record(13, 2)), (20, record(20, 1))].into();
    let whole = |last, next| Some(Seal { first: 10, last, entries: last - 9, next });
    assert_eq!(settle(10, None, 0, &records), whole(14, 15));
    assert_eq!(settle(10, None, 17, &records), whole(17, 18));
    assert_eq!(settle(10, Some(30), 17, &records), whole(29, 30));
    assert_eq!(settle(10, Some(13), 0, &records), whole(12, 13), "the rest was refused");
    assert_eq!(settle(10, None, 9, &Records::new()), None);
}

#[test]
fn missing_segments_matter_only_above_the_cursor() {
    let seals = || [seal(11, 20), seal(31, 40)].into_iter();
    assert_eq!(gaps(seals(), 10, 45), [range(21, 30), range(41, 45)]);
    assert_eq!(gaps(seals(), 25, 40), [range(26, 30)]);
    assert_eq!(gaps(seals(), 30, 0), []);
    assert_eq!(gaps([].into_iter(), 7, 9), [range(8, 9)]);
}

#[test]
fn a_sequence_is_placed_in_its_segment_or_the_one_after_its_hole() {
    let mut ledger = ledger(&[(5, 9), (15, 20)]);
    let now = Instant::now();
    ledger.active = Some(Active { first: 21, last: 20, entries: 0, bytes: 7, opened: now });
    assert_eq!(ledger.place(1), Some(Place::Sealed(seal(5, 9))));
    assert_eq!(ledger.place(10), Some(Place::Sealed(seal(15, 20))));
    assert_eq!(ledger.place(21), None);
    ledger.active = Some(Active { first: 21, last: 25, entries: 5, bytes: 7, opened: now });
    assert_eq!(ledger.place(21), Some(Place::Active));
    assert_eq!(ledger.place(26), None);
    assert_eq!((ledger.oldest(), ledger.bytes(), ledger.segments()), (Some(5), 207, 3));
}

#[test]
fn grace_ends_by_age_or_by_bytes_and_never_before_publication() {
    let start = Instant::now();
    let hour = Duration::from_hours(1);
    let mut ledger = ledger(&[(1, 10), (11, 20), (21, 30)]);
    ledger.note_published(25, start);
    assert!(ledger.out_of_grace(25, start, hour, 200).is_empty());
    assert_eq!(ledger.out_of_grace(25, start, hour, 100), [1]);
    assert_eq!(ledger.out_of_grace(25, start, hour, 0), [1, 11]);
    assert_eq!(ledger.out_of_grace(25, start + hour, hour, 200), [1, 11]);
    // What is not durably published stays, whatever the mark in memory says.
    assert_eq!(ledger.out_of_grace(15, start + hour, hour, 0), [1]);
    assert_eq!(ledger.oldest_published(9), None);
    assert_eq!(ledger.oldest_published(10), Some(1));
    // Going back ends the grace, and it begins anew.
    ledger.note_published(5, start + hour);
    assert!(ledger.out_of_grace(25, start + hour, hour, 0).is_empty());
    ledger.note_published(25, start + hour);
    assert!(ledger.out_of_grace(25, start + hour, hour, 200).is_empty());
}

#[test]
fn the_tail_lets_the_oldest_go_and_says_so() {
    let mut tail = Tail::new(5, 300);
    assert_eq!(tail.records(4, 10, 1000), None);
    assert_eq!(tail.records(5, 10, 1000), Some(vec![]));
    tail.push([record(5, 2), record(7, 2)]);
    let read = |tail: &Tail, from, max_entries, max_bytes| {
        let mut entries = Vec::new();
        take(
            tail.records(from, max_entries, max_bytes)?,
            from,
            max_entries,
            max_bytes,
            &mut entries,
        );
        Some(entries.into_iter().map(|(sequence, _)| sequence).collect::<Vec<_>>())
    };
    assert_eq!(read(&tail, 5, 10, 1000), Some(vec![5, 6, 7, 8]));
    assert_eq!(read(&tail, 6, 2, 1000), Some(vec![6, 7]));
    assert_eq!(read(&tail, 6, 10, 1), Some(vec![6]), "at least one, however large");
    tail.push([record(9, 2)]);
    assert_eq!(read(&tail, 6, 10, 1000), None);
    assert_eq!(read(&tail, 7, 10, 1000), Some(vec![7, 8, 9, 10]));
}
