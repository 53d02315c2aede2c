//! The gateway itself: one request in, one synced append, one answer out.
//!
//! Whoever may not send, and whatever cannot be taken now, is told before the body is read.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, header};
use hyper::body::Incoming;
use tokio::sync::watch;
use uuid::Uuid;

use super::answer::{self, Counts};
use super::bots::is_bot;
use super::lines::Lines;
use super::pieces::{Encoding, Pieces};
use super::pixel;
use super::prepare::{Prepared, Preparer, Terms, Verdict};
use super::privacy::HashKey;
use super::repeat::Repeat;
use super::seen::Seen;
use super::shape::{Shape, shape_of};
use super::wanted::{Ack, Wanted, is_beacon};
use crate::access::{Access, Grant, Scope, Shown};
use crate::clock;
use crate::event::{CloudAttributes, EventTime, ParseError, Parsed, Parser};
use crate::http::{BodyBudget, BodyLimits, BodyReader, ClientAddress, Problem};
use crate::limits::{HTTP_BATCH_EVENTS, PARSE_INLINE_BYTES, SEEN_EVENTS};
use crate::secret::SecretSource;
use crate::telemetry::names;
use crate::wal::{AppendError, Wal};

/// Where events are posted.
pub const INGEST: &str = "/ingest";

/// What an operator may choose.
#[derive(Debug, Clone)]
pub struct Options {
    pub body: BodyLimits,
    /// Shared by all bodies of the process.
    pub budget: BodyBudget,
    /// Most events a request (inclusive).
    pub batch_events: usize,
    /// Longest wait for the stream of a request that asks for it.
    pub ack_timeout: Duration,
    /// What fields are hashed with.
    pub hash_key: Option<SecretSource>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            body: BodyLimits::default(),
            budget: BodyBudget::default(),
            batch_events: HTTP_BATCH_EVENTS,
            ack_timeout: Duration::from_secs(5),
            hash_key: None,
        }
    }
}

/// Takes events by HTTP. Clones are cheap and share one log.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    wal: Wal,
    /// The sequence of the log through which everything is in the stream.
    published: watch::Receiver<u64>,
    parser: Parser,
    access: Access,
    seen: Mutex<Seen>,
    /// Until when requests are refused unread, because the log was full: in ms since `begun`, since the clock
    /// may be set.
    full_until_ms: AtomicU64,
    begun: Instant,
    options: Options,
    /// Read once: with another, equal values would no longer be hashed alike.
    hash_key: OnceLock<HashKey>,
}

/// Why a request was refused as a whole.
pub(super) struct Refused(pub Problem);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

/// What is known of a request before its body.
struct Visit {
    head: Parts,
    client: ClientAddress,
    wanted: Wanted,
    grant: Grant,
    now: EventTime,
}

impl Gateway {
    /// Makes a gateway over a log. `published` tells the log's sequence through which everything is in the stream.
    pub fn new(
        wal: Wal,
        published: watch::Receiver<u64>,
        parser: Parser,
        access: Access,
        options: Options,
    ) -> Self {
        let secret = options.hash_key.as_ref().and_then(|source| source.read().ok());
        let hash_key = secret.map(|secret| OnceLock::from(HashKey::new(secret.expose())));
        Self(Arc::new(Inner {
            wal,
            published,
            parser,
            access,
            seen: Mutex::new(Seen::new(SEEN_EVENTS)),
            full_until_ms: AtomicU64::new(0),
            begun: Instant::now(),
            options,
            hash_key: hash_key.unwrap_or_default(),
        }))
    }

    /// Tells whether [`Gateway::handle`] serves a path, whatever the method.
    pub fn serves(path: &str) -> bool {
        path == INGEST || path == pixel::PATH
    }

    /// Serves a request to one of these paths.
    pub async fn handle(self, request: Request<Incoming>, client: ClientAddress) -> Response {
        let answered = if request.uri().path() == pixel::PATH {
            self.0.pixel(request, client).await
        } else {
            self.0.ingest(request, client).await
        };
        match answered {
            Ok(response) => response,
            Err(refused) => {
                metrics::counter!(names::GATEWAY_REFUSED, "code" => refused.0.code()).increment(1);
                refused.into_response()
            }
        }
    }
}

impl Inner {
    async fn ingest(
        &self,
        request: Request<Incoming>,
        client: ClientAddress,
    ) -> Result<Response, Refused> {
        if request.method() != Method::POST {
            return Err(answer::wrong_method("POST").into());
        }
        let (head, body) = request.into_parts();
        let encoding = Encoding::of(&head.headers)?;
        let content_type =
            head.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let shape = shape_of(content_type, &head.headers)
            .ok_or_else(|| answer::unknown_content_type().close())?;
        let visit = self.admit(head, client)?;
        let reader = BodyReader::new(body, self.options.body, &self.options.budget)
            .map_err(Problem::from)?;
        let mut pieces = Pieces::new(reader, encoding, self.options.body.max_bytes);
        let prepared = match shape {
            Shape::Lines => self.lines(&visit, &mut pieces).await?,
            whole => self.whole(&visit, &mut pieces, whole).await?,
        };
        visit.grant.charge(prepared.verdicts.len() as u64, pieces.given() as u64);
        self.store(&visit, prepared).await
    }

