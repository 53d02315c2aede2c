//! What one open connection does at the moment: nothing yet, a request, or nothing any more.
//!
//! A request touches only its own connection's seat. Whoever looks for a connection to give up reads it
//! from outside, and takes it only while no request is in flight.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::limits::HTTP_SILENT;

/// Stands in the count of requests once the connection is given up.
const GIVEN_UP: u32 = 1 << 31;
/// The place of a seat that is in no ring.
pub(super) const NOWHERE: usize = usize::MAX;

/// One open connection, as its requests and the table of all connections see it.
#[derive(Debug)]
pub(super) struct Seat {
    /// Whom it counts for; nobody if it is a trusted proxy's.
    pub peer: Option<IpAddr>,
    /// Where it stands among all, and among its peer's; changed under the table's lock alone.
    pub places: [AtomicUsize; 2],
    accepted: Instant,
    /// Requests in flight.
    requests: AtomicU32,
    /// When the last request ended, in milliseconds from `accepted`, at least 1; 0 before the first.
    ended: AtomicU64,
    task: OnceLock<AbortHandle>,
}

/// How silent a connection is; the greatest is given up first: nothing asked yet, then the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Silence {
    pub fresh: bool,
    pub lasts: Duration,
}

/// A request in flight, until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight<'a>(&'a Seat);

impl Seat {
    pub fn new(peer: Option<IpAddr>) -> Self {
        Self {
            peer,
            places: [AtomicUsize::new(NOWHERE), AtomicUsize::new(NOWHERE)],
            accepted: Instant::now(),
            requests: AtomicU32::new(0),
            ended: AtomicU64::new(0),
            task: OnceLock::new(),
        }
    }

    /// Says which task serves the connection.
    pub fn served_by(&self, task: AbortHandle) {
        self.task.set(task).expect("a connection has one task");
    }

    /// Begins a request; `None` once the connection is given up.
    pub fn begin(&self) -> Option<InFlight<'_>> {
        let in_flight = InFlight(self);
        let before = self.requests.fetch_add(1, Ordering::AcqRel);
        (before & GIVEN_UP == 0).then_some(in_flight)
    }

    /// Returns how silent the connection is; `None` while a request is in flight.
    pub fn silence(&self) -> Option<Silence> {
        if self.requests.load(Ordering::Acquire) != 0 {
            return None;
        }
        let ended = self.ended.load(Ordering::Acquire);
        let lasts = self.accepted.elapsed().saturating_sub(Duration::from_millis(ended));
        Some(Silence { fresh: ended == 0, lasts })
    }

    /// Returns how silent it is if it may be given up for another.
    pub fn expendable(&self) -> Option<Silence> {
        self.silence().filter(|silence| silence.fresh || silence.lasts >= HTTP_SILENT)
    }

    /// Ends the connection unless a request has just begun; says whether it did.
    pub fn give_up(&self) -> bool {
        let given =
            self.requests.compare_exchange(0, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire);
        if given.is_ok()
            && let Some(task) = self.task.get()
        {
            task.abort();
        }
        given.is_ok()
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let now = (self.0.accepted.elapsed().as_millis() as u64).max(1);
        self.0.ended.store(now, Ordering::Release);
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_silent_only_between_requests() {
        let seat = Seat::new(None);
        assert!(seat.silence().unwrap().fresh);
        let first = seat.begin().unwrap();
        let second = seat.begin().unwrap();
        drop(first);
        assert_eq!(seat.silence(), None);
        assert!(!seat.give_up());
        drop(second);
        let silence = seat.silence().unwrap();
        assert!(!silence.fresh);
        assert_eq!(seat.expendable(), None, "it has just been heard of");
        assert!(seat.give_up());
        assert!(seat.begin().is_none());
        assert!(!seat.give_up(), "only once");
    }

    #[test]
    fn nothing_asked_yet_goes_before_the_longest_silence() {
        let of = |fresh, seconds| Silence { fresh, lasts: Duration::from_secs(seconds) };
        let mut all = [of(false, 90), of(true, 1), of(true, 5), of(false, 1)];
        all.sort();
        assert_eq!(all, [of(false, 1), of(false, 90), of(true, 1), of(true, 5)]);
    }
}
