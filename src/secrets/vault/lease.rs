//! How long a token of Vault counts, and what to do about it. Pure.

use std::fmt;
use std::time::{Duration, Instant};

use crate::secret::Secret;

/// A token and its life.
#[derive(Clone)]
pub struct Lease {
    pub token: Secret,
    from: Instant,
    /// Zero for one that does not end.
    ttl: Duration,
    renewable: bool,
    /// What the login gave: a renewal that gives less than half of it has met the token's longest life.
    first: Duration,
}

impl fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Lease(hidden, {:?})", self.ttl)
    }
}

/// What is to be done before a token is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Nothing,
    Renew,
    Login,
}

/// What Vault grants with a login or a renewal.
#[derive(Clone)]
pub struct Grant {
    pub token: Secret,
    pub ttl: Duration,
    pub renewable: bool,
}

impl Lease {
    pub fn new(grant: Grant, now: Instant) -> Self {
        let Grant { token, ttl, renewable } = grant;
        Self { token, from: now, ttl, renewable, first: ttl }
    }

    /// The same token after a renewal.
    #[must_use]
    pub fn renewed(&self, grant: Grant, now: Instant) -> Self {
        Self { first: self.first, ..Self::new(grant, now) }
    }

    /// Tells what to do: renew when a third of the life is left, and log in again where that does not help.
    pub fn due(&self, now: Instant) -> Due {
        if self.ttl.is_zero() {
            return Due::Nothing;
        }
        let left = self.left(now);
        if left > self.ttl / 3 {
            Due::Nothing
        } else if self.renewable && !left.is_zero() && self.ttl * 2 >= self.first {
            Due::Renew
        } else {
            Due::Login
        }
    }

    /// Tells whether it still counts.
    pub fn counts(&self, now: Instant) -> bool {
        self.ttl.is_zero() || !self.left(now).is_zero()
    }

    fn left(&self, now: Instant) -> Duration {
        self.ttl.saturating_sub(now.saturating_duration_since(self.from))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grant(ttl: u64, renewable: bool) -> Grant {
        Grant { token: Secret::new("hvs.hunter2"), ttl: Duration::from_secs(ttl), renewable }
    }

    #[test]
    fn a_token_is_renewed_in_its_last_third_until_that_no_longer_helps() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let lease = Lease::new(grant(3600, true), start);
        assert_eq!(lease.due(at(2399)), Due::Nothing);
        assert_eq!(lease.due(at(2400)), Due::Renew);
        assert_eq!(lease.due(at(3600)), Due::Login, "it has ended");
        let renewed = lease.renewed(grant(3600, true), at(2400));
        assert_eq!((renewed.due(at(4000)), renewed.due(at(5000))), (Due::Nothing, Due::Renew));
        let short = lease.renewed(grant(600, true), at(2400));
        assert_eq!((short.due(at(2700)), short.due(at(2900))), (Due::Nothing, Due::Login));
        assert_eq!(Lease::new(grant(3600, false), start).due(at(2400)), Due::Login);
        assert_eq!(Lease::new(grant(0, false), start).due(at(99_999)), Due::Nothing);
        assert_eq!(format!("{lease:?}"), "Lease(hidden, 3600s)");
    }

    proptest! {
        #[test]
        fn a_token_that_has_ended_is_never_used_and_never_renewed(
            ttl in 1_u64..100_000, after in 0_u64..200_000, renewable in any::<bool>(),
        ) {
            let start = Instant::now();
            let lease = Lease::new(grant(ttl, renewable), start);
            let now = start + Duration::from_secs(after);
            prop_assert_eq!(lease.counts(now), after < ttl);
            if after >= ttl {
                prop_assert_eq!(lease.due(now), Due::Login);
            }
            if lease.due(now) == Due::Renew {
                prop_assert!(renewable && lease.counts(now));
            }
        }
    }
}
