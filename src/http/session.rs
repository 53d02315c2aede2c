//! What all requests of one connection share: what is served, the seat, and who the peer is.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};

use super::answered::Answered;
use super::client::ClientAddress;
use super::edge::App;
use super::forwarded::Proxies;
use super::problem::Problem;
use super::seat::Seat;

/// One connection's side of its requests.
pub(super) struct Session {
    pub app: App,
    pub seat: Arc<Seat>,
    pub answered: Answered,
    pub peer: IpAddr,
    /// Set if the peer is one of them.
    pub proxies: Option<Proxies>,
}

impl Session {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        let Some(_in_flight) = self.seat.begin() else { return given_up() };
        let client = match &self.proxies {
            None => self.peer,
            Some(proxies) => proxies.client(self.peer, request.headers()),
        };
        if !Answered::counts(request.uri().path()) {
            return self.app.answer(request, ClientAddress(client)).await;
        }
        let begun = Instant::now();
        let response = self.app.answer(request, ClientAddress(client)).await;
        self.answered.record(response.status(), begun.elapsed());
        response
    }
}

/// Returns the service of one connection; a request costs it no allocation.
pub(super) fn service(
    session: Session,
) -> impl Service<
    Request<Incoming>,
    Response = Response,
    Error = Infallible,
    Future = impl Future<Output = Result<Response, Infallible>> + Send + 'static,
> {
    let session = Arc::new(session);
    service_fn(move |request| {
        let session = Arc::clone(&session);
        async move { Ok(session.answer(request).await) }
    })
}

/// The connection ends at this moment; mostly nobody sees this.
fn given_up() -> Response {
    let detail = "the connection was given up for another; send the same again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
        .retry_after(crate::limits::HTTP_ROOM_AGAIN_S)
        .close()
        .into_response()
}
