//! What the integration tests share: real servers, and waiting for conditions instead of sleeping.

pub mod nats;

use std::time::{Duration, Instant};

/// Waits until a condition holds and returns what it gave; panics with `what` after the deadline.
pub async fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
