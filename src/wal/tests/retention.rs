//! Bounds: grace, fullness, giving up, going back.

use std::time::Duration;

use super::support::*;
use crate::wal::{AppendError, Options, Wal};

#[tokio::test]
async fn published_segments_stay_for_their_grace_and_no_longer() {
    let dir = temporary();
    let options = Options { grace_bytes: 1 << 30, ..options(dir.path()) };
    let wal = Wal::open(options.clone()).unwrap();
    fill(&wal, 1, 300, 1000).await;
    wal.mark_published(300);
    wal.close().await;
    let wal = Wal::open(options.clone()).unwrap();
    assert_eq!((wal.published(), wal.oldest()), (300, 1));
    assert_eq!(read_all(&wal, 1).await.entries.len(), 300);
    wal.close().await;
    let wal = Wal::open(Options { grace_age: Duration::ZERO, ..options }).unwrap();
    eventually("the grace is over", || wal.oldest() == 301).await;
    assert_eq!(wal.status().lost_entries, 0);
    wal.close().await;
}

#[tokio::test]
async fn nothing_unpublished_is_deleted() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, 300, 1000).await;
    wal.mark_published(150);
    eventually("some of it is deleted", || wal.oldest() > 1).await;
    wal.close().await;
    let wal = Wal::open(options(dir.path())).unwrap();
    assert!(wal.oldest() <= 151);
    assert_eq!(sequences(&read_all(&wal, 151).await), (151..=300).collect::<Vec<_>>());
    wal.close().await;
}

#[tokio::test]
async fn a_rewound_mark_holds_what_comes_after_it() {
    let dir = temporary();
    let grace = Options { grace_bytes: 1 << 30, ..options(dir.path()) };
    let wal = Wal::open(grace).unwrap();
    fill(&wal, 1, 300, 1000).await;
    wal.mark_published(300);
    wal.rewind_published(100);
    assert_eq!(wal.published(), 100);
    wal.close().await;
    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!(wal.published(), 100);
    eventually("what is before it goes", || wal.oldest() > 1).await;
    assert_eq!(sequences(&read_all(&wal, 101).await), (101..=300).collect::<Vec<_>>());
    // What is gone cannot be published again.
    let oldest = wal.oldest();
    wal.rewind_published(0);
    assert_eq!(wal.published(), oldest - 1);
    wal.mark_published(300);
    eventually("all of it goes", || wal.oldest() == 301).await;
    wal.close().await;
}

async fn fill_up(wal: &Wal, next: &mut u64) -> AppendError {
    loop {
        match wal.append(vec![entry(*next, 1000); 16]).await {
            Ok(outcome) => *next = outcome.last + 1,
            Err(error) => return error,
        }
        assert!(*next < 100_000, "the bound does not hold");
    }
}

#[tokio::test]
async fn a_full_log_refuses_and_takes_again_after_publishing() {
    let dir = temporary();
    let bounded = Options { max_bytes: 1 << 20, ..options(dir.path()) };
    let wal = Wal::open(bounded.clone()).unwrap();
    let mut next = 1;
    let refused = fill_up(&wal, &mut next).await;
    assert!(matches!(refused, AppendError::Full { retry_after } if retry_after > Duration::ZERO));
    assert!(refused.is_retryable());
    let status = wal.status();
    assert!(status.full && status.bytes <= 1 << 20, "{status:?}");
    assert_eq!(sequences(&read_all(&wal, 1).await), (1..next).collect::<Vec<_>>());

    wal.mark_published(next - 1);
    // Nothing waits for the keeper: the append itself gives up what is published.
    let outcome = wal.append(vec![entry(next, 1000)]).await.unwrap();
    assert_eq!(outcome.first, next);
    assert!(!wal.status().full);
    wal.close().await;
    let wal = Wal::open(bounded).unwrap();
    assert_eq!((*wal.committed().borrow(), wal.status().lost_entries), (next, 0));
    wal.close().await;
}

#[tokio::test]
async fn published_segments_in_their_grace_are_given_up_before_any_refusal() {
    let dir = temporary();
    let bounded = Options { max_bytes: 1 << 20, grace_bytes: 1 << 30, ..options(dir.path()) };
    let wal = Wal::open(bounded.clone()).unwrap();
    for number in 1..=1500 {
        wal.append(vec![entry(number, 1000)]).await.unwrap();
        wal.mark_published(number);
    }
    let status = wal.status();
    assert!(status.oldest > 1 && status.bytes <= 1 << 20, "{status:?}");
    assert_eq!((status.full, status.lost_entries), (false, 0));
    wal.close().await;
    let wal = Wal::open(bounded).unwrap();
    let kept = sequences(&read_all(&wal, 1).await);
    assert!(kept.iter().copied().eq(wal.oldest()..=1500), "the oldest go first");
    wal.close().await;
}
