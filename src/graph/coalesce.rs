//! One put a document: what a batch comes to.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::Put;

/// A batch with one put a document.
#[derive(Debug, Clone, Default)]
pub struct Coalesced<'e> {
    /// Of each document the put with the greatest version, in the order of first appearance.
    pub puts: Vec<Put<'e>>,
    /// For each put of the batch, the index in `puts` of the one that stands for it.
    pub places: Vec<u32>,
}

/// Keeps of each document the put with the greatest version. Applying the result is the same as
/// applying the batch.
pub fn coalesce<'e>(batch: &[Put<'e>]) -> Coalesced<'e> {
    let mut coalesced = Coalesced {
        puts: Vec::with_capacity(batch.len()),
        places: Vec::with_capacity(batch.len()),
    };
    let mut known = HashMap::with_capacity(batch.len());
    for put in batch {
        let next = coalesced.puts.len() as u32;
        let place = match known.entry((put.collection, put.key)) {
            Entry::Vacant(vacant) => *vacant.insert(next),
            Entry::Occupied(known) => *known.get(),
        };
        if place == next {
            coalesced.puts.push(*put);
        } else if put.version > coalesced.puts[place as usize].version {
            coalesced.puts[place as usize] = *put;
        }
        coalesced.places.push(place);
    }
    coalesced
}
