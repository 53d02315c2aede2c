//! What was granted to a request: the rules it is under, and what it may still send.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::key::{Rate, Rules};
use super::rate::Bucket;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The buckets of one key in this process.
#[derive(Debug)]
pub(super) struct Buckets {
    rate: Rate,
    events: Option<Bucket>,
    bytes: Option<Bucket>,
}

/// One who may do something.
#[derive(Debug)]
pub(super) struct Holder {
    pub id: String,
    pub rules: Rules,
    pub buckets: Arc<Buckets>,
}

/// What a request may do. Clones share it.
#[derive(Debug, Clone)]
pub struct Grant {
    holder: Option<Arc<Holder>>,
}

/// How much is left, for the headers that clients read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub limit: u64,
    pub remaining: u64,
    pub reset_s: u64,
}

static OPEN: LazyLock<Rules> = LazyLock::new(Rules::default);
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A clock that never jumps, in nanoseconds.
fn now_ns() -> u64 {
    BEGIN.elapsed().as_nanos() as u64
}

impl Buckets {
    pub fn new(rate: Rate) -> Self {
        let bucket = |per_second: Option<u64>| per_second.map(Bucket::new);
        Self { rate, events: bucket(rate.events_per_second), bytes: bucket(rate.bytes_per_second) }
    }

    /// Returns the rate that these are for.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Returns how long a request has to wait; `None` admits it.
    pub fn wait(&self) -> Option<Duration> {
        if self.events.is_none() && self.bytes.is_none() {
            return None;
        }
        let now = now_ns();
        let waits =
            [&self.events, &self.bytes].into_iter().flatten().map(|bucket| bucket.wait_ns(now));
        waits.max().filter(|wait| *wait > 0).map(Duration::from_nanos)
    }
}

impl Grant {
    /// Grants everything: nobody asked for a key.
    pub fn open() -> Self {
        Self { holder: None }
    }

    pub(super) fn of(holder: Arc<Holder>) -> Self {
        Self { holder: Some(holder) }
    }

    /// Returns the id of the key, or the subject of a token; `None` if nobody asked for one.
    pub fn key_id(&self) -> Option<&str> {
        self.holder.as_ref().map(|holder| &*holder.id)
    }

    pub fn rules(&self) -> &Rules {
        self.holder.as_ref().map_or(&OPEN, |holder| &holder.rules)
    }

    /// Pays for what the request turned out to hold.
    pub fn charge(&self, events: u64, bytes: u64) {
        let Some(holder) = &self.holder else { return };
        let Buckets { events: of_events, bytes: of_bytes, .. } = &*holder.buckets;
        if of_events.is_none() && of_bytes.is_none() {
            return;
        }
        let now = now_ns();
        for (bucket, units) in [(of_events, events), (of_bytes, bytes)] {
            if let Some(bucket) = bucket {
                bucket.charge(units, now);
            }
        }
    }

    /// Returns what is left of the rate in events, else of that in bytes; `None` without a rate.
    pub fn quota(&self) -> Option<Quota> {
        let buckets = &self.holder.as_ref()?.buckets;
        buckets.quota()
    }
}

impl Buckets {
    pub fn quota(&self) -> Option<Quota> {
        let bucket = self.events.as_ref().or(self.bytes.as_ref())?;
        let (remaining, reset_ns) = bucket.left(now_ns());
        let reset_s = reset_ns.div_ceil(1_000_000_000);
        Some(Quota { limit: bucket.burst(), remaining, reset_s })
    }
}

impl Quota {
    /// The headers and their values.
    pub fn headers(self) -> [(HeaderName, HeaderValue); 3] {
        [
            (LIMIT, HeaderValue::from(self.limit)),
            (REMAINING, HeaderValue::from(self.remaining)),
            (RESET, HeaderValue::from(self.reset_s)),
        ]
    }

    pub fn write(self, headers: &mut HeaderMap) {
        headers.extend(self.headers());
    }
}