    async fn pixel(
        &self,
        request: Request<Incoming>,
        client: ClientAddress,
    ) -> Result<Response, Refused> {
        if request.method() != Method::GET {
            return Err(answer::wrong_method("GET").into());
        }
        let (head, _body) = request.into_parts();
        let visit = self.admit_pixel(head, client)?;
        let query = visit.head.uri.query().unwrap_or_default();
        let mut preparer = self.preparer(&visit, query.len());
        let parsed = self.parser.parse_query(query).map(Parsed::One);
        preparer.parsed(parsed).map_err(|error| answer::malformed(&error))?;
        visit.grant.charge(1, query.len() as u64);
        self.store(&visit, preparer.finish()).await?;
        Ok(pixel::answer())
    }

    /// Decides on all that can be known without the body.
    fn admit(&self, head: Parts, client: ClientAddress) -> Result<Visit, Problem> {
        let visit = self.admit_pixel(head, client)?;
        Ok(Visit { wanted: Wanted::of(&visit.head)?, ..visit })
    }

    fn admit_pixel(&self, head: Parts, client: ClientAddress) -> Result<Visit, Problem> {
        let now_ms = clock::now_ms();
        let now = EventTime::from_ms(now_ms).map_err(|_| answer::clock_is_wrong())?;
        let shown = Shown { headers: &head.headers, query: head.uri.query() };
        let grant = self.access.admit(Scope::Write, &shown, now_ms).map_err(Problem::from)?;
        self.refuse_while_full()?;
        Ok(Visit { head, client, wanted: Wanted::default(), grant, now })
    }

    fn refuse_while_full(&self) -> Result<(), Problem> {
        let until = self.full_until_ms.load(Ordering::Relaxed);
        if until == 0 {
            return Ok(());
        }
        let left = until.saturating_sub(self.begun.elapsed().as_millis() as u64);
        if left > 0 { Err(answer::still_full(1 + (left / 1000) as u32)) } else { Ok(()) }
    }

    /// Reads lines as they arrive; the text is not kept.
    async fn lines(&self, visit: &Visit, pieces: &mut Pieces) -> Result<Prepared, Refused> {
        let most = self.options.batch_events;
        let mut preparer = self.preparer(visit, pieces.expected());
        let mut lines = Lines::default();
        let mut too_many = 0;
        let mut take = |line: &[u8]| {
            // Past the limit they are only counted, so that the answer can say how many there are.
            if preparer.count() < most { preparer.line(line) } else { too_many += 1 }
        };
        while let Some(piece) = pieces.next().await? {
            lines.push(&piece, &mut take);
        }
        lines.finish(&mut take);
        if too_many > 0 {
            return Err(answer::too_many(most, most + too_many).into());
        }
        let prepared = preparer.finish();
        if prepared.verdicts.is_empty() {
            return Err(answer::empty().into());
        }
        self.within_bounds(prepared)
    }

    /// Reads a body to its end, and parses a small one here and a large one where it keeps nobody waiting.
    async fn whole(
        &self,
        visit: &Visit,
        pieces: &mut Pieces,
        shape: Shape,
    ) -> Result<Prepared, Refused> {
        let body = pieces.whole().await?;
        let prepared = if shape == Shape::CloudBinary {
            let mut preparer = self.preparer(visit, body.len());
            let headers = visit.head.headers.iter();
            let attributes =
                CloudAttributes::of(headers.map(|(name, value)| (name.as_str(), value.as_bytes())));
            let parsed = self.parser.parse_cloud_binary(&attributes, &body).map(Parsed::One);
            preparer.parsed(parsed).map(|()| preparer.finish())
        } else if body.trim_ascii().is_empty() {
            return Err(answer::empty().into());
        } else if body.len() <= PARSE_INLINE_BYTES {
            document(self.preparer(visit, body.len()), &body, shape)
        } else {
            let (parser, terms) = (self.parser.clone(), self.terms(visit));
            let parsing = tokio::task::spawn_blocking(move || {
                document(Preparer::new(&parser, terms, body.len(), new_id), &body, shape)
            });
            parsing.await.expect("parsing does not panic and is not cancelled")
        };
        self.within_bounds(prepared.map_err(|error| answer::malformed(&error))?)
    }

