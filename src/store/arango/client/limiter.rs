//! How many writes may be in flight: grows by one a round while all is well, halves at a sign of overload.
//!
//! Pure. What is one round and what one overload follows from the order of outcomes alone, not from a clock.

/// The window of writes in flight, from 1 to a configured most.
#[derive(Debug, Clone)]
pub struct Limiter {
    /// Fractions of a place are gathered until they are one.
    window: f64,
    most: usize,
    /// Counts the cuts: what was sent before the last one says nothing of the window since.
    era: u64,
}

/// Belongs to one request, from when it was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era(u64);

/// What a request says of the server's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// It was answered, and without a long wait.
    Light,
    /// Refused for overload, answered after a long queue, or not answered in time.
    Heavy,
    /// It says nothing: no connection, a wrong password.
    Unknown,
}

impl Limiter {
    pub fn new(first: usize, most: usize) -> Self {
        let most = most.max(1);
        Self { window: first.clamp(1, most) as f64, most, era: 0 }
    }

    /// How many may be in flight.
    pub fn window(&self) -> usize {
        self.window as usize
    }

    pub fn era(&self) -> Era {
        Era(self.era)
    }

    /// Takes in what became of a request. `in_flight` counts this one too: a window that is not used does not grow.
    pub fn ended(&mut self, era: Era, load: Load, in_flight: usize) {
        match load {
            Load::Heavy if era.0 == self.era => {
                self.era += 1;
                self.window = (self.window / 2.0).floor().max(1.0);
            }
            Load::Light if era.0 == self.era && 2 * in_flight >= self.window() => {
                self.window = (self.window + 1.0 / self.window).min(self.most as f64);
            }
            Load::Light | Load::Heavy | Load::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn load() -> impl Strategy<Value = Load> {
        prop_oneof![4 => Just(Load::Light), 1 => Just(Load::Heavy), 1 => Just(Load::Unknown)]
    }

    proptest! {
        #[test]
        fn the_window_stays_in_its_bounds_and_moves_by_the_rules(
            first in 0usize..100, most in 0usize..64, ends in prop::collection::vec((load(), 0u64..3, 1usize..64), 0..400),
        ) {
            let mut limiter = Limiter::new(first, most);
            for (load, age, in_flight) in ends {
                let before = (limiter.window(), limiter.era);
                limiter.ended(Era(limiter.era.saturating_sub(age)), load, in_flight);
                let after = limiter.window();
                prop_assert!((1..=most.max(1)).contains(&after));
                prop_assert!(after <= before.0 + 1, "one outcome adds one place at most");
                prop_assert!(after >= (before.0 / 2).max(1), "and takes half at most");
                if after < before.0 || limiter.era > before.1 {
                    prop_assert_eq!(load, Load::Heavy);
                }
            }
        }

        #[test]
        fn an_overload_that_hits_all_in_flight_halves_once(most in 2usize..64, hit in 1usize..64) {
            let mut limiter = Limiter::new(most, most);
            let era = limiter.era();
            for in_flight in (1..=hit).rev() {
                limiter.ended(era, Load::Heavy, in_flight);
            }
            prop_assert_eq!(limiter.window(), (most / 2).max(1));
        }

        #[test]
        fn a_server_at_ease_gets_the_whole_window_back(most in 1usize..64) {
            let mut limiter = Limiter::new(1, most);
            // A round a place and a little for the fractions.
            for _ in 0..most * most + most {
                let window = limiter.window();
                limiter.ended(limiter.era(), Load::Light, window);
            }
            prop_assert_eq!(limiter.window(), most);
        }
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut limiter = Limiter::new(8, 64);
        for _ in 0..1000 {
            limiter.ended(limiter.era(), Load::Light, 1);
        }
        assert_eq!(limiter.window(), 8);
    }
}
