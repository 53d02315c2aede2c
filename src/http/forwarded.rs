//! Whom a trusted proxy speaks for (pure).
//!
//! A client can write any header; only what the nearest trusted proxy has added at its right end is known.
//! One header counts, the one that is configured: a proxy that adds to one passes the other on as it came.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header to which proxies add who has asked them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedBy {
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// The proxies that are trusted to say for whom they ask. Clones are cheap.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    networks: Arc<[IpNet]>,
    by: ForwardedBy,
}

impl Proxies {
    pub fn new(networks: impl IntoIterator<Item = IpNet>, by: ForwardedBy) -> Self {
        Self { networks: networks.into_iter().collect(), by }
    }

    /// Tells whether an address is a trusted proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        !self.networks.is_empty() && {
            let address = address.to_canonical();
            self.networks.iter().any(|network| network.contains(&address))
        }
    }

    /// Returns who asks a trusted `peer`: the right-most address that is no trusted proxy's. What cannot be read
    /// hides whatever stands left of it, and the proxy that has passed it on counts as the client.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let name = match self.by {
            ForwardedBy::XForwardedFor => &X_FORWARDED_FOR,
            ForwardedBy::Forwarded => &FORWARDED,
        };
        let mut nearest = peer.to_canonical();
        for value in headers.get_all(name).iter().rev() {
            for hop in value.as_bytes().rsplit(|byte| *byte == b',') {
                let Some(address) = self.address(hop) else { return nearest };
                nearest = address.to_canonical();
                if !self.trusts(nearest) {
                    return nearest;
                }
            }
        }
        nearest
    }

    fn address(&self, hop: &[u8]) -> Option<IpAddr> {
        let hop = str::from_utf8(hop).ok()?.trim();
        match self.by {
            ForwardedBy::XForwardedFor => parse(hop),
            ForwardedBy::Forwarded => hop
                .split(';')
                .filter_map(|pair| pair.trim().split_once('='))
                .find(|(name, _)| name.eq_ignore_ascii_case("for"))
                .and_then(|(_, node)| parse(node.trim_matches('"'))),
        }
    }
}

/// Reads an address with or without a port; an IPv6 address may stand in brackets.
fn parse(node: &str) -> Option<IpAddr> {
    let bare = || node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn proxies(by: ForwardedBy) -> Proxies {
        Proxies::new(["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()), by)
    }

    fn client(by: ForwardedBy, values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            let name = if by == ForwardedBy::Forwarded { FORWARDED } else { X_FORWARDED_FOR };
            headers.append(name, value);
        }
        proxies(by).client("10.0.0.1".parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_right_most_address_that_is_no_proxys_counts() {
        let by = |values: &[&str]| client(ForwardedBy::XForwardedFor, values);
        assert_eq!(by(&["203.0.113.9"]), "203.0.113.9");
        assert_eq!(by(&["6.6.6.6, 203.0.113.9"]), "203.0.113.9", "the client wrote the first");
        assert_eq!(by(&["6.6.6.6", "203.0.113.9, 10.9.9.9"]), "203.0.113.9");
        assert_eq!(by(&["203.0.113.9,fd00::7 ,10.2.2.2"]), "203.0.113.9");
        assert_eq!(by(&[]), "10.0.0.1");
        assert_eq!(by(&["10.3.3.3, 10.2.2.2"]), "10.3.3.3", "a proxy asks for itself");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_read() {
        let by = |value: &str| client(ForwardedBy::XForwardedFor, &[value]);
        assert_eq!(by("203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(by("2001:db8::9"), "2001:db8::9");
        assert_eq!(by("[2001:db8::9]"), "2001:db8::9");
        assert_eq!(by("[2001:db8::9]:4711"), "2001:db8::9");
        assert_eq!(by("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(by("203.0.113.9, ::ffff:10.1.1.1"), "203.0.113.9");
    }

    #[test]
    fn what_cannot_be_read_hides_what_stands_left_of_it() {
        let by = |value: &str| client(ForwardedBy::XForwardedFor, &[value]);
        for garbage in ["unknown", "", "1.2.3", "1.2.3.4:99999", "fe80::1%eth0", "\u{fc}"] {
            assert_eq!(by(&format!("203.0.113.9, {garbage}")), "10.0.0.1", "{garbage}");
            assert_eq!(by(&format!("203.0.113.9, {garbage}, 10.5.5.5")), "10.5.5.5", "{garbage}");
        }
    }

    #[test]
    fn the_standard_header_is_read_where_it_is_the_one() {
        let by = |values: &[&str]| client(ForwardedBy::Forwarded, values);
        assert_eq!(by(&["for=203.0.113.9;proto=https;by=10.0.0.1"]), "203.0.113.9");
        assert_eq!(by(&["For=\"[2001:db8::9]:4711\""]), "2001:db8::9");
        assert_eq!(by(&["for=6.6.6.6, proto=https; for=203.0.113.9, for=10.2.2.2"]), "203.0.113.9");
        assert_eq!(by(&["for=203.0.113.9, for=_hidden"]), "10.0.0.1");
        assert_eq!(by(&["for=203.0.113.9, proto=https"]), "10.0.0.1");
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED, HeaderValue::from_static("for=6.6.6.6"));
        let other = proxies(ForwardedBy::XForwardedFor);
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(other.client(peer, &headers), peer, "the other header does not count");
    }

    #[test]
    fn nobody_is_trusted_unless_named() {
        let peer = "10.0.0.1".parse().unwrap();
        assert!(!Proxies::default().trusts(peer));
        assert!(proxies(ForwardedBy::Forwarded).trusts("::ffff:10.0.0.1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn nothing_a_client_writes_changes_who_it_is(written in "[ -~]{0,80}") {
            let by = |values: &[&str]| client(ForwardedBy::XForwardedFor, values);
            prop_assert_eq!(by(&[&format!("{written}, 203.0.113.9")]), "203.0.113.9");
            prop_assert_eq!(by(&[&written, "203.0.113.9, 10.1.1.1"]), "203.0.113.9");
        }
    }
}
