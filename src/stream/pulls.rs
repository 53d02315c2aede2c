//! How much a reader has asked for and not yet received. Pure.
//!
//! Every message and every end of a pull is counted here, so that the server always has something
//! left to serve and never more than the client holds.

use crate::limits;

/// The account of one reader's pulls.
#[derive(Debug, Default)]
pub struct Pulls {
    outstanding: usize,
}

impl Pulls {
    /// Says whether another pull may be sent now.
    pub fn wants_more(&self) -> bool {
        self.outstanding + limits::READ_PULL_MESSAGES <= limits::READ_OUTSTANDING_MESSAGES
    }

    /// Counts a pull that was sent.
    pub fn sent(&mut self) {
        self.outstanding += limits::READ_PULL_MESSAGES;
    }

    /// Counts a message that came.
    pub fn received(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
    }

    /// Counts a pull that ended with so many messages undelivered.
    pub fn ended(&mut self, undelivered: usize) {
        self.outstanding = self.outstanding.saturating_sub(undelivered);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_server_always_has_a_pull_and_never_too_many(steps in prop::collection::vec((0_usize..2_500, any::<bool>()), 1..100)) {
            let mut pulls = Pulls::default();
            // What the server has open: messages left of each pull.
            let mut open: Vec<usize> = Vec::new();
            for (delivered, expires) in steps {
                while pulls.wants_more() {
                    pulls.sent();
                    open.push(limits::READ_PULL_MESSAGES);
                }
                let left: usize = open.iter().sum();
                prop_assert!(left > limits::READ_OUTSTANDING_MESSAGES - limits::READ_PULL_MESSAGES);
                prop_assert!(left <= limits::READ_OUTSTANDING_MESSAGES);
                for _ in 0..delivered.min(left) {
                    let pull = open.iter_mut().find(|left| **left > 0).unwrap();
                    *pull -= 1;
                    pulls.received();
                }
                if expires && !open.is_empty() {
                    pulls.ended(open.remove(0));
                }
                open.retain(|left| *left > 0);
            }
        }
    }
}
