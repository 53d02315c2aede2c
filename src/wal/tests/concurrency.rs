//! Many tasks at once.

use std::collections::BTreeMap;

use super::support::*;
use crate::wal::Wal;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_appends_get_disjoint_sequences_and_a_reader_sees_each_once() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    let reader = {
        let wal = wal.clone();
        tokio::spawn(async move {
            let (mut from, mut seen) = (1, BTreeMap::new());
            let mut committed = wal.committed();
            while from <= 32 * 150 {
                committed.wait_for(|last| *last >= from).await.unwrap();
                let read = wal.read(from, 64, 1 << 20).await.unwrap();
                from = read.next;
                seen.extend(read.entries);
            }
            seen
        })
    };
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let wal = wal.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                for number in 0..50 {
                    let entries = (0..3).map(|part| entry(writer * 1000 + number * 3 + part, 50));
                    let entries: Vec<_> = entries.collect();
                    let outcome = wal.append(entries.clone()).await.unwrap();
                    got.extend((outcome.first..=outcome.last).zip(entries));
                }
                got
            })
        })
        .collect();
    let mut expected = BTreeMap::new();
    for writer in writers {
        for (sequence, entry) in writer.await.unwrap() {
            assert!(expected.insert(sequence, entry).is_none(), "a sequence was given twice");
        }
    }
    assert_eq!(reader.await.unwrap(), expected);
    wal.close().await;
    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!(read_all(&wal, 1).await.entries, expected.into_iter().collect::<Vec<_>>());
    wal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_drains_what_is_waiting() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    let appends: Vec<_> = (0..500)
        .map(|number| {
            let wal = wal.clone();
            tokio::spawn(async move { wal.append(vec![entry(number, 100)]).await })
        })
        .collect();
    wal.committed().wait_for(|last| *last > 0).await.unwrap();
    wal.close().await;
    let mut stored = 0;
    for append in appends {
        stored += u64::from(append.await.unwrap().is_ok());
    }
    assert!(stored > 0);
    let wal = Wal::open(options(dir.path())).unwrap();
    assert_eq!(*wal.committed().borrow(), stored, "answered and stored are the same");
    wal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_far_behind_reads_segments_while_others_are_written() {
    let dir = temporary();
    let wal = Wal::open(options(dir.path())).unwrap();
    fill(&wal, 1, 200, 1000).await;
    wal.close().await;
    let wal = Wal::open(options(dir.path())).unwrap();
    let behind = {
        let wal = wal.clone();
        tokio::spawn(async move { read_all(&wal, 1).await })
    };
    fill(&wal, 201, 400, 1000).await;
    let read = sequences(&behind.await.unwrap());
    assert!(read.iter().copied().eq(1..=read.len() as u64) && read.len() >= 200);
    let again = sequences(&read_all(&wal, 150).await);
    assert_eq!(again, (150..=400).collect::<Vec<_>>());
    wal.close().await;
}
