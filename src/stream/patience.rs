//! When a server that can be reached but does not serve is left for another one. Pure.
//!
//! A server that is cut off from the rest of its cluster keeps its clients and answers none of their questions;
//! the client sees nothing wrong, since the connection is fine.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than the election of a leader takes (4 to 9 s), during which nobody else serves either, and longer than
/// it takes to notice by pings that a connection is dead.
const LONGEST: Duration = Duration::from_secs(12);

/// How long one connection has had no answer to what it asked.
#[derive(Debug, Default)]
pub struct Patience {
    unanswered_since: Option<Instant>,
}

impl Patience {
    /// Takes in that a question was answered, whatever the answer.
    pub fn answered(&mut self) {
        self.unanswered_since = None;
    }

    /// Takes in that a question was not; says whether it is time to go elsewhere, and then begins anew.
    pub fn unanswered(&mut self, now: Instant) -> bool {
        let since = *self.unanswered_since.get_or_insert(now);
        let is_over = now.duration_since(since) >= LONGEST;
        if is_over {
            self.unanswered_since = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_an_election_without_any_answer_and_begins_anew() {
        let (mut patience, begin) = (Patience::default(), Instant::now());
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert!(!patience.unanswered(after(0)));
        assert!(!patience.unanswered(after(11)));
        assert!(patience.unanswered(after(12)));
        assert!(!patience.unanswered(after(13)), "another server has as long");
        patience.answered();
        assert!(!patience.unanswered(after(30)), "an answer in between counts");
        assert!(patience.unanswered(after(42)));
    }
}
