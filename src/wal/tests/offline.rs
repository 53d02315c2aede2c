//! What the command line asks of a log.

use super::support::*;
use crate::wal::{LostRange, OfflineError, Wal, export, inspect, verify};

#[tokio::test]
async fn a_log_in_use_is_inspected_but_neither_verified_nor_exported() {
    let dir = temporary();
    assert!(matches!(inspect(dir.path()), Err(OfflineError::Missing(_))));
    assert!(matches!(verify(dir.path(), |_| ()), Err(OfflineError::Missing(_))));
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, 200, 1000).await;
    wal.mark_published(5);
    eventually("the marks are written", || {
        inspect(dir.path()).is_ok_and(|status| status.high_water == 200 && status.published == 5)
    })
    .await;
    assert!(matches!(verify(dir.path(), |_| ()), Err(OfflineError::InUse(_))));
    assert!(matches!(export(dir.path(), 1, |_, _| Ok(())), Err(OfflineError::InUse(_))));
    wal.close().await;
}

#[tokio::test]
async fn a_sound_log_verifies_and_exports_without_a_change() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, 200, 1000).await;
    wal.close().await;
    let mut steps = Vec::new();
    let report = verify(dir.path(), |progress| steps.push(progress)).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.entries, report.high_water), (200, 200));
    assert_eq!(steps.last().map(|step| (step.done, step.entries)), Some((report.segments, 200)));

    let mut out = Vec::new();
    let exported = export(dir.path(), 190, |sequence, entry| {
        out.push((sequence, entry));
        Ok(())
    });
    assert_eq!(exported.unwrap().next, 201);
    assert!(out.into_iter().eq((190..=200).map(|number| (number, entry(number, 1000)))));
    let failing = export(dir.path(), 1, |_, _| Err(std::io::Error::other("full")));
    assert!(matches!(failing, Err(OfflineError::Sink(_))));
}

#[tokio::test]
async fn a_hole_is_named_and_the_rest_is_exported() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, 200, 1000).await;
    wal.close().await;
    let places = segments(dir.path()).into_iter().map(|dir| spoil(&dir.join("db"), "entry-77-"));
    assert!(places.sum::<usize>() > 0);
    let report = verify(dir.path(), |_| ()).unwrap();
    assert_eq!(report.holes, [LostRange { first: 77, last: 77 }]);
    assert_eq!(report.faults.len(), 1);
    let mut out = Vec::new();
    let report = export(dir.path(), 1, |sequence, _| {
        out.push(sequence);
        Ok(())
    });
    assert_eq!(report.unwrap().entries, 199);
    assert!(!out.contains(&77));
}
