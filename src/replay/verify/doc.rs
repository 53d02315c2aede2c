//! A document's name in 16 bytes. Pure.

use crate::event::EventTypes;
use crate::graph::Put;

/// The first 16 bytes of BLAKE3 over the collection's name, with its length, and the key's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::replay) struct DocId(u128);

/// A document's name as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub collection: String,
    pub key: String,
}

impl DocId {
    pub fn new(collection: &str, key: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[collection.len() as u8]);
        hasher.update(collection.as_bytes());
        hasher.update(key.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(u128::from_le_bytes(id))
    }

    pub fn of(put: &Put<'_>, types: &EventTypes) -> Self {
        put.key.with_text(|key| Self::new(put.collection.name(types), key))
    }
}

impl Name {
    pub fn of(put: &Put<'_>, types: &EventTypes) -> Self {
        let collection = put.collection.name(types).to_owned();
        Self { collection, key: put.key.text().into_owned() }
    }
}
