//! The merge rule over compact edges and vertices.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::edges::{Edges, NewEdge, Slot, by_time};
use super::horizon::Horizon;
use super::popularity::Popularity;
use super::timeline::Timeline;
use super::vertices::{Profile, Vertices};
use crate::event::{EventTypes, TypeIndex};
use crate::graph::{Body, Class, Collection, Digest, Edge, EdgeKey, Key, Put, Version};

/// What became of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The graph holds it now.
    Applied,
    /// The graph held the same or a greater version.
    Superseded,
}

/// How many documents a graph holds, by collection; tombstones count as documents.
pub type Counts = BTreeMap<String, u64>;

/// One of a user's edges, with what most reads want of it: 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Event time in ms and type, as in the edge.
    at_and_kind: u64,
    pub item: u32,
    pub edge: u32,
}

impl Moment {
    pub fn at_ms(&self) -> i64 {
        (self.at_and_kind >> 8) as i64
    }

    pub fn kind(&self) -> u8 {
        self.at_and_kind as u8
    }
}

/// A graph of users and items in memory.
#[derive(Debug)]
pub struct Graph {
    pub(super) types: Arc<EventTypes>,
    pub(super) users: Vertices,
    pub(super) items: Vertices,
    pub(super) sources: Vertices,
    pub(super) edges: Edges,
    pub(super) popularity: Popularity,
    /// By the user's handle. What most reads look at lies in the timeline itself.
    pub(super) user_timelines: Vec<Timeline<Moment>>,
    /// By the item's handle: edges.
    pub(super) item_timelines: Vec<Timeline<u32>>,
    pub(super) horizon: Horizon,
    timeline_bytes: usize,
    digest: Digest,
    /// Documents of each edge collection, by type index.
    edge_counts: Vec<u64>,
}

impl Graph {
    pub fn new(types: Arc<EventTypes>) -> Self {
        Self::bounded(types, Horizon::default())
    }

    /// A graph that keeps only what lies before a horizon; see [`Horizon`].
    pub fn bounded(types: Arc<EventTypes>, horizon: Horizon) -> Self {
        Self {
            horizon,
            edge_counts: vec![0; types.len()],
            types,
            users: Vertices::default(),
            items: Vertices::default(),
            sources: Vertices::default(),
            edges: Edges::default(),
            popularity: Popularity::default(),
            user_timelines: Vec::new(),
            item_timelines: Vec::new(),
            timeline_bytes: 0,
            digest: Digest::default(),
        }
    }

