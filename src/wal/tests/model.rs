//! The log against a tiny model, through reopenings and crashes.

use proptest::prelude::*;
use tempfile::TempDir;

use super::support::*;
use crate::wal::Wal;

#[derive(Debug, Clone)]
enum Operation {
    /// How many entries, of what size.
    Append(usize, usize),
    /// From a share of what is there.
    Read(u8, usize),
    MarkPublished(u8),
    Rewind(u8),
    Reopen,
    Crash,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (1..40_usize, 0..6000_usize).prop_map(|(count, size)| Operation::Append(count, size)),
        3 => (any::<u8>(), 1..50_usize).prop_map(|(share, count)| Operation::Read(share, count)),
        2 => any::<u8>().prop_map(Operation::MarkPublished),
        1 => any::<u8>().prop_map(Operation::Rewind),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Crash),
    ]
}

/// What the log must tell: the sizes of the entries answered, and bounds of the mark.
struct Run {
    dir: TempDir,
    wal: Wal,
    sizes: Vec<usize>,
    published: u64,
    /// Nothing above it was ever allowed to go.
    highest_published: u64,
}

impl Run {
    fn share(&self, share: u8) -> u64 {
        self.sizes.len() as u64 * u64::from(share) / 255
    }

    async fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Append(count, size) => self.append(count, size).await,
            Operation::Read(share, count) => self.read(self.share(share) + 1, count).await,
            Operation::MarkPublished(share) => {
                let through = self.share(share);
                self.wal.mark_published(through);
                self.published = self.published.max(through);
                self.highest_published = self.highest_published.max(through);
            }
            Operation::Rewind(share) => {
                self.wal.rewind_published(self.share(share));
                let after = self.wal.published();
                assert!(after <= self.published && after >= self.share(share).min(self.published));
                self.published = after;
            }
            Operation::Reopen => {
                self.wal.close().await;
                self.wal = Wal::open(options(self.dir.path())).unwrap();
                assert_eq!(self.wal.published(), self.published, "a close keeps the mark");
            }
            Operation::Crash => {
                let copy = temporary();
                crash_copy(self.dir.path(), copy.path());
                self.wal.close().await;
                self.wal = Wal::open(options(copy.path())).unwrap();
                self.dir = copy;
                assert!(self.wal.published() <= self.highest_published);
                self.published = self.wal.published();
            }
        }
        self.check();
    }

    async fn append(&mut self, count: usize, size: usize) {
        let first = self.sizes.len() as u64 + 1;
        let entries = (first..first + count as u64).map(|number| entry(number, size)).collect();
        let outcome = self.wal.append(entries).await.unwrap();
        assert_eq!((outcome.first, outcome.last), (first, first + count as u64 - 1));
        self.sizes.resize(self.sizes.len() + count, size);
    }

    async fn read(&self, from: u64, count: usize) {
        let oldest = self.wal.oldest();
        let outcome = self.wal.read(from, count, 20_000).await.unwrap();
        assert!(outcome.entries.len() <= count && outcome.lost.is_empty());
        let mut next = outcome.entries.first().map_or(outcome.next, |(first, _)| *first);
        assert!(next == from || from < oldest || next <= self.highest_published + 1);
        for (sequence, bytes) in outcome.entries {
            assert_eq!(sequence, next);
            assert_eq!(bytes, entry(sequence, self.sizes[sequence as usize - 1]));
            next += 1;
        }
        assert_eq!(outcome.next, next);
    }

    fn check(&self) {
        let status = self.wal.status();
        assert_eq!(status.high_water, self.sizes.len() as u64);
        assert_eq!(status.published, self.published);
        assert!(status.oldest <= self.highest_published + 1);
        assert_eq!((status.quarantined, status.lost_entries, status.degraded), (0, 0, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn the_log_tells_what_a_list_would(operations in prop::collection::vec(operation(), 1..30)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let dir = temporary();
            let wal = Wal::open(options(dir.path())).unwrap();
            let mut run = Run { dir, wal, sizes: Vec::new(), published: 0, highest_published: 0 };
            for operation in operations {
                run.apply(operation).await;
            }
            run.read(run.published + 1, usize::MAX).await;
            run.wal.close().await;
        });
    }
}
