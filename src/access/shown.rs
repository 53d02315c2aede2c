//! What a request shows of whom it comes from. Pure.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, ORIGIN, REFERER};
use http::{HeaderMap, HeaderName};

use crate::limits::SHOWN_KEY_BYTES;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// In a query, for those who can set no header: pictures, beacons, and what speaks as GA4's clients do.
const PARAMETERS: [&str; 2] = ["key", "api_secret"];

/// The headers and the query of a request.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub headers: &'a HeaderMap,
    pub query: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// Returns the key or token that is shown: as `Authorization: Bearer`, as the user or the password of `Basic`,
    /// as `X-Api-Key`, or in the query.
    pub(super) fn key(&self) -> Option<Cow<'a, str>> {
        let key = self.authorization().or_else(|| self.text(&API_KEY).map(Cow::Borrowed));
        key.or_else(|| self.parameter().map(Cow::Borrowed))
            .filter(|key| !key.is_empty() && key.len() <= SHOWN_KEY_BYTES)
    }

    fn authorization(&self) -> Option<Cow<'a, str>> {
        let (scheme, rest) = self.text(&AUTHORIZATION)?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Cow::Borrowed(rest.trim()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Cow::Owned(if user.is_empty() { password } else { user }.to_owned()))
    }

    fn parameter(&self) -> Option<&'a str> {
        let pairs = self.query?.split('&').filter_map(|pair| pair.split_once('='));
        let mut found = pairs.filter(|(name, _)| PARAMETERS.contains(name));
        found.next().map(|(_, value)| value)
    }

    /// Tells whether the page that sends this is of one of these origins. One that tells no `Origin`, as a picture,
    /// is known by its `Referer`; who tells neither is no page.
    pub(super) fn comes_from(&self, mut is_allowed: impl FnMut(&str) -> bool) -> bool {
        if let Some(origin) = self.text(&ORIGIN) {
            return is_allowed(origin);
        }
        self.text(&REFERER).and_then(origin_of).is_some_and(is_allowed)
    }

    fn text(&self, name: &HeaderName) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The origin of an address: scheme, host and port.
fn origin_of(address: &str) -> Option<&str> {
    let host = address.find("://")? + 3;
    let end = address[host..].find('/').map_or(address.len(), |slash| host + slash);
    Some(&address[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    fn key(pairs: &[(&'static str, &str)], query: Option<&str>) -> Option<String> {
        let headers = headers(pairs);
        Shown { headers: &headers, query }.key().map(Cow::into_owned)
    }

    #[test]
    fn a_key_is_found_wherever_clients_put_it() {
        let shown = Some("weir_a_b".to_owned());
        assert_eq!(key(&[("authorization", "Bearer weir_a_b")], None), shown);
        assert_eq!(key(&[("authorization", "bearer  weir_a_b ")], None), shown);
        // The user of Basic, without a password: what libraries that take a write key send.
        assert_eq!(key(&[("authorization", "Basic d2Vpcl9hX2I6")], None), shown);
        assert_eq!(key(&[("authorization", "Basic OndlaXJfYV9i")], None), shown);
        assert_eq!(key(&[("x-api-key", "weir_a_b")], None), shown);
        assert_eq!(key(&[], Some("userId=u&key=weir_a_b")), shown);
        assert_eq!(key(&[], Some("api_secret=weir_a_b&measurement_id=G-1")), shown);
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(key(&[], None), None);
        assert_eq!(key(&[("authorization", "Digest x")], Some("akey=1")), None);
        assert_eq!(key(&[("authorization", "Basic !!")], None), None);
        assert_eq!(key(&[("x-api-key", &"x".repeat(SHOWN_KEY_BYTES + 1))], None), None);
        assert_eq!(key(&[], Some("key=")), None);
    }

    #[test]
    fn a_page_is_known_by_its_origin_or_else_by_its_address() {
        let from = |pairs: &[(&'static str, &str)]| {
            let headers = headers(pairs);
            Shown { headers: &headers, query: None }
                .comes_from(|origin| origin == "https://shop.example")
        };
        assert!(from(&[("origin", "https://shop.example")]));
        assert!(from(&[("referer", "https://shop.example/tea?x=1")]));
        assert!(from(&[("referer", "https://shop.example")]));
        assert!(!from(&[("origin", "https://evil.example"), ("referer", "https://shop.example/")]));
        assert!(!from(&[("referer", "https://shop.example.evil.example/")]));
        assert!(!from(&[]));
    }
}
