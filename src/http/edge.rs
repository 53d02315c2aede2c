//! What one request meets before its handler: the `Host` rule, the fast path, the router.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::client::ClientAddress;
use super::cors::{Cors, mark};
use super::problem::Problem;

/// The answer that a fast path promises.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

type Takes = dyn Fn(&Request<Incoming>) -> bool + Send + Sync;
type Answers = dyn Fn(Request<Incoming>, ClientAddress) -> Answer + Send + Sync;

/// The one hot route, answered without the router.
struct FastPath {
    takes: Box<Takes>,
    answer: Box<Answers>,
}

/// What a listener serves: a router, and perhaps a fast path for the one hot route.
///
/// Unknown routes answer 404, and known ones with another method 405 with `Allow`, as problems.
#[derive(Clone)]
pub struct App {
    router: TowerToHyperService<Router>,
    fast: Option<Arc<FastPath>>,
    cors: Option<Cors>,
}

impl App {
    /// Serves `router`, with its fallbacks replaced by problems.
    pub fn new(router: Router) -> Self {
        let router = router
            .fallback(async || not_found())
            .method_not_allowed_fallback(async || method_not_allowed());
        Self { router: TowerToHyperService::new(router), fast: None, cors: None }
    }

    /// Has `answer` serve every request that `takes` wants, and the router the others.
    ///
    /// It saves the routing and its allocations. `takes` sees every request, so it must be cheap; what it
    /// wants must answer as the router would, wrong methods included.
    #[must_use]
    pub fn fast_path<T, A>(mut self, takes: T, answer: A) -> Self
    where
        T: Fn(&Request<Incoming>) -> bool + Send + Sync + 'static,
        A: Fn(Request<Incoming>, ClientAddress) -> Answer + Send + Sync + 'static,
    {
        self.fast = Some(Arc::new(FastPath { takes: Box::new(takes), answer: Box::new(answer) }));
        self
    }

    /// Lets pages of other origins in, as far as `cors` does; without it none can read an answer.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
        client: ClientAddress,
    ) -> Response<Body> {
        if let Err(problem) = settle_host(&mut request) {
            return problem.into_response();
        }
        let Some(cors) = &self.cors else { return self.route(request, client).await };
        if let Some(preflight) = cors.preflight(&request) {
            return preflight;
        }
        let origin = cors.origin_of(request.headers());
        let mut response = self.route(request, client).await;
        if let Some(origin) = origin {
            mark(response.headers_mut(), origin);
        }
        response
    }

    async fn route(&self, mut request: Request<Incoming>, client: ClientAddress) -> Response<Body> {
        if let Some(fast) = &self.fast
            && (fast.takes)(&request)
        {
            return (fast.answer)(request, client).await;
        }
        request.extensions_mut().insert(client);
        match self.router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("App").field("fast", &self.fast.is_some()).finish_non_exhaustive()
    }
}

/// Holds that a request names exactly one host, since proxies disagree on what anything else means (RFC 9112,
/// 3.2; RFC 9113, 8.3.1). Over HTTP/2, handlers find it in `Host` too. HTTP/1.0 may name none.
fn settle_host<B>(request: &mut Request<B>) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let authority = request.uri().authority();
    let agree = |host: &HeaderValue, authority: &Authority| {
        host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
    };
    match (first, second, authority) {
        (Some(_), None, None) => Ok(()),
        (Some(host), None, Some(authority)) if agree(host, authority) => Ok(()),
        (None, None, Some(authority))
            if request.version() == Version::HTTP_2 && !authority.as_str().contains('@') =>
        {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| host_required())?;
            request.headers_mut().insert(HOST, host);
            Ok(())
        }
        (None, None, _) if request.version() < Version::HTTP_11 => Ok(()),
        _ => Err(host_required()),
    }
}

fn host_required() -> Problem {
    let detail = "a request names exactly one host";
    Problem::new(StatusCode::BAD_REQUEST, "host_required", detail).close()
}

fn not_found() -> Problem {
    let detail = "there is nothing at this path";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

fn method_not_allowed() -> Problem {
    let detail = "this path does not take this method; the Allow header lists those it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a request: its `Host`, or the refusal.
    fn settled(version: Version, uri: &str, hosts: &[&str]) -> Result<String, &'static str> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let mut request = request.body(()).expect("a request");
        settle_host(&mut request).map_err(|problem| problem.code())?;
        let host = request.headers().get(HOST).map(|host| host.to_str().expect("ASCII").to_owned());
        Ok(host.unwrap_or_default())
    }

    #[test]
    fn a_request_names_one_host_in_whatever_form_its_version_has() {
        use http::Version as V;
        let refused = Err("host_required");
        assert_eq!(settled(V::HTTP_11, "/", &["a"]), Ok("a".into()));
        assert_eq!(settled(V::HTTP_11, "/", &[]), refused);
        assert_eq!(settled(V::HTTP_11, "/", &["a", "a"]), refused);
        assert_eq!(settled(V::HTTP_11, "http://A:80/", &["a:80"]), Ok("a:80".into()));
        assert_eq!(settled(V::HTTP_11, "http://b/", &["a"]), refused);
        assert_eq!(settled(V::HTTP_11, "http://b/", &[]), refused);
        assert_eq!(settled(V::HTTP_10, "/", &[]), Ok(String::new()));
        assert_eq!(settled(V::HTTP_10, "/", &["a", "b"]), refused);
        assert_eq!(settled(V::HTTP_2, "https://a/", &[]), Ok("a".into()));
        assert_eq!(settled(V::HTTP_2, "https://a/", &["a"]), Ok("a".into()));
        assert_eq!(settled(V::HTTP_2, "https://a/", &["b"]), refused);
        assert_eq!(settled(V::HTTP_2, "/", &["b"]), Ok("b".into()));
        assert_eq!(settled(V::HTTP_2, "/", &[]), refused);
        assert_eq!(settled(V::HTTP_2, "https://user@a/", &[]), refused);
    }
}
