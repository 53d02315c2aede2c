//! Every document of a graph, once.

use super::graph::Graph;
use crate::event::TypeIndex;
use crate::graph::{Class, Collection, Put};

impl Graph {
    /// Calls `each` with a put that would make each document; vertices first.
    pub fn scan(&self, mut each: impl FnMut(&Put<'_>)) {
        for collection in [Collection::Users, Collection::Items] {
            let vertices = if collection == Collection::Users { &self.users } else { &self.items };
            for (handle, vertex) in vertices.iter().filter(|(_, vertex)| vertex.exists) {
                let profile = vertices.profiles.get(&handle);
                each(&Put::stored_vertex(
                    collection,
                    &vertex.id,
                    profile.map(|profile| (&profile.attrs, profile.version)),
                ));
            }
        }
        (0..self.edges.len()).for_each(|edge| self.with_put(edge, |put| each(put)));
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
