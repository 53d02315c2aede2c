//! What one request meets before its handler: the `Host` rule, the fast path, the router.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::{Request, StatusCode, Version};
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
        request: Request<Incoming>,
        client: ClientAddress,
    ) -> Response<Body> {
        if let Some(problem) = refuse(&request) {
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

/// Refuses HTTP/1.1 without exactly one `Host` (RFC 9112, 3.2): proxies disagree on what it means.
fn refuse<B>(request: &Request<B>) -> Option<Problem> {
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    if hosts.next().is_some() && hosts.next().is_none() {
        return None;
    }
    let detail = "an HTTP/1.1 request has exactly one Host header";
    Some(Problem::new(StatusCode::BAD_REQUEST, "host_required", detail).close())
}

fn not_found() -> Problem {
    let detail = "there is nothing at this path";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

fn method_not_allowed() -> Problem {
    let detail = "this path does not take this method; the Allow header lists those it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
