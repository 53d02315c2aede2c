//! What the integration tests share: real servers, and waiting for conditions instead of sleeping.

pub mod arango;
pub mod arango_store;
pub mod aws;
pub mod client;
pub mod cluster;
pub mod described;
pub mod events;
pub mod faults;
pub mod jobs;
pub mod load;
pub mod mixed;
pub mod nats;
pub mod nginx;
pub mod ports;
pub mod proof;
pub mod rollout;
pub mod seed;
pub mod site;
pub mod small_disk;
pub mod systemd;
pub mod tls;
pub mod weir;

use std::time::{Duration, Instant};

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits until a condition holds and returns what it gave; panics with `what` after the deadline.
pub async fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let waiting = Waiting::until(what, deadline);
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        waiting.look_again().await;
    }
}

/// The same for a loop of one's own, as in a task that is spawned.
pub struct Waiting<'a> {
    what: &'a str,
    deadline: Duration,
    end: Instant,
}

impl<'a> Waiting<'a> {
    pub fn until(what: &'a str, deadline: Duration) -> Self {
        Self { what, deadline, end: Instant::now() + deadline }
    }

    /// Lets a moment pass before the next look; panics after the deadline.
    pub async fn look_again(&self) {
        assert!(Instant::now() < self.end, "not within {:?}: {}", self.deadline, self.what);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Waits, blocking, until a condition holds; says whether it did before the deadline.
pub fn holds_within(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    true
}
