//! Plans: what is missing, what differs, what cannot be.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::api::Target;
use super::existing::{Collection, Existing, Graph, Index, Record};
use super::planning::{edge_collections, plan_steps};
use super::problem::Problem;
use super::report::{Plan, StepState};
use super::steps::{STEPS, read};
use crate::event::EventTypes;

fn target() -> Target {
    Target {
        types: Arc::new(EventTypes::builtin()),
        shards: 3,
        replication_factor: 2,
        write_concern: 1,
        one_shard: false,
    }
}

fn collection(kind: u32) -> Collection {
    serde_json::from_value(json!({
        "type": kind, "numberOfShards": 3, "replicationFactor": 2, "writeConcern": 1, "name": "any",
    }))
    .expect("properties")
}

fn index(name: &str, fields: [&str; 2], stored: &[&str]) -> Index {
    serde_json::from_value(json!({
        "type": "persistent", "name": name, "fields": fields, "storedValues": stored, "unique": false,
    }))
    .expect("an index")
}

fn record(number: u32) -> Record {
    let step = &STEPS[number as usize - 1];
    Record {
        number,
        name: step.name.clone(),
        checksum: step.checksum.clone(),
        made: Vec::new(),
        weir: "0.1.0".to_owned(),
        at_ms: 0,
    }
}

/// A database as `apply` leaves it.
fn complete() -> Existing {
    let edges = edge_collections(&target());
    let vertices = ["users", "items"].map(|name| (name.to_owned(), collection(2)));
    let all = edges.iter().map(|name| (name.clone(), collection(3)));
    let indexes = |name: &String| {
        let both = vec![
            index("of_user", ["_from", "ts"], &["_to"]),
            index("of_item", ["_to", "ts"], &["_from"]),
        ];
        (name.clone(), both)
    };
    let definition =
        |name: &String| json!({"collection": name, "from": ["users"], "to": ["items"]});
    let definitions: Vec<_> = edges.iter().map(definition).collect();
    let graph: Graph =
        serde_json::from_value(json!({ "edgeDefinitions": definitions })).expect("a graph");
    Existing {
        sharding: Some(String::new()),
        collections: vertices.into_iter().chain(all).collect(),
        indexes: edges.iter().map(indexes).collect(),
        graphs: BTreeMap::from([("behaviour".to_owned(), graph)]),
        records: (1..=STEPS.len() as u32).map(record).collect(),
    }
}

fn plan_of(existing: &Existing) -> Result<Plan, Vec<Problem>> {
    plan_steps("recsys_g1", &STEPS, Some(existing), &target())
}

fn problems(existing: &Existing) -> Vec<String> {
    plan_of(existing).expect_err("problems").iter().map(ToString::to_string).collect()
}

#[test]
fn the_files_are_numbered_steps_of_one_name_each() {
    for (step, number) in STEPS.iter().zip(1..) {
        assert_eq!((step.number, step.checksum.len()), (number, 64));
    }
    let names: std::collections::BTreeSet<&str> =
        STEPS.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names.len(), STEPS.len());
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<String> = std::fs::read_dir(dir)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name.contains(".json"))
        .collect();
    files.sort();
    let expected: Vec<String> =
        STEPS.iter().map(|step| format!("{:04}_{}.json", step.number, step.name)).collect();
    assert_eq!(files, expected, "every file is embedded");
}

#[test]
fn steps_that_were_released_do_not_change() {
    let checksums: Vec<(u32, &str)> =
        STEPS.iter().map(|step| (step.number, &step.checksum[..16])).collect();
    insta::assert_debug_snapshot!(checksums);
}

#[test]
fn an_empty_place_gets_everything() {
    let plan = plan_steps("recsys_g1", &STEPS, None, &target()).expect("a plan");
    assert!(plan.creates_database && !plan.is_done());
    insta::assert_snapshot!(plan);
}

#[test]
fn a_complete_database_needs_nothing() {
    let plan = plan_of(&complete()).expect("a plan");
    assert!(plan.is_done() && plan.warnings.is_empty(), "{plan}");
    assert_eq!(plan.to_string(), "recsys_g1: nothing to do");
}

