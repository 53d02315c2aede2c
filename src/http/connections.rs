//! Counts open connections, in total and a peer, and refuses what is over the limits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

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

#[derive(Debug)]
struct Counts {
    total: usize,
    peers: HashMap<IpAddr, usize>,
}

/// The open connections of one listener; a cheap handle.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    counts: Arc<Mutex<Counts>>,
    max_total: usize,
    max_per_peer: usize,
}

/// One counted connection; dropping it frees its place.
#[derive(Debug)]
pub(super) struct Admission {
    connections: Connections,
    peer: IpAddr,
}

impl Connections {
    pub(super) fn new(max_total: usize, max_per_peer: usize) -> Self {
        let counts = Counts { total: 0, peers: HashMap::new() };
        Self { counts: Arc::new(Mutex::new(counts)), max_total, max_per_peer }
    }

    /// Takes a place for a connection of `peer`, or says which limit is reached.
    pub(super) fn admit(&self, peer: IpAddr) -> Result<Admission, Refusal> {
        let peer = peer_key(peer);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.max_total {
            return Err(Refusal::Total);
        }
        let of_peer = counts.peers.get(&peer).copied().unwrap_or(0);
        if of_peer >= self.max_per_peer {
            return Err(Refusal::Peer);
        }
        counts.total += 1;
        counts.peers.insert(peer, of_peer + 1);
        Ok(Admission { connections: self.clone(), peer })
    }

    /// Returns how many connections are open now.
    pub(super) fn open(&self) -> usize {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        if let Some(of_peer) = counts.peers.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                counts.peers.remove(&self.peer);
            }
        }
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
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let connections = Connections::new(3, 2);
        let first = connections.admit(ip("10.0.0.1")).unwrap();
        let _second = connections.admit(ip("10.0.0.1")).unwrap();
        assert_eq!(connections.admit(ip("10.0.0.1")).unwrap_err(), Refusal::Peer);
        let _other = connections.admit(ip("10.0.0.2")).unwrap();
        assert_eq!(connections.admit(ip("10.0.0.3")).unwrap_err(), Refusal::Total);
        drop(first);
        assert_eq!(connections.open(), 2);
        connections.admit(ip("10.0.0.1")).unwrap();
    }

    #[test]
    fn one_ipv6_network_and_mapped_ipv4_count_as_one_peer() {
        assert_eq!(peer_key(ip("2001:db8::1")), peer_key(ip("2001:db8::ff:2")));
        assert_ne!(peer_key(ip("2001:db8::1")), peer_key(ip("2001:db8:0:1::1")));
        assert_eq!(peer_key(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
    }
}
