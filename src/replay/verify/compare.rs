//! What a scan found beside what the log says. Pure.
//!
//! The graph is scanned while events flow, and yet one pass is exact. Let P1 be a place that live had
//! passed before the scan began, and P2 the log's end after it. Documents never vanish and versions only
//! rise, so each document is what the log through P1 makes of it, or what a put between P1 and P2 has
//! made of it since, with a greater version. Whatever else is found is a difference, and so is a
//! document of the log through P1 that is not found. Nothing has to be looked at twice.

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::doc::{DocId, Name};
use super::shadow::Shadow;
use crate::event::EventTypes;
use crate::graph::{Digest, Put, Version};
use crate::limits::{VERIFY_FOUND, VERIFY_NAMES};

/// A document that is not as the log through P1 says.
struct Candidate {
    expected: Option<Version>,
    version: Version,
    term: Digest,
    /// Absent beyond [`VERIFY_NAMES`].
    name: Option<Name>,
}

/// The shadow at P1, and what the scan has met so far.
pub(super) struct Comparison {
    shadow: Shadow,
    candidates: HashMap<DocId, Candidate>,
    pub documents: u64,
    pub digest: Digest,
}

/// What is the matter with a document; what matters most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Missing,
    Extra,
    OtherBody,
    Unprovable,
    Pending,
}

/// One document that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub id: DocId,
    pub what: What,
    pub expected: Option<Version>,
    pub found: Option<Version>,
    pub name: Option<Name>,
}

/// All that differs: counted exactly, and the first of them.
#[derive(Debug, Default)]
pub(super) struct Judged {
    counts: [u64; 5],
    pub first: Vec<Difference>,
}

/// What else is known when differences are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Documents of events that wait in RETRY or lie in PARKED.
    pub pending: &'a HashSet<DocId>,
    /// Whether the log holds a message at each of its sequences.
    pub whole: bool,
}

impl What {
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::OtherBody => "other_body",
            Self::Unprovable => "unprovable",
            Self::Pending => "pending",
        }
    }

    /// An event that is not applied explains what is not there yet, nothing else; an event that the log does not
    /// hold any more explains what is there beyond the log, nothing else.
    fn of(expected: Option<Version>, found: Option<Version>, pending: bool, whole: bool) -> Self {
        match (expected, found) {
            (Some(expected), found) if found.is_none_or(|found| found < expected) => {
                match (pending, found) {
                    (true, _) => Self::Pending,
                    (false, None) => Self::Missing,
                    (false, Some(_)) => Self::OtherBody,
                }
            }
            (expected, found) if !whole && found > expected => Self::Unprovable,
            (None, _) => Self::Extra,
            (Some(_), _) => Self::OtherBody,
        }
    }
}

impl Comparison {
    pub fn new(shadow: Shadow) -> Self {
        let (candidates, digest) = (HashMap::new(), Digest::default());
        Self { shadow, candidates, documents: 0, digest }
    }

    /// Takes a document that the scan has met.
    pub fn meet(&mut self, id: DocId, version: Version, term: Digest, name: impl FnOnce() -> Name) {
        self.documents += 1;
        self.digest.add(term);
        let expected = self.shadow.documents.get_mut(&id).map(|expected| {
            expected.seen = true;
            (expected.version, expected.term)
        });
        if expected != Some((version, term)) {
            let name = (self.candidates.len() < VERIFY_NAMES).then(name);
            let expected = expected.map(|(version, _)| version);
            self.candidates.insert(id, Candidate { expected, version, term, name });
        }
    }

    /// Whether puts between P1 and P2 could explain anything.
    pub fn wants_later(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Takes a put between P1 and P2: a document that is as it says is as it should be.
    pub fn later(&mut self, put: &Put<'_>, types: &EventTypes) {
        let id = DocId::of(put, types);
        let explained = self.candidates.get(&id).is_some_and(|candidate| {
            let newer = candidate.expected.is_none_or(|expected| expected < put.version);
            newer
                && candidate.version == put.version
                && candidate.term
                    == Digest::term(put.collection, &put.key, &put.content_hash(), types)
        });
        if explained {
            self.candidates.remove(&id);
        }
    }

    /// Tells what differs.
    pub fn judge(self, known: Known<'_>) -> Judged {
        let missing = self.shadow.documents.into_iter().filter(|(_, expected)| !expected.seen);
        let missing = missing.map(|(id, expected)| {
            let expected = Some(expected.version);
            Difference { id, what: What::Missing, expected, found: None, name: None }
        });
        let others = self.candidates.into_iter().map(|(id, candidate)| {
            let Candidate { expected, version, name, .. } = candidate;
            Difference { id, what: What::OtherBody, expected, found: Some(version), name }
        });
        let mut judging = Judging::default();
        for mut difference in missing.chain(others) {
            let pending = known.pending.contains(&difference.id);
            difference.what = What::of(difference.expected, difference.found, pending, known.whole);
            judging.take(difference);
        }
        judging.finish()
    }
}

/// Counts all and keeps the first, however many there are.
#[derive(Default)]
struct Judging {
    counts: [u64; 5],
    first: BinaryHeap<ByWeight>,
}

struct ByWeight(Difference);

impl Judging {
    fn take(&mut self, difference: Difference) {
        self.counts[difference.what as usize] += 1;
        self.first.push(ByWeight(difference));
        if self.first.len() > VERIFY_FOUND {
            self.first.pop();
        }
    }

    fn finish(self) -> Judged {
        let first = self.first.into_sorted_vec().into_iter().map(|ByWeight(first)| first);
        Judged { counts: self.counts, first: first.collect() }
    }
}

impl Judged {
    pub fn count(&self, what: What) -> u64 {
        self.counts[what as usize]
    }
}

impl ByWeight {
    fn weight(&self) -> (What, DocId) {
        (self.0.what, self.0.id)
    }
}

impl PartialEq for ByWeight {
    fn eq(&self, other: &Self) -> bool {
        self.weight() == other.weight()
    }
}

impl Eq for ByWeight {}

impl PartialOrd for ByWeight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByWeight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.weight().cmp(&other.weight())
    }
}