    fn within_bounds(&self, prepared: Prepared) -> Result<Prepared, Refused> {
        let (most, actual) = (self.options.batch_events, prepared.verdicts.len());
        if actual > most {
            return Err(answer::too_many(most, actual).into());
        }
        if prepared.lacks_hash_key {
            return Err(answer::no_hash_key().into());
        }
        Ok(prepared)
    }

    fn preparer(&self, visit: &Visit, bytes: usize) -> Preparer<'_, fn() -> String> {
        Preparer::new(&self.parser, self.terms(visit), bytes, new_id)
    }

    fn terms(&self, visit: &Visit) -> Terms {
        let Visit { head, client, wanted, grant, now } = visit;
        let repeat = wanted.idempotency_key.as_deref();
        let agent = head.headers.get(header::USER_AGENT);
        Terms {
            now: *now,
            grant: grant.clone(),
            hash_key: self.hash_key(grant),
            address: Some(client.0),
            is_bot: agent.is_some_and(|agent| is_bot(agent.as_bytes())),
            repeat: repeat.map(|value| Repeat::new(grant.key_id(), value)),
        }
    }

    /// The secret that could be read first, at the start if it was there, counts until the process ends.
    fn hash_key(&self, grant: &Grant) -> Option<HashKey> {
        if grant.rules().privacy.hash.is_empty() {
            return None;
        }
        if let Some(key) = self.hash_key.get() {
            return Some(*key);
        }
        let secret = self.options.hash_key.as_ref()?.read();
        let secret = secret.inspect_err(|error| tracing::error!(%error, "fields cannot be hashed"));
        let key = HashKey::new(secret.ok()?.expose());
        Some(*self.hash_key.get_or_init(|| key))
    }

    async fn store(&self, visit: &Visit, prepared: Prepared) -> Result<Response, Refused> {
        let Prepared { entries, verdicts, event_id, is_single, .. } = prepared;
        let (wanted, valid) = (&visit.wanted, entries.len());
        if entries.is_empty() {
            return Err(match verdicts.first() {
                Some(verdict) if is_single => answer::invalid(verdict),
                _ => answer::none_valid(&verdicts),
            }
            .into());
        }
        if wanted.atomic && valid < verdicts.len() {
            return Err(answer::not_atomic(&verdicts).into());
        }
        let known = self.known(&verdicts);
        let entries = without_known(entries, &verdicts, &known);
        let stored = entries.len();
        let through = self.append(entries).await?;
        if stored > 0 {
            self.remember(&verdicts);
        }
        metrics::counter!(names::GATEWAY_EVENTS).increment(stored as u64);
        let ack = self.acknowledge(wanted.ack, through).await;
        let counts = Counts { accepted: stored, duplicates: valid - stored, ack };
        let mut response = if valid < verdicts.len() {
            metrics::counter!(names::GATEWAY_INVALID).increment((verdicts.len() - valid) as u64);
            answer::mixed(counts, &verdicts, |verdict| {
                identity(verdict).is_some_and(|identity| known.contains(&identity))
            })
        } else if wanted.minimal && ack == wanted.ack {
            answer::minimal(!is_beacon(&visit.head.headers))
        } else {
            answer::accepted(counts, event_id.as_deref())
        };
        if let Some(quota) = visit.grant.quota() {
            quota.write(response.headers_mut());
        }
        Ok(response)
    }

    /// Appends entries and returns the sequence through which all events of the request are in the log; if there
    /// is nothing to append, that is all there is.
    async fn append(&self, entries: Vec<Bytes>) -> Result<u64, Problem> {
        if entries.is_empty() {
            return Ok(*self.wal.committed().borrow());
        }
        let appended = self.wal.append(entries).await;
        if let Err(AppendError::Full { retry_after }) = &appended {
            let until = (self.begun.elapsed() + *retry_after).as_millis() as u64;
            self.full_until_ms.store(until, Ordering::Relaxed);
        }
        appended.map(|outcome| outcome.last).map_err(|error| answer::not_stored(&error))
    }

    /// Waits for the stream if that is asked for, and returns what is true.
    async fn acknowledge(&self, wanted: Ack, through: u64) -> Ack {
        if wanted == Ack::Disk {
            return Ack::Disk;
        }
        let mut published = self.published.clone();
        let arrived = published.wait_for(|published| *published >= through);
        match tokio::time::timeout(self.options.ack_timeout, arrived).await {
            Ok(Ok(_)) => Ack::Stream,
            _ => Ack::Disk,
        }
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

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

fn document<F: FnMut() -> String>(
    mut preparer: Preparer<'_, F>,
    body: &[u8],
    shape: Shape,
) -> Result<Prepared, ParseError> {
    preparer.document(body, shape)?;
    Ok(preparer.finish())
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
