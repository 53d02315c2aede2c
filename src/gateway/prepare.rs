//! From what a body says to log entries, with a verdict an event. Pure.

use std::net::IpAddr;

use bytes::Bytes;

use super::privacy::{HashKey, NoHashKey, Sender, clean};
use super::repeat::Repeat;
use super::shape::Shape;
use crate::access::Grant;
use crate::event::{
    DEFAULT_SOURCE, Defaults, Draft, EventTime, Id, Issue, Issues, ParseError, Parsed, Parser,
    Publication, write_event,
};
use crate::graph::encode_id;
use crate::limits::{EVENT_BYTES, FUTURE_MS};

/// What becomes of one event of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Entry number `entry` of [`Prepared::entries`] holds it.
    Valid {
        entry: usize,
        /// What an identical event has too; absent when the gateway gave the event its id.
        identity: Option<u128>,
    },
    Invalid(Issues),
    /// Larger than an event may be, in bytes as it would be stored.
    TooLarge(usize),
}

/// A request's events, ready for the log.
#[derive(Debug, Default)]
pub struct Prepared {
    pub entries: Vec<Bytes>,
    /// One an event, in the order of the request.
    pub verdicts: Vec<Verdict>,
    /// The request is one event, not a batch of one.
    pub is_single: bool,
    /// The event's id, when the request is one event.
    pub event_id: Option<String>,
    /// A rule of the key wants a hash, and there is no secret to make it with.
    pub lacks_hash_key: bool,
}

/// Under which terms a request's events are taken.
#[derive(Clone)]
pub struct Terms {
    /// The receive time.
    pub now: EventTime,
    pub grant: Grant,
    pub hash_key: Option<HashKey>,
    /// Who sent it, if that is known.
    pub address: Option<IpAddr>,
    pub is_bot: bool,
    pub repeat: Option<Repeat>,
}

impl Terms {
    /// The terms of somebody of whom nothing is known and to whom everything is open.
    pub fn open(now: EventTime) -> Self {
        Self {
            now,
            grant: Grant::open(),
            hash_key: None,
            address: None,
            is_bot: false,
            repeat: None,
        }
    }
}

/// Takes events one by one and writes their log entries.
pub struct Preparer<'p, F> {
    parser: &'p Parser,
    terms: Terms,
    new_id: F,
    /// All entries, one behind the other: one allocation a request.
    buffer: Vec<u8>,
    ends: Vec<usize>,
    payload: Vec<u8>,
    prepared: Prepared,
}

impl<'p, F: FnMut() -> String> Preparer<'p, F> {
    /// Expects some `bytes` of events; `new_id` makes ids for events that have none.
    pub fn new(parser: &'p Parser, terms: Terms, bytes: usize, new_id: F) -> Self {
        Self {
            parser,
            terms,
            new_id,
            buffer: Vec::with_capacity(bytes * 2),
            ends: Vec::new(),
            payload: Vec::new(),
            prepared: Prepared::default(),
        }
    }

    /// Returns how many events there were so far, valid or not.
    pub fn count(&self) -> usize {
        self.prepared.verdicts.len()
    }

    /// Takes one line of NDJSON; what is no JSON is an invalid event.
    pub fn line(&mut self, line: &[u8]) {
        let parsed = self.parser.parse(line, None).map_err(|error| match error {
            ParseError::Invalid(issues) => issues,
            malformed @ ParseError::Malformed { .. } => {
                vec![Issue::new("", "malformed_json", malformed.to_string())]
            }
        });
        self.take_or_note(parsed);
    }

    /// Takes a whole body; fails only when the whole is malformed.
    pub fn document(&mut self, body: &[u8], shape: Shape) -> Result<(), ParseError> {
        let parsed = match shape {
            Shape::Json => self.parser.parse_document(body),
            Shape::CloudEvent => self.parser.parse_cloud_event(body).map(Parsed::One),
            Shape::CloudBinary => unreachable!("its attributes are in the headers"),
            Shape::CloudBatch => self.parser.parse_cloud_batch(body),
            Shape::Lines => {
                body.split(|byte| *byte == b'\n')
                    .filter(|line| !line.trim_ascii().is_empty())
                    .for_each(|line| self.line(line));
                return Ok(());
            }
        };
        self.parsed(parsed)
    }

    /// Takes what was parsed: one event, or several.
    pub fn parsed(&mut self, parsed: Result<Parsed<'_>, ParseError>) -> Result<(), ParseError> {
        match parsed {
            Ok(Parsed::Many(all)) => {
                self.buffer.reserve(64 * all.len());
                all.into_iter().for_each(|each| self.take_or_note(each));
            }
            Ok(Parsed::One(draft)) => {
                self.prepared.is_single = true;
                self.take(draft);
            }
            Err(ParseError::Invalid(issues)) => {
                self.prepared.is_single = true;
                self.prepared.verdicts.push(Verdict::Invalid(issues));
            }
            Err(malformed) => return Err(malformed),
        }
        Ok(())
    }

    fn take_or_note(&mut self, parsed: Result<Draft<'_>, Issues>) {
        match parsed {
            Ok(draft) => self.take(draft),
            Err(issues) => self.prepared.verdicts.push(Verdict::Invalid(issues)),
        }
    }

