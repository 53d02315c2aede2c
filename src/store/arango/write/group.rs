//! What goes into one request: puts of one collection, bounded in number and bytes.

use super::encode::encode;
use crate::graph::{Collection, Put};
use crate::limits::{ARANGO_BATCH_BYTES, ARANGO_BATCH_DOCUMENTS};

/// Places of puts, in the order in which they came.
pub type Members = Vec<usize>;

/// Puts by their collections: those of vertices, then those of edges, which are written after them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Groups {
    pub vertices: Vec<(Collection, Members)>,
    pub edges: Vec<(Collection, Members)>,
}

/// One request.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    pub collection: Collection,
    pub members: Members,
    /// The documents as a JSON array, in the order of the members.
    pub body: String,
}

/// Groups the puts that `wanted` keeps.
pub fn group(puts: &[Put<'_>], mut wanted: impl FnMut(&Put<'_>) -> bool) -> Groups {
    let mut groups = Groups::default();
    for (place, put) in puts.iter().enumerate().filter(|(_, put)| wanted(put)) {
        let phase = match put.collection {
            Collection::Users | Collection::Items => &mut groups.vertices,
            Collection::Edges(_) => &mut groups.edges,
        };
        // A handful of collections: looking through them costs less than hashing.
        match phase.iter_mut().find(|(collection, _)| *collection == put.collection) {
            Some((_, members)) => members.push(place),
            None => phase.push((put.collection, vec![place])),
        }
    }
    groups
}

/// Writes a group as few requests as the bounds allow.
pub fn batches(puts: &[Put<'_>], collection: Collection, members: &[usize]) -> Vec<Batch> {
    let mut done = Vec::new();
    let mut body = Vec::with_capacity(2 + 192 * members.len().min(ARANGO_BATCH_DOCUMENTS));
    let mut begin = 0;
    for (place, member) in members.iter().enumerate() {
        let end = body.len();
        body.push(if place == begin { b'[' } else { b',' });
        encode(&puts[*member], &mut body);
        let full = place - begin == ARANGO_BATCH_DOCUMENTS || body.len() + 1 > ARANGO_BATCH_BYTES;
        if full && place > begin {
            let mut next = body.split_off(end);
            next[0] = b'[';
            let full = std::mem::replace(&mut body, next);
            done.push(batch(collection, &members[begin..place], full));
            begin = place;
        }
    }
    if begin < members.len() {
        done.push(batch(collection, &members[begin..], body));
    }
    done
}

fn batch(collection: Collection, members: &[usize], mut body: Vec<u8>) -> Batch {
    body.push(b']');
    let body = String::from_utf8(body).expect("JSON is UTF-8");
    Batch { collection, members: members.to_vec(), body }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::TypeIndex;
    use crate::graph::Edge;

    fn edge(event_id: &str, of: u8) -> Put<'_> {
        let edge = Edge { user: "u", item: "i", at_ms: 1, event_id, source: "s", value: None };
        Put::edge(TypeIndex(of), "viewed", edge)
    }

    #[test]
    fn vertices_stand_before_edges_and_each_collection_has_its_group() {
        let puts = [
            edge("1", 3),
            Put::bare_user("u"),
            edge("2", 4),
            Put::bare_item("i"),
            edge("3", 3),
            Put::bare_user("v"),
        ];
        let groups = group(&puts, |put| put.key != crate::graph::Key::Vertex("v"));
        assert_eq!(groups.vertices, [(Collection::Users, vec![1]), (Collection::Items, vec![3])]);
        let edges = [
            (Collection::Edges(TypeIndex(3)), vec![0, 4]),
            (Collection::Edges(TypeIndex(4)), vec![2]),
        ];
        assert_eq!(groups.edges, edges);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn batches_hold_every_put_once_in_order_and_keep_the_bounds(sizes in prop::collection::vec(prop_oneof![20 => 0usize..300, 1 => 10_000usize..900_000], 0..1_500)) {
            let profiles: Vec<_> = sizes.iter().map(|size| json!({ "text": "x".repeat(*size) })).collect();
            let ids: Vec<String> = (0..sizes.len()).map(|n| format!("i{n}")).collect();
            let puts: Vec<Put<'_>> = ids.iter().zip(&profiles)
                .map(|(id, profile)| Put::profile(Collection::Items, id, profile.as_object().expect("an object"), 1))
                .collect();
            let members: Vec<usize> = (0..puts.len()).collect();
            let made = batches(&puts, Collection::Items, &members);
            prop_assert_eq!(made.iter().flat_map(|batch| batch.members.clone()).collect::<Vec<_>>(), members);
            for batch in &made {
                prop_assert!((1..=ARANGO_BATCH_DOCUMENTS).contains(&batch.members.len()));
                prop_assert!(batch.body.len() <= ARANGO_BATCH_BYTES || batch.members.len() == 1);
                let documents: Vec<Value> = serde_json::from_str(&batch.body).expect("JSON");
                let keys: Vec<_> = documents.iter().map(|document| document["_key"].as_str().expect("a key")).collect();
                prop_assert_eq!(keys, batch.members.iter().map(|place| ids[*place].as_str()).collect::<Vec<_>>());
            }
        }
    }
}
