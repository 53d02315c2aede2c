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
    assert!(all.entries.iter().map(|(sequence, entry)| (*sequence, entry.clone())).eq((1..=300).map(|n| (n, entry(n, 1000)))));
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
