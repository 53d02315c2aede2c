//! A circuit breaker: stops asking a store of which most answers are failures. Pure.
//!
//! It looks at shares, not at single failures: one shard that cannot be written fails some documents
//! of every batch, and the rest goes on.

use std::collections::VecDeque;

/// How a breaker judges. Times are in milliseconds of any one clock.
#[derive(Debug, Clone, Copy)]
pub struct BreakerOptions {
    /// Attempts older than this say nothing any more.
    pub window_ms: u64,
    /// Attempts that are remembered.
    pub attempts: usize,
    /// Fewer attempts than this decide nothing.
    pub least: usize,
    /// The mean share of failures, from 0 to 1, from which on it opens (inclusive).
    pub share: f64,
    /// The first wait before the store is tried again, and the longest; each failed trial doubles it.
    pub wait_ms: (u64, u64),
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { window_ms: 10_000, attempts: 20, least: 4, share: 0.5, wait_ms: (250, 10_000) }
    }
}

/// What may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Ask as usual.
    Go,
    /// Ask once, to find out; the answer decides for all.
    Trial,
    /// Ask nothing before this time.
    WaitUntil(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Closed,
    Open {
        until_ms: u64,
        wait_ms: u64,
    },
    /// A trial is on its way; if nothing is heard of it until then, another may be made.
    Trying {
        until_ms: u64,
        wait_ms: u64,
    },
}

/// Remembers how the last attempts went.
#[derive(Debug, Clone)]
pub struct Breaker {
    options: BreakerOptions,
    /// When, and which share failed.
    recent: VecDeque<(u64, f64)>,
    /// When what had failed before failed again.
    again: VecDeque<u64>,
    state: State,
}

impl Breaker {
    pub fn new(options: BreakerOptions) -> Self {
        Self { options, recent: VecDeque::new(), again: VecDeque::new(), state: State::Closed }
    }

    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Says until when nothing may be asked, without taking a permit.
    pub fn waits_until(&self, now_ms: u64) -> Option<u64> {
        match self.state {
            State::Open { until_ms, .. } | State::Trying { until_ms, .. } => {
                Some(until_ms).filter(|until_ms| now_ms < *until_ms)
            }
            State::Closed => None,
        }
    }

    /// Says what may be done now. A trial that is permitted is expected to be noted.
    pub fn permit(&mut self, now_ms: u64) -> Permit {
        if let Some(until_ms) = self.waits_until(now_ms) {
            return Permit::WaitUntil(until_ms);
        }
        match self.state {
            State::Closed => Permit::Go,
            State::Open { wait_ms, .. } | State::Trying { wait_ms, .. } => {
                self.state =
                    State::Trying { until_ms: now_ms + 2 * self.options.wait_ms.1, wait_ms };
                Permit::Trial
            }
        }
    }

    /// Notes one attempt of which `failed` of `of` elements failed for the store's sake (not for their
    /// own). An attempt without elements says nothing, and gives back a trial.
    pub fn note(&mut self, now_ms: u64, failed: usize, of: usize) {
        let share = failed as f64 / of as f64;
        match self.state {
            State::Trying { wait_ms, .. } if of == 0 => {
                self.state = State::Open { until_ms: now_ms, wait_ms };
            }
            _ if of == 0 => {}
            State::Closed => {
                self.recent.push_back((now_ms, share));
                self.judge(now_ms);
            }
            _ if share < self.options.share => self.close(),
            State::Trying { wait_ms, .. } => self.open(now_ms, wait_ms * 2),
            // What was on its way when the breaker opened tells nothing new.
            State::Open { .. } => {}
        }
    }

    /// Notes an attempt at what had failed before. That it fails again says of the rest nothing: it opens
    /// the breaker sooner where most of what is new fails too, and never by itself.
    pub fn note_again(&mut self, now_ms: u64, failed: usize, of: usize) {
        if self.is_open() {
            self.note(now_ms, failed, of);
        } else if of > 0 && failed as f64 >= self.options.share * of as f64 {
            self.again.push_back(now_ms);
            self.judge(now_ms);
        }
    }

    /// Whether most of what was tried of late, and not for the second time, failed.
    pub fn doubts(&mut self, now_ms: u64) -> bool {
        self.forget_old(now_ms);
        self.is_open() || self.mostly_failed()
    }

    /// How long it waits between trials now; `None` while it is closed.
    pub fn wait_ms(&self) -> Option<u64> {
        match self.state {
            State::Open { wait_ms, .. } | State::Trying { wait_ms, .. } => Some(wait_ms),
            State::Closed => None,
        }
    }

    fn judge(&mut self, now_ms: u64) {
        self.forget_old(now_ms);
        if self.recent.len() + self.again.len() >= self.options.least && self.mostly_failed() {
            self.open(now_ms, self.options.wait_ms.0);
        }
    }

