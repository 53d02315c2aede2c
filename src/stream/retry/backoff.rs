//! How long a failed event waits before it is tried again. Pure.

use std::time::Duration;

const STEPS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
const LONGEST: Duration = Duration::from_mins(5);

/// Returns the wait after the attempt of this number (from 1): 1 s, 5 s, 30 s, then always 5 min.
pub fn backoff(attempt: u32) -> Duration {
    let step = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    STEPS.get(step).copied().unwrap_or(LONGEST)
}

/// Spreads a wait over 0.8 to 1.2 of it, so that what failed together does not come back together.
/// `random` is from the whole range of numbers.
pub fn jittered(wait: Duration, random: u64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * (random as f64 / u64::MAX as f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_grow_to_five_minutes_and_stay_there() {
        let seconds: Vec<_> = [0, 1, 2, 3, 4, 5, 1000, u32::MAX].map(backoff).into();
        assert_eq!(seconds, [1, 1, 5, 30, 300, 300, 300, 300].map(Duration::from_secs));
    }

    proptest! {
        #[test]
        fn a_spread_wait_stays_within_a_fifth(millis in 1_u64..1_000_000, random in any::<u64>()) {
            let wait = Duration::from_millis(millis);
            let spread = jittered(wait, random).as_secs_f64() / wait.as_secs_f64();
            prop_assert!((0.799_999..=1.200_001).contains(&spread), "{spread}");
        }
    }

    #[test]
    fn the_ends_of_randomness_are_the_ends_of_the_spread() {
        let wait = Duration::from_secs(10);
        assert_eq!(jittered(wait, 0), Duration::from_secs(8));
        assert_eq!(jittered(wait, u64::MAX), Duration::from_secs(12));
    }
}
