//! The gateway itself: one request in, one synced append, one answer out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use hyper::body::Incoming;
use uuid::Uuid;

use super::answer::{self, Counts};
use super::prepare::{Prepared, Verdict, prepare};
use super::seen::Seen;
use super::shape::{Shape, shape_of};
use crate::clock;
use crate::event::Parser;
use crate::http::{BodyBudget, BodyLimits, Problem, read_body};
use crate::limits::{HTTP_BATCH_EVENTS, PARSE_INLINE_BYTES, SEEN_EVENTS};
use crate::telemetry::names;
use crate::wal::Wal;

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct Options {
    pub body: BodyLimits,
    /// Shared by all bodies of the process.
    pub budget: BodyBudget,
    /// Most events a request (inclusive).
    pub batch_events: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            body: BodyLimits::default(),
            budget: BodyBudget::default(),
            batch_events: HTTP_BATCH_EVENTS,
        }
    }
}

/// Takes events by HTTP. Clones are cheap and share one log.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    wal: Wal,
    parser: Parser,
    seen: Mutex<Seen>,
    options: Options,
}

/// Why a request was refused as a whole.
pub(super) struct Refused(pub Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl Gateway {
    pub fn new(wal: Wal, parser: Parser, options: Options) -> Self {
        Self(Arc::new(Inner { wal, parser, seen: Mutex::new(Seen::new(SEEN_EVENTS)), options }))
    }

    /// Serves `/ingest`, whatever the method.
    pub async fn handle(self, request: Request<Incoming>) -> Response {
        match self.0.ingest(request).await {
            Ok(response) => response,
            Err(refused) => {
                metrics::counter!(names::GATEWAY_REFUSED, "code" => refused.0.code()).increment(1);
                refused.into_response()
            }
        }
    }
}

impl Inner {
    async fn ingest(&self, request: Request<Incoming>) -> Result<Response, Refused> {
        if request.method() != Method::POST {
            return Err(answer::wrong_method().into());
        }
        let (head, body) = request.into_parts();
        if is_encoded(&head.headers) {
            return Err(answer::unknown_encoding().close().into());
        }
        let read = read_body(body, self.options.body, &self.options.budget).await;
        let (body, _hold) = read.map_err(Problem::from)?;
        if body.trim_ascii().is_empty() {
            return Err(answer::empty().into());
        }
        let content_type =
            head.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let shape = shape_of(content_type, &body).ok_or_else(answer::unknown_content_type)?;
        let prepared = self.prepare(body, shape).await?;
        self.store(shape, prepared).await
    }

    /// Parses a small body here and a large one where it keeps nobody waiting.
    async fn prepare(&self, body: Bytes, shape: Shape) -> Result<Prepared, Refused> {
        let now = clock::now_ms();
        let new_id = || Uuid::now_v7().to_string();
        let prepared = if body.len() <= PARSE_INLINE_BYTES {
            prepare(&self.parser, &body, shape, now, new_id)
        } else {
            let parser = self.parser.clone();
            let parsing =
                tokio::task::spawn_blocking(move || prepare(&parser, &body, shape, now, new_id));
            parsing.await.expect("parsing does not panic and is not cancelled")
        };
        let prepared = prepared.map_err(|error| answer::malformed(&error))?;
        if prepared.verdicts.len() > self.options.batch_events {
            return Err(answer::too_many(self.options.batch_events, prepared.verdicts.len()).into());
        }
        Ok(prepared)
    }

    async fn store(&self, shape: Shape, prepared: Prepared) -> Result<Response, Refused> {
        let Prepared { entries, verdicts, event_id } = prepared;
        if entries.is_empty() {
            return Err(match (shape, verdicts.first()) {
                (Shape::Object, Some(verdict)) => answer::invalid(verdict),
                _ => answer::none_valid(&verdicts),
            }
            .into());
        }
        let valid = entries.len();
        let known = self.known(&verdicts);
        let entries = without_known(entries, &verdicts, &known);
        let stored = entries.len();
        if stored > 0 {
            self.wal.append(entries).await.map_err(|error| answer::not_stored(&error))?;
            self.remember(&verdicts);
        }
        let counts = Counts { accepted: stored, duplicates: valid - stored };
        metrics::counter!(names::GATEWAY_EVENTS).increment(stored as u64);
        if valid == verdicts.len() {
            return Ok(answer::accepted(counts, event_id.as_deref()));
        }
        metrics::counter!(names::GATEWAY_INVALID).increment((verdicts.len() - valid) as u64);
        Ok(answer::mixed(counts, &verdicts, |verdict| {
            identity(verdict).is_some_and(|identity| known.contains(&identity))
        }))
    }

    /// Which events of the request are in the log already.
    fn known(&self, verdicts: &[Verdict]) -> HashSet<u128> {
        let mut identities = verdicts.iter().filter_map(identity).peekable();
        if identities.peek().is_none() {
            return HashSet::new();
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        identities.filter(|identity| seen.contains(*identity)).collect()
    }

    fn remember(&self, verdicts: &[Verdict]) {
        let mut identities = verdicts.iter().filter_map(identity).peekable();
        if identities.peek().is_some() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            identities.for_each(|identity| seen.insert(identity));
        }
    }
}

fn identity(verdict: &Verdict) -> Option<u128> {
    match verdict {
        Verdict::Valid { identity, .. } => *identity,
        _ => None,
    }
}

fn without_known(entries: Vec<Bytes>, verdicts: &[Verdict], known: &HashSet<u128>) -> Vec<Bytes> {
    if known.is_empty() {
        return entries;
    }
    let keep =
        |verdict: &&Verdict| identity(verdict).is_none_or(|identity| !known.contains(&identity));
    verdicts
        .iter()
        .filter(keep)
        .filter_map(|verdict| match verdict {
            Verdict::Valid { entry, .. } => Some(entries[*entry].clone()),
            _ => None,
        })
        .collect()
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}
