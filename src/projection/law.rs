//! The one law: a graph is a function of the set of events.
//!
//! The events, and the model of a store that everything else is compared with, serve the stores'
//! tests too.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::Projection;
use crate::event::{Event, EventTime, EventTypes, Id, Kind, Line};
use crate::graph::{Digest, Put, Version, coalesce};

/// A store of the most obvious kind.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Model {
    pub documents: BTreeMap<(String, String), (Version, Value)>,
}

impl Model {
    pub fn apply(&mut self, puts: &[Put<'_>], types: &EventTypes) {
        for put in puts {
            let key = (put.collection.name(types).to_owned(), put.key.text().into_owned());
            self.put(key, put.version, || put.body.to_json());
        }
    }

    fn put(&mut self, key: (String, String), version: Version, body: impl FnOnce() -> Value) {
        let known = self.documents.get(&key).map(|(version, _)| *version);
        if known.is_none_or(|known| version > known) {
            self.documents.insert(key, (version, body()));
        }
    }

    /// What a graph holds that was fed from both.
    pub fn merged(mut self, other: Self) -> Self {
        for (key, (version, body)) in other.documents {
            self.put(key, version, || body);
        }
        self
    }

    pub fn of<'e, 'a: 'e>(
        events: impl IntoIterator<Item = &'e Event<'a>>,
        projection: &Projection,
    ) -> Self {
        let mut model = Self::default();
        for event in events {
            let mut puts = Vec::new();
            projection.project(event, &mut puts);
            model.apply(&puts, projection.types());
        }
        model
    }
}

pub fn projection() -> Projection {
    Projection::new(Arc::new(EventTypes::builtin()))
}

/// Sums the digest the way a store does, put by put.
pub fn digest_of(events: &[&Event<'_>], projection: &Projection) -> Digest {
    let types = projection.types();
    let mut held: BTreeMap<(String, String), (Version, Digest)> = BTreeMap::new();
    let mut digest = Digest::default();
    for event in events {
        let mut puts = Vec::new();
        projection.project(event, &mut puts);
        for put in puts {
            let key = (put.collection.name(types).to_owned(), put.key.text().into_owned());
            let term = Digest::term(put.collection, &put.key, &put.content_hash(), types);
            if let Some((version, before)) = held.get(&key) {
                if put.version <= *version {
                    continue;
                }
                digest.remove(*before);
            }
            digest.add(term);
            held.insert(key, (put.version, term));
        }
    }
    digest
}

/// Any valid event, from so few ids that events meet all the time.
pub fn event() -> impl Strategy<Value = Event<'static>> {
    let types = EventTypes::builtin();
    let names = [
        "viewed",
        "purchased",
        "liked",
        "refunded",
        "unliked",
        "user_profile",
        "item_profile",
        "searched",
    ];
    let types: Vec<_> = names.iter().map(|name| types.find(name).expect("built in")).collect();
    (
        (prop::sample::select(types), 0..4u8, 0..4u8, 0..6u8, 0..2u8, 0..3i64),
        (
            prop::option::weighted(0.3, 0..3u8),
            prop::collection::vec((0..3u8, prop::option::of(0..5u8)), 0..4),
            0..3u8,
        ),
    )
        .prop_map(|((event_type, user, item, id, source, at), (value, lines, attrs))| {
            let text = |prefix: &str, n: u8| Id::new(format!("{prefix}{n}")).expect("valid");
            let types = EventTypes::builtin();
            let kind = &types.spec(event_type).kind;
            let lines = if matches!(kind, Kind::Interaction { .. } | Kind::Retraction { .. }) {
                lines
            } else {
                Vec::new()
            };
            Event {
                id: text("e", id),
                event_type,
                user: Some(text("u:", user)),
                item: lines.is_empty().then(|| text("i", item)),
                lines: lines
                    .into_iter()
                    .map(|(item, value)| Line {
                        item: text("i", item),
                        value: value.map(f64::from),
                    })
                    .collect(),
                at: EventTime::from_ms(1_700_000_000_000 + at).expect("in range"),
                source: text("s", source),
                value: value.map(f64::from),
                retracts: matches!(kind, Kind::Retraction { .. }).then(|| text("e", id)),
                properties: attributes(attrs),
                context: serde_json::Map::new(),
                received_ms: None,
                received_from: None,
                schema: 1,
            }
        })
}

fn attributes(n: u8) -> Map<String, Value> {
    match n {
        0 => Map::new(),
        n => json!({ "title": format!("t{n}"), "n": n }).as_object().cloned().expect("an object"),
    }
}

/// Events with a permutation of their indexes, in which some come more than once.
pub fn events_and_deliveries() -> impl Strategy<Value = (Vec<Event<'static>>, Vec<usize>)> {
    prop::collection::vec(event(), 1..40).prop_flat_map(|events| {
        let once: Vec<usize> = (0..events.len()).collect();
        let again = prop::collection::vec(0..events.len(), 0..20);
        (
            Just(events),
            again.prop_flat_map(move |again| {
                let mut all = once.clone();
                all.extend(again);
                Just(all).prop_shuffle()
            }),
        )
    })
}

