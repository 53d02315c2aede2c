//! What an explanation says is what a store would hold.

use proptest::prelude::*;

use super::explanation::Explained;
use super::question::Question;
use super::trail::{Stood, Trail};
use crate::event::{Defaults, Event, EventTime, Id, Parser, Upcasters};
use crate::limits::EXPLAIN_EVENTS;
use crate::projection::law::{Model, event, projection};

/// Asks about events that stand in the log one behind the other.
fn asked(question: &Question, events: &[Event<'_>]) -> Vec<Explained> {
    let projection = projection();
    let mut trail = Trail::new(question, projection.types());
    for (sequence, event) in (1..).zip(events) {
        let mut puts = Vec::new();
        projection.project(event, &mut puts);
        trail.take(Stood { sequence, time_ms: 0 }, event, &puts);
    }
    trail.finish().0
}

proptest! {
    #[test]
    fn what_decides_is_what_a_store_holds(
        events in prop::collection::vec(event(), 1..60), user in 0..4u8, item in 0..4u8,
    ) {
        let (user, item) = (format!("u:{user}"), format!("i{item}"));
        let model = Model::of(&events, &projection());
        for question in [
            Question::Edges { user: user.clone(), item: item.clone(), of: None },
            Question::User(user.clone()),
            Question::Item(item.clone()),
        ] {
            for document in asked(&question, &events) {
                let key = (document.collection.clone(), document.key.clone());
                let (version, body) = &model.documents[&key];
                prop_assert_eq!((document.version, &document.body), (version.0, body));
                let deciding: Vec<_> = document.events.iter().filter(|step| step.decides).collect();
                prop_assert_eq!(deciding.len(), 1);
                prop_assert_eq!(deciding[0].version, document.version);
                prop_assert!(document.events.iter().all(|step| step.version <= document.version));
                prop_assert!(document.events.is_sorted_by_key(|step| step.sequence));
            }
        }
        let edges = Question::Edges { user: user.clone(), item: item.clone(), of: None };
        let ends = |body: &serde_json::Value| {
            body["_from"] == format!("users/{}", crate::graph::encode_id(&user))
                && body["_to"] == format!("items/{item}")
        };
        let expected = model.documents.values().filter(|(_, body)| ends(body)).count();
        prop_assert_eq!(asked(&edges, &events).len(), expected);
    }
}

#[test]
fn the_event_that_decides_is_told_however_old_it_is() {
    let view = br#"{"userId":"u:1","itemId":"i","eventType":"viewed"}"#;
    let parser = Parser::new(projection().types().clone(), Upcasters::shipped());
    let at = EventTime::from_ms(1_700_000_000_000).expect("in range");
    let defaults = || Defaults { id: Id::new("e").expect("valid"), at, received_ms: None };
    let event = parser.parse(view, None).expect("valid").resolve(defaults);
    let events = vec![event; 200];
    let told = asked(&Question::User("u:1".to_owned()), &events);
    assert_eq!((told.len(), told[0].total, told[0].events.len()), (1, 200, EXPLAIN_EVENTS + 1));
    let sequences: Vec<u64> = told[0].events.iter().map(|step| step.sequence).collect();
    assert_eq!((sequences[0], sequences[1], sequences[EXPLAIN_EVENTS]), (1, 151, 200));
    assert!(told[0].events[0].decides);
}
