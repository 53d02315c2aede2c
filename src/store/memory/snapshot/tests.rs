//! Round trips, and damage at any byte.

use std::fs;

use super::*;
use crate::event::Upcasters;
use crate::projection::Fingerprint;
use crate::projection::law;
use crate::store::memory::Horizon;
use crate::store::memory::MemoryStore;
use proptest::prelude::*;

fn fingerprint() -> Fingerprint {
    law::projection().fingerprint(&Upcasters::shipped())
}

fn store_of(events: &[crate::event::Event<'static>]) -> MemoryStore {
    let projection = law::projection();
    let store = MemoryStore::new(projection.types().clone());
    for event in events {
        let mut puts = Vec::new();
        projection.project(event, &mut puts);
        store.apply(&puts);
    }
    store
}

fn written(
    events: &[crate::event::Event<'static>],
) -> (tempfile::TempDir, std::path::PathBuf, MemoryStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("graph.snapshot");
    let store = store_of(events);
    let head = Head { fingerprint: fingerprint(), progress: b"progress".to_vec() };
    write(&store, &head, &path).expect("written");
    (folder, path, store)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn round_trips(events in prop::collection::vec(law::event(), 0..60)) {
        let (_folder, path, store) = written(&events);
        let types = law::projection().types().clone();
        let (graph, head) = load(&path, &types, fingerprint(), Horizon::default()).expect("loads");
        prop_assert_eq!(head.progress, b"progress");
        prop_assert_eq!(graph.digest(), store.read().digest());
        prop_assert_eq!(graph.documents(), store.read().documents());
        prop_assert_eq!(graph.counts(), store.read().counts());
    }

    #[test]
    fn damage_is_noticed(events in prop::collection::vec(law::event(), 1..20), place in any::<prop::sample::Index>(), cut in any::<bool>()) {
        let (_folder, path, _) = written(&events);
        let mut bytes = fs::read(&path).expect("read");
        let place = place.index(bytes.len());
        if cut { bytes.truncate(place) } else { bytes[place] ^= 0x20 }
        fs::write(&path, bytes).expect("written");
        let types = law::projection().types().clone();
        prop_assert!(load(&path, &types, fingerprint(), Horizon::default()).is_err());
    }
}

#[test]
fn of_another_projection_is_not_taken() {
    let (_folder, path, _) = written(&[]);
    let types = law::projection().types().clone();
    let other = Fingerprint([7; 16]);
    assert!(matches!(
        load(&path, &types, other, Horizon::default()),
        Err(LoadError::OtherProjection { .. })
    ));
    assert!(matches!(
        load(&path.with_extension("none"), &types, other, Horizon::default()),
        Err(LoadError::Missing)
    ));
}

/// A snapshot of one edge, whose blocks are whole, whatever the edge says.
fn forged(at_ms: i64, value: f64) -> Vec<u8> {
    let name = [&1_u32.to_le_bytes()[..], b"x", &[form::shape::BARE]].concat();
    let edge = [
        &[0; 12][..],
        &[0, form::shape::LIVE],
        &at_ms.to_le_bytes(),
        &value.to_le_bytes(),
        &name[..5],
    ];
    let edge = edge.concat();
    let block = |tag: u8, payload: &[u8]| {
        [&[tag][..], &(payload.len() as u16).to_le_bytes(), payload].concat()
    };
    let data = [
        block(form::tag::HEAD, b"progress"),
        block(form::tag::USERS, &name),
        block(form::tag::ITEMS, &name),
        block(form::tag::SOURCES, &name),
        block(form::tag::EDGES, &edge),
        block(form::tag::END, &1_u32.to_le_bytes()),
    ];
    fuzzing::blocks(&data.concat(), fingerprint())
}

#[test]
fn an_edge_that_no_event_makes_is_damage() {
    let types = law::projection().types().clone();
    let read =
        |file: Vec<u8>| load::read(&mut &file[..], &types, fingerprint(), Horizon::default());
    let (graph, _) = read(forged(1_700_000_000_000, 2.5)).expect("an edge like any other");
    assert_eq!(graph.edge_count(), 1);
    for (at_ms, value) in [(0, 2.5), (i64::MIN, 2.5), (1_700_000_000_000, f64::INFINITY)] {
        let refused = read(forged(at_ms, value));
        assert!(matches!(refused, Err(LoadError::Damaged(_))), "{at_ms} {value}");
    }
}
