//! What the log says a graph holds: of each document its version and what it adds to the digest. Pure.
//!
//! 48 bytes a document, and nothing of its body: two bodies are told apart by their terms.

use std::collections::HashMap;

use super::doc::DocId;
use crate::event::EventTypes;
use crate::graph::{Digest, Put, Version};

/// One document by the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub version: Version,
    pub term: Digest,
    /// Whether the scan has met it.
    pub seen: bool,
}

/// All documents by the log, under the one merge rule.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    pub documents: HashMap<DocId, Expected>,
}

impl Shadow {
    /// Merges one put. Its term is computed only if it wins: most puts are vertices that are there already.
    pub fn fold(&mut self, put: &Put<'_>, types: &EventTypes) {
        let term = || Digest::term(put.collection, &put.key, &put.content_hash(), types);
        let id = DocId::of(put, types);
        match self.documents.get_mut(&id) {
            Some(known) if put.version <= known.version => {}
            Some(known) => (known.version, known.term) = (put.version, term()),
            None => {
                let expected = Expected { version: put.version, term: term(), seen: false };
                self.documents.insert(id, expected);
            }
        }
    }

    pub fn len(&self) -> u64 {
        self.documents.len() as u64
    }

    /// The digest of a graph that holds exactly these.
    pub fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        self.documents.values().for_each(|expected| digest.add(expected.term));
        digest
    }
}
