//! How full the stream is: told at 70 and at 90 % of its bound, long before it refuses events.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::stream::EventLog;

/// How often the stream is asked.
const PERIOD: Duration = Duration::from_secs(10);

/// Which share of the stream's bytes is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Fine,
    High,
    Critical,
}

impl Level {
    /// Judges a stream; one without a bound is always fine.
    pub fn of(bytes: u64, max_bytes: i64) -> Self {
        let Ok(bound @ 1..) = u64::try_from(max_bytes) else { return Self::Fine };
        match u128::from(bytes) * 100 / u128::from(bound) {
            90.. => Self::Critical,
            70.. => Self::High,
            _ => Self::Fine,
        }
    }

    /// What to tell of it.
    pub fn alarm(self) -> Option<&'static str> {
        match self {
            Self::Fine => None,
            Self::High => {
                Some("the stream is past 70 % of its bytes: raise nats.max_bytes in time")
            }
            Self::Critical => Some(
                "the stream is past 90 % of its bytes: when it is full, events wait on disk and then get 503",
            ),
        }
    }
}

/// Writes an alarm to the log whenever the stream has become fuller.
pub(super) async fn watch(log: EventLog, stop: CancellationToken) {
    let mut known = Level::Fine;
    let mut clock = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => {}
        }
        let Ok(state) = log.state().await else { continue };
        let level = Level::of(state.bytes, state.max_bytes);
        if level > known
            && let Some(alarm) = level.alarm()
        {
            tracing::warn!(bytes = state.bytes, max_bytes = state.max_bytes, "{alarm}");
        }
        known = level;
    }
}

#[cfg(test)]
mod tests {
    use super::Level::{Critical, Fine, High};
    use super::*;

    #[test]
    fn alarms_begin_at_70_and_90_percent() {
        let levels = [0, 69, 70, 89, 90, 100].map(|bytes| Level::of(bytes, 100));
        assert_eq!(levels, [Fine, Fine, High, High, Critical, Critical]);
        assert_eq!(Level::of(u64::MAX, -1), Fine);
        assert_eq!(Level::of(u64::MAX, i64::MAX), Critical);
    }
}