    fn take(&mut self, draft: Draft<'_>) {
        let verdict = self.write(draft).unwrap_or_else(|issue| Verdict::Invalid(vec![issue]));
        self.prepared.verdicts.push(verdict);
    }

    fn write(&mut self, mut draft: Draft<'_>) -> Result<Verdict, Issue> {
        self.check_time(&draft)?;
        self.permit(&mut draft)?;
        self.clean(&mut draft)?;
        let given_id = draft.id.is_some() || self.terms.repeat.is_some();
        let given_at = draft.at.is_some();
        // The receive time is the gateway's own, whatever the producer says.
        draft.received_ms = None;
        let at = draft.at.unwrap_or(self.terms.now);
        let id = draft.id.take().unwrap_or_else(|| self.id());
        let defaults = Defaults { id, at, received_ms: Some(self.terms.now.ms()) };
        let mut event = draft.resolve(|| defaults);
        self.payload.clear();
        let types = self.parser.types();
        let canonical = write_event(&event, types, &mut self.payload);
        if self.payload.len() > EVENT_BYTES {
            return Ok(Verdict::TooLarge(self.payload.len()));
        }
        let hash = blake3::hash(&self.payload[..canonical]);
        let message_id = message_id(event.id.as_str(), &hash);
        let type_name = &types.spec(event.event_type).name;
        Publication::begin(type_name, &message_id, &mut self.buffer);
        self.buffer.extend_from_slice(&self.payload);
        self.ends.push(self.buffer.len());
        if self.prepared.is_single {
            self.prepared.event_id = Some(event.id.to_string());
        }
        let identity = match (given_id, given_at) {
            (false, _) => None,
            (true, true) => Some(identity(&hash)),
            (true, false) => {
                // Sent again it has another receive time, and is the same event.
                event.at = EventTime::FIRST;
                self.payload.clear();
                let canonical = write_event(&event, types, &mut self.payload);
                Some(!identity(&blake3::hash(&self.payload[..canonical])))
            }
        };
        Ok(Verdict::Valid { entry: self.ends.len() - 1, identity })
    }

    fn id(&mut self) -> Id<'static> {
        let id = match &self.terms.repeat {
            Some(repeat) => repeat.id(self.prepared.verdicts.len()),
            None => (self.new_id)(),
        };
        Id::new(id).expect("a UUID is an id")
    }

    fn check_time(&self, draft: &Draft<'_>) -> Result<(), Issue> {
        if draft.at.is_some_and(|at| at.ms() > self.terms.now.ms() + FUTURE_MS) {
            let detail = "is more than 24 hours ahead of the gateway's clock";
            return Err(Issue::new("/timestamp", "timestamp_in_future", detail));
        }
        Ok(())
    }

    /// Holds an event against what the key may send. A key of one source need not name it.
    fn permit(&self, draft: &mut Draft<'_>) -> Result<(), Issue> {
        let rules = self.terms.grant.rules();
        let type_name = &self.parser.types().spec(draft.event_type).name;
        if !rules.permits_type(type_name) {
            let detail = "is no event type that this key may send";
            return Err(Issue::new("/eventType", "type_not_permitted", detail));
        }
        if draft.source.is_none()
            && let Some(only) = rules.only_source()
        {
            draft.source = Id::new(only.to_owned()).ok();
        }
        let source = draft.source.as_ref().map_or(DEFAULT_SOURCE, |source| source.as_str());
        if !rules.permits_source(source) {
            let detail = "is no source that this key may send for";
            return Err(Issue::new("/source", "source_not_permitted", detail));
        }
        Ok(())
    }

    fn clean(&mut self, draft: &mut Draft<'_>) -> Result<(), Issue> {
        let Terms { grant, hash_key, address, is_bot, .. } = &self.terms;
        let sender = Sender { address: *address, is_bot: *is_bot, key: grant.key_id() };
        let had_user = draft.user.is_some();
        if clean(draft, &grant.rules().privacy, hash_key.as_ref(), &sender) == Err(NoHashKey) {
            self.prepared.lacks_hash_key = true;
        }
        if had_user && draft.user.is_none() {
            let detail =
                "is dropped by a rule of this key, and the event needs it: hash it instead";
            return Err(Issue::new("/userId", "dropped_field", detail));
        }
        Ok(())
    }

    /// Ends the request.
    pub fn finish(mut self) -> Prepared {
        let buffer = Bytes::from(self.buffer);
        let mut start = 0;
        self.prepared.entries = self
            .ends
            .iter()
            .map(|end| {
                let entry = buffer.slice(start..*end);
                start = *end;
                entry
            })
            .collect();
        self.prepared
    }
}

fn identity(hash: &blake3::Hash) -> u128 {
    u128::from_le_bytes(hash.as_bytes()[..16].try_into().expect("sixteen of 32"))
}

/// The event's id and a hash of all that it says: only identical events share one.
fn message_id(event_id: &str, hash: &blake3::Hash) -> String {
    let hex = hash.to_hex();
    let id = encode_id(event_id);
    let mut message_id = String::with_capacity(id.len() + 17);
    message_id.push_str(&id);
    message_id.push('.');
    message_id.push_str(&hex[..16]);
    message_id
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
