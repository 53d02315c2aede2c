//! Bytes of bodies that a process holds at once: what would be over is refused before it is read.
//!
//! Nobody waits for room: a request that waits holds its connection, and its client knows better when to
//! come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::body::BodyError;
use crate::limits::HTTP_IN_FLIGHT_BYTES;

/// Room for the bodies of all requests of a process. Clones share it.
#[derive(Clone, Debug)]
pub struct BodyBudget(Arc<Room>);

#[derive(Debug)]
struct Room {
    held: AtomicUsize,
    most: usize,
}

/// Room that one body has; it is free again when this is dropped.
#[derive(Debug)]
pub struct Hold {
    budget: BodyBudget,
    bytes: usize,
}

impl BodyBudget {
    /// Makes room for `most` bytes (inclusive).
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Room { held: AtomicUsize::new(0), most }))
    }

    /// Returns the bytes that are held now.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Takes room for `bytes`, or says that there is none now.
    pub fn hold(&self, bytes: usize) -> Result<Hold, BodyError> {
        let mut hold = Hold { budget: self.clone(), bytes: 0 };
        hold.grow(bytes)?;
        Ok(hold)
    }
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(HTTP_IN_FLIGHT_BYTES)
    }
}

impl Hold {
    /// Takes room for `more` bytes; without room it keeps what it had.
    pub fn grow(&mut self, more: usize) -> Result<(), BodyError> {
        if more == 0 {
            return Ok(());
        }
        let Room { held, most } = &*self.budget.0;
        let grown = |now: usize| now.checked_add(more).filter(|all| all <= most);
        held.try_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .map_err(|_| BodyError::NoRoom)?;
        self.bytes += more;
        Ok(())
    }

    /// Gives back room for up to `less` bytes, as of a piece that is done with.
    pub fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        if less > 0 {
            self.bytes -= less;
            self.budget.0.held.fetch_sub(less, Ordering::Relaxed);
        }
    }

    /// Returns the bytes that this holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_over_is_refused_and_room_comes_back() {
        let budget = BodyBudget::new(10);
        let mut first = budget.hold(6).unwrap();
        assert_eq!(budget.hold(5).unwrap_err(), BodyError::NoRoom);
        assert_eq!(first.grow(5), Err(BodyError::NoRoom));
        let second = budget.hold(4).unwrap();
        assert_eq!(budget.held(), 10);
        drop(first);
        assert_eq!(budget.held(), 4);
        drop(second);
        assert_eq!(budget.held(), 0);
        assert_eq!(budget.hold(usize::MAX).unwrap_err(), BodyError::NoRoom);
    }

    proptest! {
        #[test]
        fn what_is_held_is_the_sum_of_the_holds_and_never_over(
            steps in prop::collection::vec((0..4_usize, any::<bool>(), 0..60_usize), 0..60),
        ) {
            let budget = BodyBudget::new(100);
            let mut holds: Vec<Hold> = (0..4).map(|_| budget.hold(0).unwrap()).collect();
            for (which, grows, bytes) in steps {
                let before = holds[which].bytes();
                if !grows {
                    holds[which].shrink(bytes);
                } else if holds[which].grow(bytes).is_err() {
                    prop_assert_eq!(holds[which].bytes(), before);
                }
                prop_assert_eq!(budget.held(), holds.iter().map(Hold::bytes).sum::<usize>());
                prop_assert!(budget.held() <= 100);
            }
            holds.clear();
            prop_assert_eq!(budget.held(), 0);
        }
    }
}
