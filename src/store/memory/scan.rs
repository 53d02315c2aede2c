//! Every document of a graph, once.

use std::ops::Range;

use super::graph::Graph;
use super::vertices::Vertices;
use crate::event::TypeIndex;
use crate::graph::{Class, Collection, Put};

impl Graph {
    /// Calls `each` with a put that would make each document; vertices first.
    pub fn scan(&self, mut each: impl FnMut(&Put<'_>)) {
        for collection in [Collection::Users, Collection::Items] {
            self.scan_vertices(collection, 0..self.vertices(collection).len(), &mut each);
        }
        self.scan_edges(0..self.edges.len(), &mut each);
    }

    /// The same for the vertices of a range of handles.
    pub(super) fn scan_vertices(
        &self,
        collection: Collection,
        handles: Range<u32>,
        each: &mut dyn FnMut(&Put<'_>),
    ) {
        let vertices = self.vertices(collection);
        for handle in handles {
            let vertex = vertices.get(handle);
            let profile = vertices.profiles.get(&handle);
            if vertex.exists {
                each(&Put::stored_vertex(
                    collection,
                    &vertex.id,
                    profile.map(|profile| (&profile.attrs, profile.version)),
                ));
            }
        }
    }

    /// The same for a range of edges and tombstones.
    pub(super) fn scan_edges(&self, edges: Range<u32>, each: &mut dyn FnMut(&Put<'_>)) {
        edges.for_each(|edge| self.with_put(edge, |put| each(put)));
    }

    pub(super) fn vertices(&self, collection: Collection) -> &Vertices {
        if collection == Collection::Users { &self.users } else { &self.items }
    }

    /// Calls `with` with the put that would make an edge or its tombstone.
    pub(super) fn with_put<T>(&self, edge: u32, with: impl FnOnce(&Put<'_>) -> T) -> T {
        let of = TypeIndex(self.edges.slot(edge).kind());
        match self.class(edge) {
            Class::Tombstone => {
                let slot = self.edges.slot(edge);
                let (user, item) = (&self.users.get(slot.user).id, &self.items.get(slot.item).id);
                with(&Put::tombstone(of, self.key(edge), user, item))
            }
            _ => {
                self.with_edge(edge, |edge| with(&Put::edge(of, &self.types.spec(of).name, *edge)))
            }
        }
    }

    /// The documents of a collection as their JSON form, by key: for tests and comparisons.
    #[cfg(test)]
    pub(crate) fn documents(
        &self,
    ) -> std::collections::BTreeMap<(String, String), (crate::graph::Version, serde_json::Value)>
    {
        let mut documents = std::collections::BTreeMap::new();
        self.scan(|put| {
            let key = (put.collection.name(&self.types).to_owned(), put.key.text().into_owned());
            documents.insert(key, (put.version, put.body.to_json()));
        });
        documents
    }
}
