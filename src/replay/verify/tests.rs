//! Whatever is done to a graph behind its back is named, and nothing else, while events are applied in any order.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;
use serde_json::json;

use super::behind::Behind;
use super::compare::{Comparison, Judged, Known, What};
use super::doc::DocId;
use super::scan::meet_document;
use super::shadow::Shadow;
use crate::event::Event;
use crate::graph::{Put, Version};
use crate::projection::law::{Model, digest_of, event, projection};
use crate::store::Document;

type Name = (String, String);

/// What somebody does to one document.
#[derive(Debug, Clone, Copy)]
enum Tampering {
    Change,
    RaiseVersion,
    Remove,
    Add,
}

/// A log with its ends before and after the scan, what is not applied, and what is done to the graph.
#[derive(Debug)]
struct Scene {
    events: Vec<Event<'static>>,
    before: usize,
    /// Of each event whether it is applied; those behind `before` may be.
    applied: Vec<bool>,
    tampered: Vec<(usize, Tampering)>,
}

fn scene() -> impl Strategy<Value = Scene> {
    let tampering = prop::sample::select(vec![
        Tampering::Change,
        Tampering::RaiseVersion,
        Tampering::Remove,
        Tampering::Add,
    ]);
    let events = prop::collection::vec(event(), 1..50);
    let tampered = prop::collection::vec((any::<prop::sample::Index>(), tampering), 0..5);
    (events, any::<prop::sample::Index>(), prop::collection::vec(any::<bool>(), 50), tampered)
        .prop_map(|(events, before, applied, tampered)| {
            let before = before.index(events.len() + 1);
            let place = |place: prop::sample::Index| place.index(1 << 20);
            let tampered = tampered.into_iter().map(|(at, what)| (place(at), what)).collect();
            Scene { events, before, applied, tampered }
        })
}

impl Scene {
    fn shadow(&self) -> Shadow {
        let mut shadow = Shadow::default();
        each_put(&self.events[..self.before], |_, put| shadow.fold(put, projection().types()));
        shadow
    }

    /// Does it, and returns the documents that are not as they should be any more.
    fn tamper(&self, model: &mut Model, expected: &Model) -> BTreeMap<Name, What> {
        let mut done = BTreeMap::new();
        for (at, what) in &self.tampered {
            if let Tampering::Add = what {
                let name = ("viewed".to_owned(), format!("=added{at}"));
                model.documents.insert(name.clone(), (Version(*at as u64), json!({ "at": at })));
                done.insert(name, What::Extra);
                continue;
            }
            if model.documents.is_empty() {
                continue;
            }
            let names: Vec<Name> = model.documents.keys().cloned().collect();
            let name = names[at % names.len()].clone();
            let is_expected = expected.documents.contains_key(&name);
            let (version, body) = model.documents.get_mut(&name).expect("chosen among them");
            match what {
                Tampering::Change => *body = json!({ "changed": at }),
                Tampering::RaiseVersion => version.0 = u64::MAX,
                Tampering::Remove if is_expected => {
                    model.documents.remove(&name);
                    done.insert(name, What::Missing);
                    continue;
                }
                // Its put is as young as the scan: nobody can tell that it was there.
                Tampering::Remove | Tampering::Add => continue,
            }
            let other = if is_expected { What::OtherBody } else { What::Extra };
            done.entry(name).or_insert(other);
        }
        done
    }

    /// Compares a graph with the log, whose later puts come after the scan.
    fn compare(&self, graph: &Model, pending: &HashSet<DocId>, whole: bool) -> Judged {
        let mut comparison = Comparison::new(self.shadow());
        for ((collection, key), (version, body)) in &graph.documents {
            let (collection, key, body) = (collection.clone(), key.clone(), body.clone());
            meet_document(&mut comparison, Document { collection, key, version: *version, body });
        }
        each_put(&self.events[self.before..], |_, put| {
            comparison.later(put, projection().types());
        });
        comparison.judge(Known { pending, whole })
    }
}

fn each_put(events: &[Event<'_>], mut each: impl FnMut(u64, &Put<'_>)) {
    let projection = projection();
    for (sequence, event) in (1..).zip(events) {
        let mut puts = Vec::new();
        projection.project(event, &mut puts);
        puts.iter().for_each(|put| each(sequence, put));
    }
}

fn told(judged: Judged) -> BTreeMap<DocId, What> {
    judged.first.into_iter().map(|difference| (difference.id, difference.what)).collect()
}

fn ids(done: &BTreeMap<Name, What>) -> BTreeMap<DocId, What> {
    done.iter().map(|((collection, key), what)| (DocId::new(collection, key), *what)).collect()
}

