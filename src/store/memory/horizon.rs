//! A graph bounded to recent events, for an image in front of a store that holds everything.
//!
//! Purchases, what was taken back and profiles are never bounded. Whoever has older edges is marked, so
//! that reads know where the image does not hold all there is. A bounded graph has no digest to speak of.

use super::graph::Graph;
use super::store::MemoryStore;
use crate::event::TypeIndex;
use crate::graph::{Collection, Edge, EdgeKey, Put};

/// From when on edges are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Horizon {
    /// Event time in ms (inclusive); `None` keeps everything.
    pub since_ms: Option<i64>,
    /// The type of which everything is kept.
    pub always: Option<TypeIndex>,
}

impl Horizon {
    fn drops(&self, of: TypeIndex, at_ms: i64) -> bool {
        self.since_ms.is_some_and(|since_ms| at_ms < since_ms) && self.always != Some(of)
    }
}

impl Graph {
    /// True if an edge lies behind the horizon; its ends are then marked, and an earlier telling of it goes.
    pub(super) fn passes_over(
        &mut self,
        put: &Put<'_>,
        of: TypeIndex,
        key: EdgeKey,
        edge: &Edge<'_>,
    ) -> bool {
        if !self.horizon.drops(of, edge.at_ms) {
            return false;
        }
        self.mark_older(Collection::Users, edge.user);
        self.mark_older(Collection::Items, edge.item);
        self.bury_earlier_telling(put, key);
        true
    }

    /// Marks that a user or an item has edges which this graph does not hold.
    pub(super) fn mark_older(&mut self, collection: Collection, id: &str) {
        let handle = self.intern(collection, id);
        let vertices =
            if collection == Collection::Users { &mut self.users } else { &mut self.items };
        vertices.get_mut(handle).older = true;
    }

    /// Returns the same graph with a later horizon.
    #[must_use]
    pub fn since(&self, horizon: Horizon) -> Self {
        let mut graph = Self::bounded(self.types().clone(), horizon);
        self.scan(|put| _ = graph.apply(put));
        for collection in [Collection::Users, Collection::Items] {
            let vertices = self.vertices(collection);
            let all = (0..vertices.len()).map(|handle| vertices.get(handle));
            all.filter(|vertex| vertex.older)
                .for_each(|vertex| graph.mark_older(collection, &vertex.id));
        }
        graph
    }
}

impl MemoryStore {
    /// Forgets what lies behind a later horizon. Only for the one who writes: what others write meanwhile
    /// is lost. Readers go on with what there was.
    pub fn raise(&self, horizon: Horizon) {
        let risen = self.read().since(horizon);
        *self.write() = risen;
    }

    /// Whether the graph does not hold all edges of a user.
    pub fn has_older_of_user(&self, id: &str) -> bool {
        let graph = self.read();
        graph.users.find(id).is_some_and(|handle| graph.users.get(handle).older)
    }

    /// Whether the graph does not hold all edges of an item.
    pub fn has_older_of_item(&self, id: &str) -> bool {
        let graph = self.read();
        graph.items.find(id).is_some_and(|handle| graph.items.get(handle).older)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::event::EventTypes;
    use crate::projection::law;

    const CUT: i64 = 1_700_000_000_001;

    fn fill(mut graph: Graph, events: &[crate::event::Event<'_>]) -> Graph {
        let projection = law::projection();
        for event in events {
            let mut puts = Vec::new();
            projection.project(event, &mut puts);
            puts.iter().for_each(|put| _ = graph.apply(put));
        }
        graph
    }

    fn horizon(since_ms: i64) -> Horizon {
        Horizon { since_ms: Some(since_ms), always: EventTypes::builtin().find("purchased") }
    }

    fn history(graph: &Graph, user: &str) -> Vec<crate::store::HistoryEntry> {
        graph.history(user, None, None, usize::MAX, usize::MAX).entries
    }

    proptest! {
        #[test]
        fn whoever_is_not_marked_is_known_whole(events in prop::collection::vec(law::event(), 1..60)) {
            let types = Arc::new(EventTypes::builtin());
            let whole = fill(Graph::new(types.clone()), &events);
            let bounded = fill(Graph::bounded(types.clone(), horizon(CUT)), &events);
            let later = fill(Graph::bounded(types, horizon(CUT - 1)), &events).since(horizon(CUT));
            for graph in [&bounded, &later] {
                for user in ["u:0", "u:1", "u:2", "u:3"] {
                    let older = graph.users.find(user).is_some_and(|handle| graph.users.get(handle).older);
                    let (all, held) = (history(&whole, user), history(graph, user));
                    let purchase = EventTypes::builtin().find("purchased").expect("built in");
                    prop_assert!(held.iter().all(|entry| entry.at_ms >= CUT || entry.event_type == purchase));
                    prop_assert!(held.iter().all(|entry| all.contains(entry) || older));
                    prop_assert!(older || held == all);
                }
                prop_assert_eq!(graph.counts()["users"], whole.counts()["users"]);
            }
        }
    }
}
