//! The HTTP client that arangors' connection holds: deadlines, token, queue time, metrics.
//!
//! arangors makes its clients itself, from headers alone. What ours needs is handed over in a task-local
//! while the connection is made, so that any number of servers with options of their own live side by side.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arangors::client::ClientExt;
use arangors::{ClientError, GenericConnection};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{AUTHORIZATION, CONTENT_TYPE, SERVER};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use reqwest::{Client, Url};

use super::exchange::{Trouble, exchange};
use super::login::Login;
use super::token::Token;
use crate::store::arango::classify::{Action, Evidence, Wire, classify};
use crate::telemetry::names;

/// How long a request waited in the server's queue; in a request, how long it may.
pub const QUEUE_TIME: HeaderName = HeaderName::from_static("x-arango-queue-time-seconds");

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Write,
    Query,
    Schema,
    Login,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Query => "query",
            Self::Schema => "schema",
            Self::Login => "login",
        }
    }
}

/// Travels in a request's extensions. Without it a request is for the schema and has the usual deadline.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub kind: Kind,
    pub within: Duration,
}

/// What all sessions of one server share.
#[derive(Debug)]
pub struct Shared {
    pub http: Client,
    pub url: Url,
    pub login: Option<Login>,
    pub request_timeout: Duration,
}

tokio::task_local! {
    static HANDED_OVER: Arc<Shared>;
}

/// Makes arangors' connection to a server. Nothing is sent.
pub fn connect(shared: Shared) -> Result<GenericConnection<Session>, ClientError> {
    let url = shared.url.to_string();
    let establishing = GenericConnection::establish_without_auth(url);
    HANDED_OVER
        .sync_scope(Arc::new(shared), || establishing.now_or_never())
        .expect("the greeting is answered on the spot")
}

/// A client of one server.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    headers: HeaderMap,
    /// Answers arangors' greeting itself: whether the server is one that serves is asked by its version.
    greets: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("url", &self.shared.url.as_str())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ClientExt for Session {
    fn new<U: Into<Option<HeaderMap>>>(headers: U) -> Result<Self, ClientError> {
        let shared = HANDED_OVER.try_with(Arc::clone).map_err(|_| {
            ClientError::HttpClient("a session is made by `connect` alone".to_owned())
        })?;
        let headers = headers.into();
        Ok(Self { shared, greets: headers.is_none(), headers: headers.unwrap_or_default() })
    }

    fn headers(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    async fn request(&self, request: Request<String>) -> Result<Response<String>, ClientError> {
        if self.greets {
            let mut greeting = Response::new(String::new());
            greeting.headers_mut().insert(SERVER, HeaderValue::from_static("ArangoDB"));
            return Ok(greeting);
        }
        self.send(request).await.map_err(|trouble| ClientError::HttpClient(trouble.to_string()))
    }
}

impl Session {
    /// Sends a request under its deadline, as `request` does, and tells precisely what went wrong.
    pub async fn send(&self, request: Request<String>) -> Result<Response<String>, Trouble> {
        let default = Call { kind: Kind::Schema, within: self.shared.request_timeout };
        let call = request.extensions().get::<Call>().copied().unwrap_or(default);
        let (mut parts, body) = request.into_parts();
        self.complete(&mut parts.headers, call);
        let body = Bytes::from(body);
        let (began, sent) = (Instant::now(), body.len());
        let outcome = tokio::time::timeout(call.within, self.authorised(&parts, body)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(late(call.within)));
        record(call.kind, began.elapsed(), sent, &outcome);
        outcome
    }

    fn complete(&self, headers: &mut HeaderMap, call: Call) {
        for (name, value) in &self.headers {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json; charset=utf-8"));
        // Half of the deadline in the queue leaves half of it for the work.
        let longest = format!("{:.3}", call.within.as_secs_f64() / 2.0);
        headers.entry(QUEUE_TIME).or_insert_with(|| longest.parse().expect("digits and a point"));
    }

    /// Sends with a token; where that one is refused, once more with a new one.
    async fn authorised(&self, parts: &Parts, body: Bytes) -> Result<Response<String>, Trouble> {
        let http = &self.shared.http;
        let Some(login) = &self.shared.login else {
            return exchange(http, with_token(parts, body, None)).await;
        };
        let token = login.token(http).await?;
        let answer = exchange(http, with_token(parts, body.clone(), Some(&token))).await?;
        if !asks_for_a_new_token(&answer) {
            return Ok(answer);
        }
        let renewed = login.renewed(http, &token).await?;
        exchange(http, with_token(parts, body, Some(&renewed))).await
    }
}

fn asks_for_a_new_token(answer: &Response<String>) -> bool {
    let status = answer.status();
    let evidence = Evidence::Answer { status: status.as_u16(), body: answer.body() };
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && classify(evidence).action == Action::Refresh
}

fn with_token(parts: &Parts, body: Bytes, token: Option<&Token>) -> Request<Bytes> {
    let mut request = Request::from_parts(parts.clone(), body);
    if let Some(token) = token {
        request.headers_mut().insert(AUTHORIZATION, token.header().clone());
    }
    request
}

fn late(within: Duration) -> Trouble {
    let text =
        format!("ArangoDB has not answered within {within:?}; what was sent may still be done");
    Trouble::wire(Wire::TimedOut, text)
}

/// Counts a request and what became of it.
pub fn record(
    kind: Kind,
    took: Duration,
    sent: usize,
    outcome: &Result<Response<String>, Trouble>,
) {
    let told = match outcome {
        Ok(answer) if answer.status().is_success() => "ok".into(),
        Ok(answer) => metrics::SharedString::from(answer.status().as_u16().to_string()),
        Err(trouble) => trouble.code().into(),
    };
    let kind = kind.name();
    metrics::counter!(names::ARANGO_REQUESTS, "kind" => kind, "outcome" => told).increment(1);
    metrics::histogram!(names::ARANGO_SECONDS, "kind" => kind).record(took.as_secs_f64());
    metrics::counter!(names::ARANGO_SENT_BYTES, "kind" => kind).increment(sent as u64);
    if let Ok(answer) = outcome {
        let received = answer.body().len() as u64;
        metrics::counter!(names::ARANGO_RECEIVED_BYTES, "kind" => kind).increment(received);
        if let Some(waited) = queue_time(answer.headers()) {
            metrics::gauge!(names::ARANGO_QUEUE_SECONDS).set(waited.as_secs_f64());
        }
    }
}

/// How long the server's queue is, as it told with an answer.
pub fn queue_time(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(&QUEUE_TIME)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
