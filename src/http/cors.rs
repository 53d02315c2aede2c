//! Cross-origin requests of browsers: an allow-list, without credentials.
//!
//! A page of an origin that is not allowed cannot read an answer and gets no preflight through. That
//! keeps nobody from sending who is no browser: write keys do.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};

use super::problem::Problem;

/// Headers that a page may send; the safelisted ones need no mention.
const SENT: &str = "authorization, content-encoding, content-type, idempotency-key, prefer, x-api-key, \
                    ce-id, ce-source, ce-specversion, ce-subject, ce-time, ce-type";
/// Headers of answers that a page may read.
const READ: &str =
    "preference-applied, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after";
/// How long a browser may remember a preflight, in seconds: ten minutes, as long as the strictest do.
const REMEMBERED_S: &str = "600";

type Allows = dyn Fn(&str) -> bool + Send + Sync;

/// Which origins' pages may talk to a listener.
#[derive(Clone)]
pub struct Cors(Arc<Allows>);

impl Cors {
    /// Allows the origins (`https://shop.example`) for which `allows` is true.
    pub fn new(allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allows))
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| (self.0)(origin))
    }

    /// Answers a preflight, which no handler sees.
    pub(super) fn preflight<B>(&self, request: &Request<B>) -> Option<Response> {
        let headers = request.headers();
        let origin = headers.get(ORIGIN)?;
        if request.method() != Method::OPTIONS
            || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        if !self.allows(origin) {
            let detail = "pages of this origin are not allowed: an operator allows them with cors.origins \
                          or in a key";
            let mut response =
                Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail).into_response();
            response.headers_mut().insert(VARY, HeaderValue::from_static("origin"));
            return Some(response);
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let told = response.headers_mut();
        told.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        told.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(SENT));
        told.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED_S));
        mark(told, origin.clone());
        Some(response)
    }

    /// Returns the origin of a request whose answer a page may read.
    pub(super) fn origin_of(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        headers.get(ORIGIN).filter(|origin| self.allows(origin)).cloned()
    }
}

/// Lets a page of this origin read the answer.
pub(super) fn mark(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    headers.append(VARY, HeaderValue::from_static("origin"));
}

impl fmt::Debug for Cors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Cors")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri("/ingest");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    fn cors() -> Cors {
        Cors::new(|origin| origin == "https://shop.example")
    }

    #[test]
    fn a_preflight_of_an_allowed_origin_is_told_what_it_may() {
        let asked = [("origin", "https://shop.example"), ("access-control-request-method", "POST")];
        let answer = cors().preflight(&request(Method::OPTIONS, &asked)).expect("a preflight");
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let headers = answer.headers();
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");
        assert_eq!(headers[VARY], "origin");
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }

    #[test]
    fn a_preflight_of_another_is_refused_and_names_nobody() {
        for origin in ["https://evil.example", "null", "https://shop.example.evil.example"] {
            let asked = [("origin", origin), ("access-control-request-method", "POST")];
            let answer = cors().preflight(&request(Method::OPTIONS, &asked)).expect("a preflight");
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
            assert!(!answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{origin}");
        }
    }

    #[test]
    fn what_is_no_preflight_goes_to_its_handler() {
        let post = request(Method::POST, &[("origin", "https://shop.example")]);
        assert!(cors().preflight(&post).is_none());
        assert!(cors().origin_of(post.headers()).is_some());
        let options = request(Method::OPTIONS, &[("origin", "https://shop.example")]);
        assert!(cors().preflight(&options).is_none());
        let other = request(Method::POST, &[("origin", "https://evil.example")]);
        assert!(cors().origin_of(other.headers()).is_none());
    }
}
