//! When a secret is looked at next. Pure.

use std::time::Duration;

use super::contract::Remedy;
use crate::limits::{SECRETS_LEAST, SECRETS_PERSON, SECRETS_RETRY};

/// Returns the wait after a secret was fetched: `every`, or two thirds of the time for which it holds if that is
/// sooner; spread over 0.8 to 1 of it, so that machines that began together do not ask together.
pub fn after_good(every: Duration, holds: Option<Duration>, random: u64) -> Duration {
    let due = holds.map_or(every, |holds| every.min(holds * 2 / 3));
    due.mul_f64(0.8 + 0.2 * share(random)).max(SECRETS_LEAST)
}

/// Returns the wait after a failure that is the `failures`th in a row (from 1): doubled each time up to a most,
/// spread over its upper half. What a server has said is the least.
pub fn after_fault(remedy: Remedy, failures: u32, random: u64) -> Duration {
    let ((first, most), least) = match remedy {
        Remedy::Retry { after } => (SECRETS_RETRY, after.unwrap_or_default()),
        Remedy::Person => (SECRETS_PERSON, Duration::ZERO),
    };
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let spread = doubled.min(most).mul_f64(0.5 + 0.5 * share(random));
    spread.max(least.min(most))
}

/// A number of the whole range as a share of it.
fn share(random: u64) -> f64 {
    random as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(wait: Duration) -> f64 {
        wait.as_secs_f64()
    }

    #[test]
    fn failures_are_tried_again_later_each_time_up_to_a_most() {
        let retry = Remedy::Retry { after: None };
        let waits = |remedy| -> Vec<f64> {
            [1, 2, 3, 4, 7, 99, u32::MAX]
                .map(|failures| seconds(after_fault(remedy, failures, u64::MAX)))
                .into()
        };
        assert_eq!(waits(retry), [1.0, 2.0, 4.0, 8.0, 60.0, 60.0, 60.0]);
        assert_eq!(waits(Remedy::Person), [5.0, 10.0, 20.0, 40.0, 300.0, 300.0, 300.0]);
    }

    #[test]
    fn what_the_server_asks_for_is_waited_for_but_not_for_hours() {
        let told = |after| Remedy::Retry { after: Some(Duration::from_secs(after)) };
        assert_eq!(after_fault(told(30), 1, 0), Duration::from_secs(30));
        assert_eq!(after_fault(told(7200), 1, 0), Duration::from_mins(1));
        assert_eq!(after_fault(told(0), 1, 0), Duration::from_millis(500));
    }

    proptest! {
        #[test]
        fn every_wait_lies_between_its_bounds(
            every in 1_u64..100_000,
            holds in proptest::option::of(0_u64..100_000),
            failures in any::<u32>(),
            after in proptest::option::of(0_u64..100_000),
            random in any::<u64>(),
        ) {
            let every = Duration::from_secs(every);
            let holds = holds.map(Duration::from_secs);
            let good = after_good(every, holds, random);
            prop_assert!(good >= SECRETS_LEAST);
            prop_assert!(good <= every.max(SECRETS_LEAST));
            // It is looked at before it ends, unless it ends at once.
            if let Some(holds) = holds.filter(|holds| *holds > 2 * SECRETS_LEAST) {
                prop_assert!(good < holds);
            }
            let remedy = Remedy::Retry { after: after.map(Duration::from_secs) };
            for (remedy, (first, most)) in [(remedy, SECRETS_RETRY), (Remedy::Person, SECRETS_PERSON)] {
                let wait = after_fault(remedy, failures, random);
                prop_assert!(wait >= first / 2 && wait <= most, "{wait:?}");
                prop_assert!(wait <= after_fault(remedy, failures.saturating_add(1), u64::MAX));
            }
        }
    }
}
