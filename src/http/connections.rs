//! The open connections, in total and a peer: over a limit, a new one takes the place of a silent one.
//!
//! Nobody scans them all: each look goes on where the last one ended, over a handful.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seat::{NOWHERE, Seat};
use crate::limits::HTTP_LOOKED_AT;

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Total,
    Peer,
}

impl Refusal {
    /// Returns the value of the metric's label `reason`.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Peer => "peer",
        }
    }
}

/// The open connections of one listener; a cheap handle.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    table: Arc<Mutex<Table>>,
    max_total: usize,
    max_per_peer: usize,
}

#[derive(Debug, Default)]
struct Table {
    all: Ring<0>,
    peers: HashMap<IpAddr, Ring<1>>,
    given_up: u64,
}

/// One counted connection; dropping it frees its place.
#[derive(Debug)]
pub(super) struct Admission {
    table: Arc<Mutex<Table>>,
    seat: Arc<Seat>,
}

impl Admission {
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Connections {
    pub fn new(max_total: usize, max_per_peer: usize) -> Self {
        Self { table: Arc::default(), max_total, max_per_peer }
    }

    /// Takes a place for a connection of `peer`, or says at which limit all are busy. A trusted proxy's is
    /// counted in the total alone, since it carries those of many.
    pub fn admit(&self, peer: IpAddr, trusted: bool) -> Result<Admission, Refusal> {
        let peer = (!trusted).then(|| peer_key(peer));
        let mut table = lock(&self.table);
        if let Some(peer) = peer
            && let Some(own) = table.peers.get_mut(&peer)
            && own.members.len() >= self.max_per_peer
        {
            let silent = own.give_up_one().ok_or(Refusal::Peer)?;
            table.forget(&silent);
        }
        if table.all.members.len() >= self.max_total {
            let silent = table.all.give_up_one().ok_or(Refusal::Total)?;
            table.forget(&silent);
        }
        let seat = Arc::new(Seat::new(peer));
        table.all.push(&seat);
        if let Some(peer) = peer {
            table.peers.entry(peer).or_default().push(&seat);
        }
        Ok(Admission { table: self.table.clone(), seat })
    }

    /// Gives up a silent connection, if one is found, as when the process is out of files.
    pub fn give_up_one(&self) -> bool {
        let mut table = lock(&self.table);
        let silent = table.all.give_up_one();
        if let Some(silent) = &silent {
            table.forget(silent);
        }
        silent.is_some()
    }

    /// Returns how many connections are open now.
    pub fn open(&self) -> usize {
        lock(&self.table).all.members.len()
    }

    /// Returns how many silent ones were given up so far.
    pub fn given_up(&self) -> u64 {
        lock(&self.table).given_up
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    /// Frees the place of a connection that was given up.
    fn forget(&mut self, seat: &Seat) {
        self.given_up += 1;
        self.remove(seat);
    }

    fn remove(&mut self, seat: &Seat) {
        self.all.remove(seat);
        if let Some(peer) = &seat.peer
            && let Some(own) = self.peers.get_mut(peer)
        {
            own.remove(seat);
            if own.members.is_empty() {
                self.peers.remove(peer);
            }
        }
    }
}

/// Connections in any order, and where the next look begins. `PLACE` is the seat's place for it.
#[derive(Debug, Default)]
struct Ring<const PLACE: usize> {
    members: Vec<Arc<Seat>>,
    hand: usize,
}

impl<const PLACE: usize> Ring<PLACE> {
    fn push(&mut self, seat: &Arc<Seat>) {
        seat.places[PLACE].store(self.members.len(), Ordering::Relaxed);
        self.members.push(seat.clone());
    }

    /// Removes a seat if it is there; the last one takes its place.
    fn remove(&mut self, seat: &Seat) {
        let place = seat.places[PLACE].swap(NOWHERE, Ordering::Relaxed);
        if place == NOWHERE {
            return;
        }
        self.members.swap_remove(place);
        if let Some(moved) = self.members.get(place) {
            moved.places[PLACE].store(place, Ordering::Relaxed);
        }
    }

    /// Ends the most silent of the next handful, and returns it. It stays in its rings.
    fn give_up_one(&mut self) -> Option<Arc<Seat>> {
        let (count, begin) = (self.members.len(), self.hand);
        let looked = count.min(HTTP_LOOKED_AT);
        self.hand = (begin + looked) % count.max(1);
        let mut silent: Vec<_> = (begin..begin + looked)
            .map(|place| &self.members[place % count])
            .filter_map(|seat| Some((seat.expendable()?, seat)))
            .collect();
        silent.sort_unstable_by_key(|(silence, _)| *silence);
        // One in which a request begins at this moment is passed by.
        silent.into_iter().rev().map(|(_, seat)| seat).find(|seat| seat.give_up()).cloned()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        lock(&self.table).remove(&self.seat);
    }
}

/// Returns what counts as one peer: an IPv4 address, or an IPv6 /64, which one host owns whole.
fn peer_key(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(prefix.into())
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Has a request of each begin, so that none is silent.
    fn busy(admission: Admission) -> Admission {
        std::mem::forget(admission.seat().begin());
        admission
    }

    fn admit(connections: &Connections, peer: &str) -> Result<Admission, Refusal> {
        connections.admit(ip(peer), false)
    }

    #[test]
    fn where_all_are_busy_a_place_is_free_again_when_a_connection_ends() {
        let connections = Connections::new(3, 2);
        let first = busy(admit(&connections, "10.0.0.1").unwrap());
        let _second = busy(admit(&connections, "10.0.0.1").unwrap());
        assert_eq!(admit(&connections, "10.0.0.1").unwrap_err(), Refusal::Peer);
        let _other = busy(admit(&connections, "10.0.0.2").unwrap());
        assert_eq!(admit(&connections, "10.0.0.3").unwrap_err(), Refusal::Total);
        drop(first);
        assert_eq!(connections.open(), 2);
        admit(&connections, "10.0.0.1").unwrap();
        assert_eq!(connections.given_up(), 0);
    }

    #[test]
    fn a_new_connection_takes_the_place_of_a_silent_one_of_its_peer_or_of_anybody() {
        let connections = Connections::new(3, 2);
        let silent = admit(&connections, "10.0.0.1").unwrap();
        let _busy = busy(admit(&connections, "10.0.0.1").unwrap());
        let other = admit(&connections, "10.0.0.2").unwrap();
        let _third = busy(admit(&connections, "10.0.0.1").unwrap());
        assert!(silent.seat().begin().is_none(), "it gave its place to the third");
        assert!(other.seat().silence().is_some(), "of another peer, and there was room");
        let _fourth = busy(admit(&connections, "10.0.0.3").unwrap());
        assert!(other.seat().begin().is_none());
        assert_eq!((connections.open(), connections.given_up()), (3, 2));
        drop((silent, other));
        assert_eq!(connections.open(), 3, "their places were given away");
        assert_eq!(admit(&connections, "10.0.0.4").unwrap_err(), Refusal::Total);
    }

    #[test]
    fn the_one_that_was_silent_longest_goes_first() {
        let connections = Connections::new(3, 3);
        let all: Vec<_> = (0..3).map(|_| admit(&connections, "10.0.0.1").unwrap()).collect();
        let mut new = Vec::new();
        for old in &all {
            assert!(old.seat().silence().is_some());
            new.push(busy(admit(&connections, "10.0.0.1").unwrap()));
            assert!(old.seat().begin().is_none());
        }
    }

    #[test]
    fn a_trusted_proxy_counts_in_the_total_alone() {
        let connections = Connections::new(3, 1);
        let admit = || connections.admit(ip("10.0.0.1"), true).map(busy);
        let _all = [admit().unwrap(), admit().unwrap(), admit().unwrap()];
        assert_eq!(admit().unwrap_err(), Refusal::Total);
    }

    #[test]
    fn a_look_is_bounded_and_the_next_goes_on_from_there() {
        let count = 4 * HTTP_LOOKED_AT;
        let connections = Connections::new(count, count);
        let mut all: Vec<_> =
            (0..count).map(|_| admit(&connections, "10.0.0.1").unwrap()).collect();
        let silent = all.pop().unwrap();
        let _busy: Vec<_> = all.into_iter().map(busy).collect();
        let refused = (0..8).take_while(|_| admit(&connections, "10.0.0.2").is_err()).count();
        assert_eq!(refused, 3);
        assert!(silent.seat().begin().is_none());
    }

    #[test]
    fn one_ipv6_network_and_mapped_ipv4_count_as_one_peer() {
        assert_eq!(peer_key(ip("2001:db8::1")), peer_key(ip("2001:db8::ff:2")));
        assert_ne!(peer_key(ip("2001:db8::1")), peer_key(ip("2001:db8:0:1::1")));
        assert_eq!(peer_key(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
    }

    proptest! {
        #[test]
        fn the_table_holds_who_is_open_and_never_more_than_the_limits(
            steps in prop::collection::vec((0_u8..4, 0_u8..3, any::<bool>()), 0..200),
        ) {
            let connections = Connections::new(8, 4);
            let mut open: Vec<Admission> = Vec::new();
            for (what, peer, busies) in steps {
                if what > 0 {
                    let admitted = connections.admit(IpAddr::from([10, 0, 0, peer]), peer == 0);
                    open.extend(admitted.map(|new| if busies { busy(new) } else { new }));
                } else if !open.is_empty() {
                    open.swap_remove(usize::from(peer) % open.len());
                }
                let table = lock(&connections.table);
                let here = |seat: &Arc<Seat>| seat.places[0].load(Ordering::Relaxed) != NOWHERE;
                let known = open.iter().filter(|admission| here(&admission.seat)).count();
                prop_assert_eq!(table.all.members.len(), known);
                prop_assert!(known <= 8);
                for (place, seat) in table.all.members.iter().enumerate() {
                    prop_assert_eq!(seat.places[0].load(Ordering::Relaxed), place);
                }
                for ring in table.peers.values() {
                    prop_assert!((1..=4).contains(&ring.members.len()));
                }
            }
            open.clear();
            prop_assert_eq!(connections.open(), 0);
            prop_assert!(lock(&connections.table).peers.is_empty());
        }
    }
}