proptest! {
    #[test]
    fn order_and_repetition_make_no_difference((events, deliveries) in events_and_deliveries()) {
        let projection = projection();
        let delivered: Vec<&Event<'_>> = deliveries.iter().map(|index| &events[*index]).collect();
        let straight: Vec<&Event<'_>> = events.iter().collect();
        prop_assert_eq!(Model::of(&events, &projection), Model::of(delivered.iter().copied(), &projection));
        prop_assert_eq!(digest_of(&straight, &projection), digest_of(&delivered, &projection));
    }

    #[test]
    fn coalescing_a_batch_makes_no_difference(events in prop::collection::vec(event(), 1..40)) {
        let projection = projection();
        let mut puts = Vec::new();
        events.iter().for_each(|event| projection.project(event, &mut puts));
        let coalesced = coalesce(&puts).puts;
        let (mut straight, mut model) = (Model::default(), Model::default());
        straight.apply(&puts, projection.types());
        model.apply(&coalesced, projection.types());
        prop_assert_eq!(straight.documents.len(), coalesced.len());
        prop_assert_eq!(straight, model);
    }

    #[test]
    fn ranges_may_be_applied_apart_and_merged(events in prop::collection::vec(event(), 2..40), cut in 1..39usize) {
        let projection = projection();
        let cut = cut.min(events.len() - 1);
        let (left, right) = events.split_at(cut);
        let merged = Model::of(right, &projection).merged(Model::of(left, &projection));
        prop_assert_eq!(Model::of(&events, &projection), merged);
    }

    #[test]
    fn events_may_stand_in_any_of_several_logs(
        events in prop::collection::vec((event(), 1..8u8), 1..40),
    ) {
        let projection = projection();
        // Each bit of the number is a log that holds the event; some hold it all.
        let logs = (0..3).map(|log| events.iter().filter(move |(_, logs)| logs & (1 << log) != 0));
        let graphs = logs.map(|log| Model::of(log.map(|(event, _)| event), &projection));
        let merged = graphs.reduce(Model::merged).expect("three logs");
        prop_assert_eq!(Model::of(events.iter().map(|(event, _)| event), &projection), merged);
    }

    #[test]
    fn a_crash_and_what_is_delivered_again_make_no_difference(
        events in prop::collection::vec(event(), 1..40), crash in 0..40usize, acknowledged in 0..40usize,
    ) {
        let projection = projection();
        let crash = crash.min(events.len());
        let resume = acknowledged.min(crash);
        let delivered = events[..crash].iter().chain(&events[resume..]);
        prop_assert_eq!(Model::of(&events, &projection), Model::of(delivered, &projection));
    }

    #[test]
    fn equal_versions_of_a_document_mean_equal_bodies(events in prop::collection::vec(event(), 1..60)) {
        let projection = projection();
        let mut puts = Vec::new();
        events.iter().for_each(|event| projection.project(event, &mut puts));
        let mut known: BTreeMap<_, Value> = BTreeMap::new();
        for put in &puts {
            let body = put.body.to_json();
            let before = known.entry((put.collection, put.key, put.version)).or_insert_with(|| body.clone());
            prop_assert_eq!(before, &body);
        }
    }
}

#[test]
fn one_event_id_of_two_sources_is_two_edges() {
    let projection = projection();
    let json = |source: &str| {
        format!(
            r#"{{"eventId":"1","userId":"u","itemId":"i","eventType":"viewed","timestamp":1700000000,"source":"{source}"}}"#
        )
    };
    let parser =
        crate::event::Parser::new(projection.types().clone(), crate::event::Upcasters::shipped());
    let (a, b) = (json("web"), json("app"));
    let parsed = [&a, &b].map(|json| {
        let default = || crate::event::Defaults {
            id: Id::new("x").expect("valid"),
            at: EventTime::from_ms(1_700_000_000_000).expect("valid"),
            received_ms: None,
        };
        parser.parse(json.as_bytes(), None).expect("valid").resolve(default)
    });
    let edges = Model::of(&parsed, &projection)
        .documents
        .keys()
        .filter(|(collection, _)| collection == "viewed")
        .count();
    assert_eq!(edges, 2);
}

#[test]
fn a_refund_takes_back_its_purchase_in_either_order() {
    let projection = projection();
    let parser =
        crate::event::Parser::new(projection.types().clone(), crate::event::Upcasters::shipped());
    let at = EventTime::from_ms(1_700_000_000_000).expect("valid");
    let event = |json: &'static str| {
        let default = || crate::event::Defaults {
            id: Id::new("refund-1").expect("valid"),
            at,
            received_ms: None,
        };
        parser.parse(json.as_bytes(), None).expect("valid").resolve(default)
    };
    let bought =
        event(r#"{"eventId":"order-7","userId":"u","itemId":"i","eventType":"purchased"}"#);
    let refunded =
        event(r#"{"retracts":"order-7","userId":"u","itemId":"i","eventType":"refunded"}"#);
    let straight = Model::of([&bought, &refunded], &projection);
    assert_eq!(straight, Model::of([&refunded, &bought], &projection));
    let edges: Vec<&Value> = straight
        .documents
        .iter()
        .filter(|((c, _), _)| c == "purchased")
        .map(|(_, (_, body))| body)
        .collect();
    assert_eq!(
        edges,
        [&json!({"_from": "users/u", "_to": "items/i", "ts": null, "retracted": true})]
    );
}
