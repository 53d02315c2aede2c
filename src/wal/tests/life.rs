//! The ordinary life of a log.

use std::time::Duration;

use bytes::Bytes;

use super::support::*;
use crate::limits::EVENT_BYTES;
use crate::wal::{AppendError, OpenError, Options, Wal};

#[tokio::test]
async fn a_closed_log_has_everything_when_it_is_opened_again() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, 300, 1000).await;
    wal.mark_published(7);
    wal.close().await;
    assert!(matches!(wal.append(vec![entry(1, 1)]).await, Err(AppendError::Closed)));

    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!((*wal.committed().borrow(), wal.published()), (300, 7));
    assert!(wal.status().segments > 2, "small segments roll");
    assert_eq!(wal.status().degraded, None);
    let all = read_all(&wal, 1).await;
    let expected: Vec<_> = (1..=300).map(|number| (number, entry(number, 1000))).collect();
    assert_eq!(all.entries, expected);
    fill(&wal, 301, 310, 10).await;
    assert_eq!(sequences(&read_all(&wal, 295).await), (295..=310).collect::<Vec<_>>());
    wal.close().await;
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_answered() {
    let (dir, copy) = (temporary(), temporary());
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, 200, 1000).await;
    crash_copy(dir.path(), copy.path());
    wal.close().await;

    let wal = Wal::open(options(copy.path())).unwrap();
    let all = read_all(&wal, 1).await;
    assert_eq!(sequences(&all), (1..=200).collect::<Vec<_>>());
    let status = wal.status();
    assert_eq!((status.quarantined, status.degraded), (0, None));
    wal.close().await;
}

#[tokio::test]
async fn an_append_of_a_thousand_entries_spans_records_and_stays_in_order() {
    let dir = temporary();
    let wal = Wal::open(Options::new(dir.path())).unwrap();
    let entries: Vec<Bytes> = (1..=1000).map(|number| entry(number, 400)).collect();
    let outcome = wal.append(entries.clone()).await.unwrap();
    assert_eq!((outcome.first, outcome.last), (1, 1000));
    assert_eq!(*wal.committed().borrow(), 1000);
    let all = read_all(&wal, 1).await;
    assert!(all.entries.into_iter().map(|(_, entry)| entry).eq(entries));
    wal.close().await;
}

#[tokio::test]
async fn a_read_keeps_its_limits_and_gives_at_least_one_entry() {
    let dir = temporary();
    let wal = Wal::open(Options::new(dir.path())).unwrap();
    assert_eq!(wal.read(1, 10, 10).await.unwrap().next, 1);
    fill(&wal, 1, 20, 100).await;
    for reopened in [false, true] {
        let wal = if reopened {
            wal.close().await;
            Wal::open(Options::new(dir.path())).unwrap()
        } else {
            wal.clone()
        };
        let read = wal.read(3, 4, 10_000).await.unwrap();
        assert_eq!((sequences(&read), read.next), (vec![3, 4, 5, 6], 7));
        let read = wal.read(0, 10, 250).await.unwrap();
        assert_eq!((sequences(&read), read.next), (vec![1, 2], 3));
        let read = wal.read(20, 10, 1).await.unwrap();
        assert_eq!((sequences(&read), read.next), (vec![20], 21));
        let read = wal.read(21, 10, 1).await.unwrap();
        assert_eq!((sequences(&read), read.next), (vec![], 21));
        wal.close().await;
    }
}

#[tokio::test]
async fn entries_that_cannot_be_stored_are_refused_by_name() {
    let dir = temporary();
    let wal = Wal::open(Options::new(dir.path())).unwrap();
    let refused = wal.append(vec![entry(1, 1), entry(2, EVENT_BYTES + 1)]).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { index: 1, limit: EVENT_BYTES, .. }));
    assert!(!refused.is_retryable());
    assert!(matches!(wal.append(vec![]).await, Err(AppendError::Empty)));
    fill(&wal, 1, 2, EVENT_BYTES).await;
    assert_eq!(read_all(&wal, 1).await.entries.len(), 2);
    wal.close().await;
}

#[tokio::test]
async fn a_second_process_is_refused_while_the_log_is_open() {
    let dir = temporary();
    let wal = Wal::open(Options::new(dir.path())).unwrap();
    let refused = Wal::open(Options::new(dir.path())).err().unwrap();
    assert!(matches!(refused, OpenError::InUse(_)));
    assert!(refused.to_string().contains("in use by a running process"));
    wal.close().await;
    Wal::open(Options::new(dir.path())).unwrap().close().await;
}

#[tokio::test]
async fn a_dropped_log_commits_what_was_waiting_and_lets_go() {
    let dir = temporary();
    let wal = Wal::open(Options::new(dir.path())).unwrap();
    fill(&wal, 1, 10, 10).await;
    drop(wal);
    let mut reopened = None;
    eventually("the lock is free", || {
        reopened = Wal::open(Options::new(dir.path())).ok();
        reopened.is_some()
    })
    .await;
    let wal = reopened.unwrap();
    assert_eq!(*wal.committed().borrow(), 10);
    wal.close().await;
}

#[tokio::test]
async fn a_segment_grows_old_without_appends() {
    let dir = temporary();
    let options = Options {
        segment_age: Duration::from_millis(1),
        grace_bytes: 0,
        ..Options::new(dir.path())
    };
    let wal = Wal::open(options).unwrap();
    fill(&wal, 1, 3, 10).await;
    wal.mark_published(3);
    eventually("the segment is finished, published and deleted", || wal.oldest() == 4).await;
    eventually("the next one is ready", || wal.status().segments == 1).await;
    fill(&wal, 4, 5, 10).await;
    wal.close().await;
}

#[tokio::test]
async fn missing_old_segments_at_a_start_are_normal() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, 300, 1000).await;
    let oldest = segments(dir.path()).remove(0);
    wal.close().await;
    std::fs::remove_dir_all(&oldest).unwrap();
    let wal = Wal::open(options(dir.path())).unwrap();
    let first = wal.oldest();
    assert_eq!(wal.status().lost_entries, first - 1, "they were not published");
    wal.mark_published(300);
    wal.close().await;
    for segment in segments(dir.path()) {
        std::fs::remove_dir_all(&segment).unwrap();
    }
    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!((wal.status().lost_entries, wal.status().degraded), (first - 1, None));
    assert_eq!((*wal.committed().borrow(), wal.oldest()), (300, 301));
    fill(&wal, 301, 302, 10).await;
    wal.close().await;
}