    fn forget_old(&mut self, now_ms: u64) {
        let since = now_ms.saturating_sub(self.options.window_ms);
        let most = self.options.attempts;
        while self.recent.len() > most || self.recent.front().is_some_and(|(at, _)| *at < since) {
            self.recent.pop_front();
        }
        while self.again.len() > most || self.again.front().is_some_and(|at| *at < since) {
            self.again.pop_front();
        }
    }

    fn mostly_failed(&self) -> bool {
        let sum: f64 = self.recent.iter().map(|(_, share)| share).sum();
        !self.recent.is_empty() && sum >= self.options.share * self.recent.len() as f64
    }

    fn open(&mut self, now_ms: u64, wait_ms: u64) {
        self.close();
        let wait_ms = wait_ms.min(self.options.wait_ms.1);
        self.state = State::Open { until_ms: now_ms + wait_ms, wait_ms };
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.recent.clear();
        self.again.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerOptions::default())
    }

    #[test]
    fn a_store_that_is_down_is_left_alone_and_tried_again_ever_more_rarely() {
        let mut breaker = breaker();
        for at in 0..4 {
            assert_eq!(breaker.permit(at), Permit::Go);
            breaker.note(at, 10, 10);
        }
        assert!(breaker.is_open());
        assert_eq!(breaker.permit(3), Permit::WaitUntil(253));
        let mut now = 3;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let Permit::WaitUntil(until) = breaker.permit(now) else { panic!("it is open") };
            waits.push(until - now);
            now = until;
            assert_eq!(breaker.permit(now), Permit::Trial);
            assert!(matches!(breaker.permit(now), Permit::WaitUntil(_)), "one trial at a time");
            breaker.note(now, 1, 1);
        }
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        let Permit::WaitUntil(until) = breaker.permit(now) else { panic!("it is open") };
        assert_eq!(breaker.permit(until), Permit::Trial);
        breaker.note(until, 0, 1);
        assert_eq!(breaker.permit(until), Permit::Go);
    }

    #[test]
    fn a_trial_of_which_nothing_is_heard_is_made_again() {
        let mut breaker = breaker();
        (0..4).for_each(|at| breaker.note(at, 1, 1));
        assert_eq!(breaker.permit(1_000), Permit::Trial);
        assert_eq!(breaker.permit(1_001), Permit::WaitUntil(21_000));
        assert_eq!(breaker.permit(21_000), Permit::Trial);
    }

    #[test]
    fn a_trial_without_elements_is_given_back() {
        let mut breaker = breaker();
        (0..4).for_each(|at| breaker.note(at, 1, 1));
        assert_eq!(breaker.permit(1_000), Permit::Trial);
        breaker.note(1_001, 0, 0);
        assert_eq!(breaker.permit(1_001), Permit::Trial);
    }

    #[test]
    fn what_fails_again_and_again_opens_nothing_while_the_rest_works() {
        let mut breaker = breaker();
        for at in 0..100 {
            breaker.note_again(10 * at, 1, 1);
            assert!(!breaker.is_open(), "nothing else was tried");
        }
        for at in 1_000..1_300 {
            // Three of ten fail, and each of these ten times more.
            breaker.note(at, usize::from(at % 10 < 3), 1);
            (0..10).filter(|_| at % 10 < 3).for_each(|_| breaker.note_again(at, 1, 1));
            if at > 1_010 {
                assert!(!breaker.is_open() && !breaker.doubts(at));
            }
        }
    }

    #[test]
    fn one_that_fails_again_opens_it_where_there_is_nothing_better_to_be_seen() {
        let mut breaker = breaker();
        breaker.note(0, 1, 1);
        assert!(breaker.doubts(1));
        (1..4).for_each(|at| breaker.note_again(at, 1, 1));
        assert!(breaker.is_open());
    }

    proptest! {
        #[test]
        fn less_than_its_share_of_failures_never_opens_it(
            failed in prop::collection::vec((0..100u64, 0..50usize), 1..200)
        ) {
            let mut breaker = breaker();
            let mut now = 0;
            for (passed, failed) in failed {
                now += passed;
                breaker.note(now, failed, 100);
                prop_assert_eq!(breaker.permit(now), Permit::Go);
            }
        }

        #[test]
        fn an_open_breaker_always_gives_a_trial_in_time(
            attempts in prop::collection::vec((0..3_000u64, 0..=1usize), 1..200)
        ) {
            let mut breaker = breaker();
            let mut now = 0;
            for (passed, failed) in attempts {
                now += passed;
                match breaker.permit(now) {
                    Permit::WaitUntil(until) => prop_assert!(until > now && until - now <= 20_000),
                    Permit::Go | Permit::Trial => breaker.note(now, failed, 1),
                }
            }
        }
    }
}
