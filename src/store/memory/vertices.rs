//! Users or items: a handle each, found by raw id.

use std::collections::HashMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use serde_json::{Map, Value};

use crate::graph::Version;

/// A profile's attributes and the version that they came with.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub version: Version,
    pub attrs: Map<String, Value>,
}

#[derive(Debug)]
pub(super) struct Vertex {
    pub id: Box<str>,
    /// Whether the document exists: an edge may come before its ends.
    pub exists: bool,
    /// Whether it has edges that a bounded graph does not hold.
    pub older: bool,
}

/// All vertices of one collection. Handles count up from 0 and are never given back.
#[derive(Debug, Default)]
pub(super) struct Vertices {
    all: Vec<Vertex>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    pub profiles: HashMap<u32, Profile>,
    pub existing: u64,
    id_bytes: usize,
}

impl Vertices {
    pub fn len(&self) -> u32 {
        self.all.len() as u32
    }

    pub fn get(&self, handle: u32) -> &Vertex {
        &self.all[handle as usize]
    }

    pub fn get_mut(&mut self, handle: u32) -> &mut Vertex {
        &mut self.all[handle as usize]
    }

    pub fn find(&self, id: &str) -> Option<u32> {
        self.index
            .find(self.hasher.hash_one(id), |known| *self.all[*known as usize].id == *id)
            .copied()
    }

    /// The handle of an id, made if there is none.
    pub fn intern(&mut self, id: &str) -> u32 {
        let Self { all, index, hasher, id_bytes, .. } = self;
        let hash = hasher.hash_one(id);
        let entry = index.entry(
            hash,
            |known| *all[*known as usize].id == *id,
            |known| hasher.hash_one(&*all[*known as usize].id),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(known) => *known.get(),
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                let handle = all.len() as u32;
                vacant.insert(handle);
                *id_bytes += id.len();
                all.push(Vertex { id: id.into(), exists: false, older: false });
                handle
            }
        }
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Vertex)> {
        self.all.iter().enumerate().map(|(handle, vertex)| (handle as u32, vertex))
    }

    pub fn bytes(&self) -> usize {
        self.id_bytes + self.all.capacity() * size_of::<Vertex>() + self.index.allocation_size()
    }
}
