//! The digest: what two graphs have in common when they hold the same documents.

use std::fmt;

use super::{Collection, ContentHash, Key};
use crate::event::EventTypes;

/// The sum, modulo 2^128, of one hash a document. Shown as 32 hex digits.
///
/// Does not depend on order, on the log, or on anything that a store adds to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(u128);

impl Digest {
    /// What a document adds: a hash of its collection's name, its key's text and its content.
    pub fn term(
        collection: Collection,
        key: &Key<'_>,
        content: &ContentHash,
        types: &EventTypes,
    ) -> Self {
        let name = collection.name(types);
        key.with_text(|key| Self::term_of(name, key, content))
    }

    /// The same of a document as a store tells it: by its collection's name and its key's text.
    pub fn term_of(collection: &str, key: &str, content: &ContentHash) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[collection.len() as u8, key.len() as u8]);
        hasher.update(collection.as_bytes());
        hasher.update(key.as_bytes());
        hasher.update(&content.0);
        let mut term = [0; 16];
        term.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(u128::from_be_bytes(term))
    }

    pub fn add(&mut self, term: Self) {
        self.0 = self.0.wrapping_add(term.0);
    }

    pub fn remove(&mut self, term: Self) {
        self.0 = self.0.wrapping_sub(term.0);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Put;

    #[test]
    fn adding_and_removing_in_any_order_is_the_same() {
        let types = EventTypes::builtin();
        let term = |id: &'static str| {
            let put = Put::bare_user(id);
            Digest::term(put.collection, &put.key, &put.content_hash(), &types)
        };
        let (mut a, mut b) = (Digest::default(), Digest::default());
        for id in ["x", "y", "z"] {
            a.add(term(id));
        }
        for id in ["z", "w", "y", "x"] {
            b.add(term(id));
        }
        assert_ne!(a, b);
        b.remove(term("w"));
        assert_eq!(a, b);
        insta::assert_snapshot!(a);
    }
}