proptest! {
    #[test]
    fn exactly_what_was_tampered_with_is_named_while_events_flow(scene in scene()) {
        let (before, after) = scene.events.split_at(scene.before);
        // The merge rule has no order: the later ones may come first.
        let later = after.iter().zip(&scene.applied).filter(|(_, applied)| **applied);
        let flowing = later.map(|(event, _)| event).chain(before.iter().rev());
        let mut graph = Model::of(flowing, &projection());
        let done = scene.tamper(&mut graph, &Model::of(before, &projection()));
        let judged = scene.compare(&graph, &HashSet::new(), true);
        prop_assert_eq!(judged.count(What::Pending) + judged.count(What::Unprovable), 0);
        prop_assert_eq!(told(judged), ids(&done));
    }

    #[test]
    fn what_is_set_aside_explains_what_is_not_there_yet_and_nothing_else(scene in scene()) {
        let (before, _) = scene.events.split_at(scene.before);
        let aside = |applied: bool| before.iter().zip(&scene.applied).filter(move |(_, is)| **is == applied);
        let mut pending = HashSet::new();
        for (event, _) in aside(false) {
            each_put(std::slice::from_ref(event), |_, put| {
                pending.insert(DocId::of(put, projection().types()));
            });
        }
        let mut graph = Model::of(aside(true).map(|(event, _)| event), &projection());
        let whole = Model::of(before, &projection());
        let untouched = graph.clone();
        let done = ids(&scene.tamper(&mut graph, &whole));
        let told = told(scene.compare(&graph, &pending, true));
        for (id, what) in &told {
            let tampered = done.contains_key(id);
            prop_assert!(*what == What::Pending && pending.contains(id) || tampered, "{:?}", what);
        }
        for (name, (version, _)) in &whole.documents {
            let held = untouched.documents.get(name).map(|(version, _)| version);
            let id = DocId::new(&name.0, &name.1);
            if held != Some(version) && !done.contains_key(&id) {
                prop_assert_eq!(told.get(&id), Some(&What::Pending));
            }
        }
        for (id, what) in &done {
            let excused = told.get(id) == Some(&What::Pending);
            prop_assert!(told.contains_key(id) && (!excused || pending.contains(id)), "{:?}", what);
        }
    }

    #[test]
    fn what_a_log_has_lost_is_unprovable_and_what_it_holds_is_still_compared(scene in scene()) {
        let graph = Model::of(&scene.events, &projection());
        let kept = scene.events.iter().zip(&scene.applied).filter(|(_, kept)| **kept);
        let events: Vec<Event<'static>> = kept.map(|(event, _)| event.clone()).collect();
        let lost = Scene { before: events.len(), events, applied: Vec::new(), tampered: Vec::new() };
        let judged = lost.compare(&graph, &HashSet::new(), false);
        let expected = Model::of(&lost.events, &projection());
        let beyond = graph.documents.iter().filter(|(name, held)| expected.documents.get(*name) != Some(*held));
        prop_assert_eq!(judged.count(What::Unprovable), beyond.count() as u64);
        prop_assert_eq!(judged.first.len() as u64, judged.count(What::Unprovable));
        // What lacks is a difference in any case.
        let nothing = lost.compare(&Model::default(), &HashSet::new(), false);
        prop_assert_eq!(nothing.count(What::Missing), expected.documents.len() as u64);
    }

    #[test]
    fn the_shadow_has_the_digest_of_a_graph(events in prop::collection::vec(event(), 1..50)) {
        let mut shadow = Shadow::default();
        each_put(&events, |_, put| shadow.fold(put, projection().types()));
        let straight: Vec<&Event<'_>> = events.iter().collect();
        prop_assert_eq!(shadow.digest(), digest_of(&straight, &projection()));
        prop_assert_eq!(shadow.len(), Model::of(&events, &projection()).documents.len() as u64);
        let scene = Scene { before: events.len(), events, applied: Vec::new(), tampered: Vec::new() };
        let mut comparison = Comparison::new(scene.shadow());
        for ((collection, key), (version, body)) in Model::of(&scene.events, &projection()).documents {
            meet_document(&mut comparison, Document { collection, key, version, body });
        }
        prop_assert_eq!(comparison.digest, shadow.digest());
    }

    #[test]
    fn a_difference_is_told_with_its_name_and_its_newest_events(events in prop::collection::vec(event(), 1..50)) {
        let scene = Scene { before: events.len(), events, applied: Vec::new(), tampered: Vec::new() };
        let judged = scene.compare(&Model::default(), &HashSet::new(), true);
        let mut behind = Behind::new(judged.first);
        let mut all: BTreeMap<Name, BTreeSet<u64>> = BTreeMap::new();
        each_put(&scene.events, |sequence, put| {
            behind.take(sequence, put, projection().types());
            let name = put.collection.name(projection().types()).to_owned();
            all.entry((name, put.key.text().into_owned())).or_default().insert(sequence);
        });
        for found in behind.found() {
            let newest = all[&(found.collection, found.key)].iter().rev().take(5).copied();
            prop_assert_eq!(found.sequences, newest.collect::<Vec<_>>());
            prop_assert_eq!((found.what.as_str(), found.found_version), ("missing", None));
        }
    }
}

#[test]
fn all_differences_are_counted_and_the_gravest_are_named() {
    let mut comparison = Comparison::new(Shadow::default());
    for number in 0..1_000 {
        let (collection, key) = ("viewed".to_owned(), format!("k{number}"));
        let document = Document { collection, key, version: Version(1), body: json!({}) };
        meet_document(&mut comparison, document);
    }
    let judged = comparison.judge(Known { pending: &HashSet::new(), whole: true });
    assert_eq!((judged.count(What::Extra), judged.first.len()), (1_000, 100));
    assert!(judged.first.iter().all(|difference| difference.name.is_some()));
}