    pub fn types(&self) -> &Arc<EventTypes> {
        &self.types
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Edges, live and taken back.
    pub fn edge_count(&self) -> u32 {
        self.edges.len()
    }

    pub fn counts(&self) -> Counts {
        let edges = self.types.iter().filter_map(|(index, _)| {
            self.types
                .collection(index)
                .map(|name| (name.to_owned(), self.edge_counts[usize::from(index.0)]))
        });
        let vertices =
            [(Collection::USERS, self.users.existing), (Collection::ITEMS, self.items.existing)];
        vertices.into_iter().map(|(name, count)| (name.to_owned(), count)).chain(edges).collect()
    }

    /// Bytes held by vertices, edges and their indexes; attributes of profiles are not counted.
    pub fn bytes(&self) -> usize {
        self.users.bytes()
            + self.items.bytes()
            + self.sources.bytes()
            + self.edges.bytes()
            + self.popularity.bytes()
            + self.timeline_bytes
            + self.user_timelines.capacity() * size_of::<Timeline<Moment>>()
            + self.item_timelines.capacity() * size_of::<Timeline<u32>>()
    }

    /// Applies one put by the merge rule.
    pub fn apply(&mut self, put: &Put<'_>) -> Applied {
        match (put.collection, put.key, put.body) {
            (Collection::Users | Collection::Items, _, Body::Vertex { id, attrs }) => {
                self.apply_vertex(put, id, attrs)
            }
            (Collection::Edges(of), Key::Edge(key), Body::Edge(edge)) => {
                self.apply_edge(put, of, key, &edge)
            }
            (Collection::Edges(of), Key::Edge(key), Body::Tombstone { user, item }) => {
                self.apply_tombstone(put, of, key, user, item)
            }
            _ => unreachable!("a put's constructors pair its collection, key and body"),
        }
    }

    fn apply_vertex(
        &mut self,
        put: &Put<'_>,
        id: &str,
        attrs: Option<&Map<String, Value>>,
    ) -> Applied {
        let handle =
            if put.collection == Collection::Users { self.user(id) } else { self.item(id) };
        let vertices =
            if put.collection == Collection::Users { &mut self.users } else { &mut self.items };
        let known = vertices.profiles.get(&handle);
        if vertices.get(handle).exists {
            if put.version <= known.map_or(Version::BARE, |profile| profile.version) {
                return Applied::Superseded;
            }
            let before = Body::Vertex { id, attrs: known.map(|profile| &profile.attrs) };
            self.digest.remove(Digest::term(
                put.collection,
                &put.key,
                &before.content_hash(),
                &self.types,
            ));
        } else {
            vertices.get_mut(handle).exists = true;
            vertices.existing += 1;
        }
        if let Some(attrs) = attrs {
            vertices
                .profiles
                .insert(handle, Profile { version: put.version, attrs: attrs.clone() });
        }
        self.digest.add(Digest::term(put.collection, &put.key, &put.content_hash(), &self.types));
        Applied::Applied
    }

    fn apply_edge(
        &mut self,
        put: &Put<'_>,
        of: TypeIndex,
        key: EdgeKey,
        edge: &Edge<'_>,
    ) -> Applied {
        if self.passes_over(put, of, key, edge) {
            return Applied::Superseded;
        }
        let new = NewEdge {
            user: self.user(edge.user),
            item: self.item(edge.item),
            source: self.sources.intern(edge.source),
            kind: of.0,
            at_ms: edge.at_ms,
            event_id: edge.event_id,
            value: edge.value,
        };
        match self.find(key) {
            None => {
                let added = self.edges.push(key, &new);
                self.edge_counts[usize::from(of.0)] += 1;
                self.link(added);
            }
            Some(known) => {
                let slot = self.edges.slot(known);
                if slot.is_tombstone()
                    || same_telling(slot, self.edges.value(known), &new)
                    || put.version <= self.live_version(known)
                {
                    return Applied::Superseded;
                }
                self.remove_term(known, key);
                self.unlink(known);
                self.edges.replace(known, key, &new);
                self.link(known);
            }
        }
        self.digest.add(Digest::term(put.collection, &put.key, &put.content_hash(), &self.types));
        Applied::Applied
    }

    fn apply_tombstone(
        &mut self,
        put: &Put<'_>,
        of: TypeIndex,
        key: EdgeKey,
        user: &str,
        item: &str,
    ) -> Applied {
        match self.find(key) {
            None => {
                let (user, item) = (self.user(user), self.item(item));
                self.edges.push_tombstone(key, of.0, user, item);
                self.edge_counts[usize::from(of.0)] += 1;
            }
            Some(known) if self.edges.slot(known).is_tombstone() => return Applied::Superseded,
            Some(known) => {
                self.remove_term(known, key);
                self.unlink(known);
                self.edges.bury(known, key);
            }
        }
        self.digest.add(Digest::term(put.collection, &put.key, &put.content_hash(), &self.types));
        Applied::Applied
    }

    /// Takes an edge away of which a greater version lies behind the horizon. Its place stays taken.
    pub(super) fn bury_earlier_telling(&mut self, put: &Put<'_>, key: EdgeKey) {
        if let Some(known) = self.find(key)
            && !self.edges.slot(known).is_tombstone()
            && put.version > self.live_version(known)
        {
            self.remove_term(known, key);
            self.unlink(known);
            self.edges.bury(known, key);
        }
    }

    /// Whether the graph holds only recent edges.
    pub fn is_bounded(&self) -> bool {
        self.horizon.since_ms.is_some()
    }

    /// Gives an id a handle without making its document.
    pub(super) fn intern(&mut self, collection: Collection, id: &str) -> u32 {
        if collection == Collection::Users { self.user(id) } else { self.item(id) }
    }

    fn user(&mut self, id: &str) -> u32 {
        let handle = self.users.intern(id);
        if handle as usize == self.user_timelines.len() {
            self.user_timelines.push(Timeline::default());
        }
        handle
    }

    fn item(&mut self, id: &str) -> u32 {
        let handle = self.items.intern(id);
        if handle as usize == self.item_timelines.len() {
            self.item_timelines.push(Timeline::default());
            self.popularity.add(handle);
        }
        handle
    }

    fn find(&self, key: EdgeKey) -> Option<u32> {
        self.edges.find(key, |edge| self.key(edge) == key)
    }

    /// The whole key of an edge: of a live one it is computed anew.
    pub(super) fn key(&self, edge: u32) -> EdgeKey {
        self.edges.tombstone_key(edge).unwrap_or_else(|| {
            self.with_edge(edge, |body| {
                let name = &self.types.spec(TypeIndex(self.edges.slot(edge).kind())).name;
                EdgeKey::new(body.event_id, body.source, name, body.user, body.item)
            })
        })
    }

    /// Calls `with` with what a live edge says.
    pub(super) fn with_edge<T>(&self, edge: u32, with: impl FnOnce(&Edge<'_>) -> T) -> T {
        let slot = self.edges.slot(edge);
        self.edges.with_event_id(edge, |event_id| {
            with(&Edge {
                user: &self.users.get(slot.user).id,
                item: &self.items.get(slot.item).id,
                at_ms: slot.at_ms(),
                event_id,
                source: &self.sources.get(slot.source).id,
                value: self.edges.value(edge),
            })
        })
    }

    fn live_version(&self, edge: u32) -> Version {
        self.with_edge(edge, |edge| Version::edge(&Body::Edge(*edge).content_hash()))
    }

    fn remove_term(&mut self, edge: u32, key: EdgeKey) {
        let collection = Collection::Edges(TypeIndex(self.edges.slot(edge).kind()));
        let content = self.with_edge(edge, |edge| Body::Edge(*edge).content_hash());
        self.digest.remove(Digest::term(collection, &Key::Edge(key), &content, &self.types));
    }

    /// Puts a live edge into its ends' timelines.
    fn link(&mut self, edge: u32) {
        self.change_timelines(edge, |graph, of_user, of_item| {
            of_user.insert(graph.moment(edge), |a, b| graph.precedes(a, b));
            of_item.insert(edge, |a, b| graph.before(*a, *b));
        });
        self.popularity.increment(self.edges.slot(edge).item);
    }

    fn unlink(&mut self, edge: u32) {
        self.change_timelines(edge, |graph, of_user, of_item| {
            of_user.remove(&graph.moment(edge), |a, b| graph.precedes(a, b));
            of_item.remove(&edge, |a, b| graph.before(*a, *b));
        });
        self.popularity.decrement(self.edges.slot(edge).item);
    }

    /// Lends out the timelines of an edge's ends, whose order needs the rest of the graph.
    fn change_timelines(
        &mut self,
        edge: u32,
        change: impl FnOnce(&Self, &mut Timeline<Moment>, &mut Timeline<u32>),
    ) {
        let Slot { user, item, .. } = *self.edges.slot(edge);
        let mut of_user = std::mem::take(&mut self.user_timelines[user as usize]);
        let mut of_item = std::mem::take(&mut self.item_timelines[item as usize]);
        let before = of_user.bytes() + of_item.bytes();
        change(self, &mut of_user, &mut of_item);
        self.timeline_bytes = self.timeline_bytes + of_user.bytes() + of_item.bytes() - before;
        self.user_timelines[user as usize] = of_user;
        self.item_timelines[item as usize] = of_item;
    }

    fn moment(&self, edge: u32) -> Moment {
        let slot = self.edges.slot(edge);
        Moment {
            at_and_kind: (slot.at_ms() as u64) << 8 | u64::from(slot.kind()),
            item: slot.item,
            edge,
        }
    }

    /// The order of time among the edges of one user; other edges are looked at only within one moment.
    pub(super) fn precedes(&self, a: &Moment, b: &Moment) -> bool {
        let order = a.at_ms().cmp(&b.at_ms());
        order.then_with(|| self.chronology(a.edge, b.edge)) == Ordering::Less
    }

    fn before(&self, a: u32, b: u32) -> bool {
        self.chronology(a, b) == Ordering::Less
    }

    /// The order of time: event time, then key, so that it does not depend on arrival.
    pub(super) fn chronology(&self, a: u32, b: u32) -> Ordering {
        let order = by_time(self.edges.slot(a), self.edges.slot(b));
        order.then_with(|| if a == b { Ordering::Equal } else { self.key(a).cmp(&self.key(b)) })
    }

    /// What an edge's class is: live or taken back.
    pub(super) fn class(&self, edge: u32) -> Class {
        if self.edges.slot(edge).is_tombstone() { Class::Tombstone } else { Class::Edge }
    }
}

/// Whether a live edge of one key is told the same way again: id and source are in the key.
fn same_telling(known: &Slot, value: Option<f64>, new: &NewEdge<'_>) -> bool {
    known.at_ms() == new.at_ms && value == new.value
}
