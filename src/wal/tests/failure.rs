//! Syncs that fail.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::support::*;
use crate::wal::{AppendError, Wal};

#[tokio::test]
async fn after_a_failed_sync_the_waiters_fail_and_the_log_goes_on_in_a_new_segment() {
    let (dir, copy) = (temporary(), temporary());
    let broken = Arc::new(AtomicBool::new(false));
    let sync = {
        let broken = Arc::clone(&broken);
        Arc::new(move |file: &std::fs::File| {
            if broken.load(Ordering::SeqCst) {
                return Err(io::Error::other("injected"));
            }
            file.sync_data()
        })
    };
    let wal = Wal::open_with(options(dir.path()), sync).unwrap();
    fill(&wal, 1, 10, 100).await;
    broken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let failed = wal.append(vec![entry(0, 100); 5]).await.unwrap_err();
        assert!(matches!(failed, AppendError::Io(_)) && failed.is_retryable());
        assert!(failed.to_string().contains("injected"));
    }
    assert_eq!(*wal.committed().borrow(), 10);
    assert!(wal.status().degraded.unwrap().contains("injected"));

    broken.store(false, Ordering::SeqCst);
    let outcome = wal.append(vec![entry(11, 100)]).await.unwrap();
    assert_eq!(outcome.first, 11, "refused entries leave no hole");
    assert_eq!(wal.status().degraded, None);
    let expected: Vec<_> = (1..=11).collect();
    assert_eq!(sequences(&read_all(&wal, 1).await), expected);
    assert_eq!(wal.status().segments, 2, "the segment of the failure is never written again");

    crash_copy(dir.path(), copy.path());
    wal.close().await;
    for dir in [&dir, &copy] {
        let wal = Wal::open(options(dir.path())).unwrap();
        let all = read_all(&wal, 1).await;
        assert_eq!((sequences(&all), all.lost), (expected.clone(), vec![]));
        assert_eq!((wal.status().quarantined, wal.status().lost_entries), (0, 0));
        wal.close().await;
    }
}
