//! Readers who never rest, and hold that they are always answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::client::{Client, PATIENCE};
use crate::support::load::Pace;

const QUESTIONS: [&str; 4] = [
    "/history/user/chaos-0?limit=3",
    "/history/user/mixed-1?limit=50",
    "/recommendations/user/mixed-2",
    "/recommendations/item/item-1",
];
/// Between two questions of one reader.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Some readers at work.
pub struct Readers {
    stop: CancellationToken,
    answered: Arc<AtomicU64>,
    readers: JoinSet<()>,
}

impl Readers {
    /// Of a process that lives: each answer is a success.
    pub fn start(api: &Client) -> Self {
        Self::begin(api, false)
    }

    /// Of one that is killed: there may be no answer, or, while it begins, one that says when to come again.
    pub fn start_patiently(api: &Client) -> Self {
        Self::begin(api, true)
    }

    fn begin(api: &Client, patient: bool) -> Self {
        let (stop, answered) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let mut readers = JoinSet::new();
        for question in QUESTIONS {
            readers.spawn(read(api.clone(), question, patient, stop.clone(), answered.clone()));
        }
        Self { stop, answered, readers }
    }

    /// Returns how many answers there were.
    pub async fn stop(self) -> u64 {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.readers.join_all()).await.expect("readers end in time");
        self.answered.load(Ordering::Relaxed)
    }
}

async fn read(
    api: Client,
    question: &'static str,
    patient: bool,
    stop: CancellationToken,
    answered: Arc<AtomicU64>,
) {
    let mut pace = Pace::of(PAUSE);
    while !stop.is_cancelled() {
        pace.wait().await;
        let answer = match api.send(api.request("GET", question)).await {
            Ok(answer) => answer,
            Err(_) if patient => continue,
            Err(error) => panic!("{question}: {error}"),
        };
        let begins = patient && answer.status == 503 && !answer.header("retry-after").is_empty();
        assert!(answer.status == 200 || begins, "{question}: {} {:#}", answer.status, answer.body);
        answered.fetch_add(u64::from(answer.status == 200), Ordering::Relaxed);
    }
}
