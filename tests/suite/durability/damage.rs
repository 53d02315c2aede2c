//! Files damaged while weir is down: it starts all the same, and says what it found.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::client::{digest, is_settled};
use crate::support::load::numbered;
use crate::support::seed::Seed;
use crate::support::weir::Weir;

use super::{has_history, post};

/// What may happen to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Flipped,
    Truncated,
    Emptied,
    Removed,
}

impl Damage {
    const ALL: [Self; 4] = [Self::Flipped, Self::Truncated, Self::Emptied, Self::Removed];

    fn happen(self, file: &Path, seed: &Seed) {
        let mut bytes = fs::read(file).unwrap();
        let place = seed.pick(0..bytes.len() as u64) as usize;
        match self {
            Self::Flipped => bytes[place] ^= 1 << seed.pick(0..8),
            Self::Truncated => bytes.truncate(place),
            Self::Emptied => bytes.clear(),
            Self::Removed => return fs::remove_file(file).unwrap(),
        }
        fs::write(file, bytes).unwrap();
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_set_aside_and_the_graph_rebuilt_from_the_log() {
    let seed = Seed::new();
    let mut weir = Weir::dev().start().await;
    let client = weir.client();
    post(&client, "graph", 0..300).await;
    let whole = digest(&client.settled().await);
    let snapshot = weir.data_dir().join("graph/g1.snapshot");
    let aside = |weir: &Weir| files_below(&weir.data_dir().join("graph")).len();
    for (before, damage) in Damage::ALL.into_iter().enumerate() {
        weir.stop().await;
        damage.happen(&snapshot, &seed);
        weir.start_again().await;
        assert_eq!(digest(&client.settled().await), whole, "{damage:?}");
        has_history(&client, "graph", 0..300).await;
        if !matches!(damage, Damage::Removed) {
            assert_eq!(aside(&weir), before + 1, "the damaged one is kept: {damage:?}");
            assert_eq!(weir.log().matches("the snapshot is set aside").count(), before + 1);
        }
    }
    weir.stop().await;
    weir.start_again().await;
    assert_eq!(digest(&client.settled().await), whole);
    assert!(weir.log().contains("the graph was read from its snapshot"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log_on_disk_loses_nothing_that_was_published() {
    let seed = Seed::new();
    let mut weir = Weir::dev().start().await;
    let client = weir.client();
    post(&client, "log", 0..150).await;
    let whole = digest(&client.settled().await);
    let ends =
        [true, false].into_iter().flat_map(|orderly| Damage::ALL.map(|damage| (orderly, damage)));
    let mut quarantined = 0;
    for (round, (orderly, damage)) in (1..).zip(ends) {
        if orderly {
            weir.stop().await;
        } else {
            weir.kill();
        }
        let segments = files_below(&weir.data_dir().join("wal"));
        let newest = segments.iter().filter(|file| file.ends_with("db")).max().expect("a segment");
        damage.happen(newest, &seed);
        weir.start_again().await;
        let status = client.settled().await;
        has_history(&client, "log", 0..150).await;
        assert_eq!(client.history("after").await.len(), round - 1);
        if round == 1 {
            assert_eq!(digest(&status), whole);
        }
        // After a kill the log may not have noted yet that what it had was published, or that it was written.
        if orderly {
            assert_eq!(status["wal"]["lostEntries"], 0, "{damage:?}: {:#}", status["wal"]);
            let noticed = status["wal"]["quarantined"].as_u64().unwrap() > quarantined;
            assert!(
                noticed || matches!(damage, Damage::Flipped | Damage::Truncated),
                "{damage:?}: {:#}",
                status["wal"]
            );
        }
        quarantined = status["wal"]["quarantined"].as_u64().unwrap();
        // It takes events again.
        assert_eq!(client.post(&numbered("after", round as u64)).await.status, 202);
        let high = &status["wal"]["highWater"];
        client
            .status_when("it is applied", |status| {
                is_settled(status) && status["wal"]["highWater"].as_u64() > high.as_u64()
            })
            .await;
        assert_eq!(client.history("after").await.len(), round);
    }
}
