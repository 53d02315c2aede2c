//! When a server that can be reached but does not serve is left for another one. Pure.
//!
//! A server that is cut off from the rest of its cluster keeps its clients. The client sees nothing wrong, since
//! the connection is fine: only that nothing is stored, or that nobody leads.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than the election of a leader takes (4 to 9 s), during which nobody else serves either, and longer than
/// it takes to notice by pings that a connection is dead.
const LONGEST: Duration = Duration::from_secs(12);

/// Since when one connection has not been served, in questions and in publishes. One that leads without the
/// others goes on answering questions for a while.
#[derive(Debug, Default)]
pub struct Patience {
    unanswered_since: Option<Instant>,
    unstored_since: Option<Instant>,
}

impl Patience {
    /// Takes in whether a question was answered by somebody who knows of a leader.
    pub fn asked(&mut self, answered: bool, now: Instant) {
        note(&mut self.unanswered_since, answered, now);
    }

    /// Takes in whether a publish was decided on, stored or refused; `at` is when it was sent or found wanting.
    pub fn published(&mut self, decided: bool, at: Instant) {
        note(&mut self.unstored_since, decided, at);
    }

    /// Says whether it is time to go elsewhere, and then begins anew.
    pub fn is_over(&mut self, now: Instant) -> bool {
        let long = |since: &Instant| now.duration_since(*since) >= LONGEST;
        let is_over = [self.unanswered_since, self.unstored_since].iter().flatten().any(long);
        if is_over {
            *self = Self::default();
        }
        is_over
    }
}

fn note(since: &mut Option<Instant>, well: bool, at: Instant) {
    *since = if well { None } else { Some(since.map_or(at, |since| since.min(at))) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(begin: Instant) -> impl Fn(u64) -> Instant {
        move |seconds| begin + Duration::from_secs(seconds)
    }

    #[test]
    fn it_ends_after_an_election_without_any_answer_and_begins_anew() {
        let (mut patience, after) = (Patience::default(), after(Instant::now()));
        patience.asked(false, after(0));
        patience.asked(false, after(11));
        assert!(!patience.is_over(after(11)) && patience.is_over(after(12)));
        patience.asked(false, after(13));
        assert!(!patience.is_over(after(24)), "another server has as long");
        patience.asked(true, after(24));
        assert!(!patience.is_over(after(60)), "an answer in between counts");
    }

    #[test]
    fn answers_do_not_make_up_for_publishes_that_nobody_stores() {
        let (mut patience, after) = (Patience::default(), after(Instant::now()));
        patience.published(false, after(0));
        patience.asked(true, after(6));
        patience.published(false, after(6));
        patience.asked(true, after(12));
        assert!(patience.is_over(after(12)));
        patience.published(false, after(13));
        patience.published(true, after(14));
        assert!(!patience.is_over(after(60)));
    }
}
