//! Takes every document of a graph into a comparison.

use super::compare::Comparison;
use super::doc::{DocId, Name};
use super::error::VerifyError;
use crate::event::EventTypes;
use crate::graph::{ContentHash, Digest, Put};
use crate::replay::ground::Target;
use crate::store::{Document, Store};

/// Scans a graph; `each` is called after every document.
///
/// A document of a database is hashed as its JSON says, since somebody may have changed the body and left the
/// version; memory holds nothing but what puts can say.
pub(super) async fn scan(
    target: &Target,
    comparison: &mut Comparison,
    types: &EventTypes,
    each: &mut (dyn FnMut(u64) + Send),
) -> Result<(), VerifyError> {
    match target {
        Target::Memory(memory) => {
            let mut meet = |put: &Put<'_>| {
                meet_put(comparison, put, types);
                each(comparison.documents);
            };
            memory.store.scan_puts(&mut meet).await;
            Ok(())
        }
        Target::Database(store) => {
            let mut meet = |document: Document| {
                meet_document(comparison, document);
                each(comparison.documents);
            };
            Ok(store.scan(&mut meet).await?)
        }
    }
}

pub(super) fn meet_put(comparison: &mut Comparison, put: &Put<'_>, types: &EventTypes) {
    let term = Digest::term(put.collection, &put.key, &put.content_hash(), types);
    comparison.meet(DocId::of(put, types), put.version, term, || Name::of(put, types));
}

pub(super) fn meet_document(comparison: &mut Comparison, document: Document) {
    let Document { collection, key, version, body } = document;
    let term = Digest::term_of(&collection, &key, &ContentHash::of_json(&body));
    comparison.meet(DocId::new(&collection, &key), version, term, || Name { collection, key });
}
