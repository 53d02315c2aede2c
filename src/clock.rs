//! The wall clock, read in one place.
//!
//! Pure code takes times as arguments; shells ask here.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns milliseconds since the Unix epoch; 0 when the machine's clock stands before it.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