#[test]
fn what_was_removed_is_made_again_and_what_was_never_applied_is_pending() {
    let mut existing = complete();
    existing.collections.remove("viewed");
    existing.indexes.remove("viewed");
    existing.records.pop();
    let plan = plan_of(&existing).expect("a plan");
    let states: Vec<StepState> = plan.steps.iter().map(|step| step.state).collect();
    let again = StepState::Incomplete;
    assert_eq!(states, [StepState::Applied, again, again, StepState::Pending]);
    let made: Vec<String> =
        plan.steps.iter().flat_map(|step| &step.make).map(ToString::to_string).collect();
    let expected = [
        "edge collection viewed",
        "index of_user on viewed (_from, ts)",
        "index of_item on viewed (_to, ts)",
    ];
    assert_eq!(made, expected);
}

#[test]
fn records_of_other_steps_stop_everything_with_advice() {
    let mut existing = complete();
    existing.records[1].checksum = "another".to_owned();
    existing.records.remove(2);
    existing.records.push(Record {
        number: 9,
        name: "later".to_owned(),
        weir: "9.1".to_owned(),
        ..record(1)
    });
    insta::assert_snapshot!(problems(&existing).join("\n"));
}

#[test]
fn what_cannot_be_changed_later_is_told_all_at_once() {
    let mut existing = complete();
    existing.sharding = Some("single".to_owned());
    let told = problems(&existing);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("OneShard") && told[0].contains("one_shard = true"), "{told:?}");

    let mut existing = complete();
    existing.collections.insert("viewed".to_owned(), collection(2));
    existing.collections.insert("users".to_owned(), collection(3));
    existing
        .collections
        .insert("items".to_owned(), Collection { number_of_shards: Some(5), ..collection(2) });
    existing.indexes.insert("liked".to_owned(), vec![index("of_user", ["_to", "when"], &[])]);
    existing.graphs.clear();
    insta::assert_snapshot!(problems(&existing).join("\n"));
}

#[test]
fn what_differs_without_harm_is_a_warning() {
    let mut existing = complete();
    existing.sharding = None;
    let satellite = serde_json::from_value(
        json!({"type": 2, "replicationFactor": "satellite", "writeConcern": 2}),
    );
    existing.collections.insert("users".to_owned(), satellite.expect("properties"));
    let slower =
        vec![index("mine", ["_from", "ts"], &[]), index("of_item", ["_to", "ts"], &["_from"])];
    existing.indexes.insert("viewed".to_owned(), slower);
    existing.graphs.insert("behaviour".to_owned(), Graph::default());
    let plan = plan_of(&existing).expect("a plan");
    assert!(plan.is_done());
    insta::assert_snapshot!(plan.warnings.join("\n"));
}

#[test]
fn a_database_of_one_shard_is_asked_for_one() {
    let target = Target { one_shard: true, ..target() };
    let plan = plan_steps("recsys_g1", &STEPS, None, &target).expect("a plan");
    let text = serde_json::to_string(&plan).expect("a report is JSON");
    assert!(text.contains("\"shards\":1") && !text.contains("\"shards\":3"), "{text}");
}

#[test]
fn indexes_of_other_kinds_are_no_matter() {
    let mut existing = complete();
    let inverted = json!({
        "type": "inverted", "name": "search", "fields": [{"name": "title"}], "storedValues": [{"fields": ["_to"]}],
    });
    let inverted = serde_json::from_value(inverted).expect("an index");
    existing.indexes.get_mut("viewed").expect("indexes").push(inverted);
    assert!(plan_of(&existing).expect("a plan").is_done());
}

#[test]
fn a_file_with_an_unknown_field_is_no_step() {
    assert!(
        read(1, r#"{"name":"x","about":"","make":{"graph":{"name":"g","from":[],"to":[]}}}"#)
            .is_ok()
    );
    for bad in [
        r#"{"name":"x","about":"","make":{"view":{}}}"#,
        r#"{"name":"x","about":"","make":{"graph":{"name":"g","from":[],"to":[],"smart":true}}}"#,
        r#"{"name":"x","about":"","then":1,"make":{"documentCollections":[]}}"#,
    ] {
        assert!(read(1, bad).is_err(), "{bad}");
    }
}
