//! Who may operate: the token, and nobody whom a browser was led to send.
//!
//! A page that somebody opens can make a browser send requests to a listener on loopback. It cannot set the
//! content type of JSON without asking first, cannot hide where it comes from, and cannot make a name that is
//! not ours arrive as ours.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::access::{Access, Denied, Scope, Shown};
use crate::clock;
use crate::http::Problem;
use crate::secret::SecretSource;

/// Admits requests of operators.
#[derive(Clone)]
pub(super) struct Guard {
    token: Option<SecretSource>,
    access: Access,
    /// Whoever connects has shown a certificate.
    certified: bool,
    /// The host of the listener's address, as it is configured.
    host: String,
}

impl Guard {
    /// Admits whoever shows the token or a key of operators, and everybody if neither is asked for.
    pub fn new(token: Option<SecretSource>, access: Access, listen: &str) -> Self {
        Self { token, access, certified: false, host: host_of(listen).to_ascii_lowercase() }
    }

    /// Takes a certificate that was shown for a sign of not being led here by a name.
    #[must_use]
    pub fn certified(mut self, certified: bool) -> Self {
        self.certified = certified;
        self
    }

    /// Admits a request, or says why not. `tells` of users: what a page must not read under a name of its own.
    pub fn admit(&self, method: &Method, headers: &HeaderMap, tells: bool) -> Result<(), Problem> {
        self.check_token(headers)?;
        let reads = method == Method::GET || method == Method::HEAD;
        if tells || !reads {
            self.check_host(headers)?;
        }
        if reads {
            return Ok(());
        }
        check_origin(headers)?;
        check_type(headers)
    }

    /// The file of a token is read anew each time, so one that was replaced counts.
    fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.access.is_open() || self.shows_token(headers)? {
            return Ok(());
        }
        let shown = Shown { headers, query: None };
        match self.access.admit(Scope::Admin, &shown, clock::now_ms()) {
            Ok(_) => Ok(()),
            Err(Denied::Missing | Denied::Wrong) => Err(unauthorized()),
            Err(other) => Err(other.into()),
        }
    }

    fn shows_token(&self, headers: &HeaderMap) -> Result<bool, Problem> {
        let Some(source) = &self.token else { return Ok(false) };
        let token = source.read().map_err(|error| {
            tracing::error!(%error, "the admin token cannot be read, so nobody is admitted");
            let detail = "the token of this listener cannot be read; its log says why";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "token_unreadable", detail)
        })?;
        let shown = text(headers, &AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
        Ok(same(shown, token.expose()))
    }

    fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = host_of(text(headers, &HOST)).to_ascii_lowercase();
        let known = host == "localhost" || host == self.host || is_address(&host);
        // Whoever has the token was not led here by a name.
        if known || self.certified || !self.access.is_open() {
            return Ok(());
        }
        let detail = "the Host header names another host than this listener's: use its address, \
                      localhost, or set admin.token";
        Err(Problem::new(StatusCode::FORBIDDEN, "foreign_host", detail))
    }
}

fn unauthorized() -> Problem {
    let detail = "this listener asks for its token, or for a key of operators: Authorization: Bearer …, which \
                  the commands take from WEIR_ADMIN_TOKEN_FILE";
    let challenge = HeaderValue::from_static("Bearer");
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .header(http::header::WWW_AUTHENTICATE, challenge)
}

fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let origin = text(headers, &ORIGIN);
    let own = origin.split_once("://").is_some_and(|(_, of)| of == text(headers, &HOST));
    if origin.is_empty() || own {
        return Ok(());
    }
    let detail = "requests of pages of another origin are not taken";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail))
}

/// A body that a form could send is not taken for JSON.
fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = text(headers, &CONTENT_TYPE);
    let kind = given.split(';').next().unwrap_or_default().trim();
    if kind.is_empty() || kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "send JSON, as Content-Type: application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The host of `host:port`; of an IPv6 address, what stands in its brackets.
fn host_of(address: &str) -> &str {
    if let Some(rest) = address.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// Compares in a time that does not depend on where they differ.
fn same(shown: &str, token: &str) -> bool {
    let hash = |text: &str| blake3::hash(text.as_bytes());
    hash(shown) == hash(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn told(guard: &Guard, method: &Method, headers: &[(&'static str, &str)]) -> &'static str {
        told_of(guard, method, headers, false)
    }

    fn told_of(
        guard: &Guard,
        method: &Method,
        headers: &[(&'static str, &str)],
        tells: bool,
    ) -> &'static str {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("valid"))
        });
        guard.admit(method, &headers.collect(), tells).err().map_or("", |problem| problem.code())
    }

    #[test]
    fn whoever_reaches_a_listener_without_a_token_operates_unless_a_page_has_sent_it() {
        let guard = Guard::new(None, Access::open(), "admin.internal:8081");
        let post = |headers| told(&guard, &Method::POST, headers);
        assert_eq!(post(&[("host", "127.0.0.1:8081")]), "");
        assert_eq!(post(&[("host", "[::1]:8081")]), "");
        assert_eq!(post(&[("host", "localhost:8081")]), "");
        assert_eq!(post(&[("host", "Admin.Internal:8081")]), "");
        assert_eq!(post(&[("host", "evil.example:8081")]), "foreign_host");
        let evil = [("host", "evil.example:8081")];
        assert_eq!(told(&guard, &Method::GET, &evil), "");
        assert_eq!(told_of(&guard, &Method::GET, &evil, true), "foreign_host");
        let page = [("host", "127.0.0.1:8081"), ("origin", "http://evil.example")];
        assert_eq!(post(&page), "foreign_origin");
        assert_eq!(post(&[("host", "127.0.0.1:8081"), ("origin", "http://127.0.0.1:8081")]), "");
        let form = [("host", "127.0.0.1"), ("content-type", "text/plain")];
        assert_eq!(post(&form), "unsupported_media_type");
        let json = [("host", "127.0.0.1"), ("content-type", "application/json; charset=utf-8")];
        assert_eq!(post(&json), "");
    }

    #[test]
    fn a_token_is_asked_of_everybody() {
        let source = SecretSource::Value(Secret::new("open sesame"));
        let guard = Guard::new(Some(source), Access::new(None, None), "0.0.0.0:8081");
        for method in [Method::GET, Method::POST] {
            let told = |headers| told(&guard, &method, headers);
            assert_eq!(told(&[("host", "weir.internal")]), "unauthorized");
            let wrong = [("host", "weir.internal"), ("authorization", "Bearer open")];
            assert_eq!(told(&wrong), "unauthorized");
            let right = [("host", "weir.internal"), ("authorization", "Bearer open sesame")];
            assert_eq!(told(&right), "");
        }
    }
}
