//! One put a document: what a batch comes to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Put;

/// Keeps of each document the put with the greatest version, in the order of first appearance.
///
/// Applying the result is the same as applying the batch.
pub fn coalesce<'e>(puts: &[Put<'e>]) -> Vec<Put<'e>> {
    let mut kept: Vec<Put<'e>> = Vec::with_capacity(puts.len());
    let mut place = HashMap::with_capacity(puts.len());
    for put in puts {
        match place.entry((put.collection, put.key)) {
            Entry::Vacant(vacant) => {
                vacant.insert(kept.len());
                kept.push(*put);
            }
            Entry::Occupied(known) => {
                let before = &mut kept[*known.get()];
                if put.version > before.version {
                    *before = *put;
                }
            }
        }
    }
    kept
}
