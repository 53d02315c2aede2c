//! How much of the past an image in front of a database holds. Pure.

use crate::event::TypeIndex;
use crate::store::memory::Horizon;

/// How much of the past a bounded image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recent {
    /// From 1.
    pub days: u32,
    /// The type of which everything is kept.
    pub always: Option<TypeIndex>,
}

impl Recent {
    /// The horizon at a time: it moves once a day.
    pub(super) fn horizon(self, now_ms: i64) -> Horizon {
        let today = now_ms.div_euclid(DAY_MS);
        Horizon { since_ms: Some((today - i64::from(self.days)) * DAY_MS), always: self.always }
    }
}

pub(super) const DAY_MS: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_moves_once_a_day() {
        let recent = Recent { days: 30, always: None };
        let at = |day: i64, ms: i64| recent.horizon(day * DAY_MS + ms).since_ms;
        assert_eq!(at(100, 0), Some(70 * DAY_MS));
        assert_eq!(at(100, DAY_MS - 1), Some(70 * DAY_MS));
        assert_eq!(at(101, 0), Some(71 * DAY_MS));
    }
}
