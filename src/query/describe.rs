//! What reads take and answer, for the description of the service. Pure.

use serde_json::{Value, json};

use super::answer::{History, Recommendations};
use crate::describe::{Answer, Code, Entry, ID_PATTERN, Operation, Parameter, Schema};
use crate::event::{EventTypes, Kind};
use crate::limits::{HISTORY_DEFAULT, ID_BYTES, READ_LIMIT, RECOMMEND_DEFAULT};

const PROBLEMS: [Code; 12] = [
    (400, "invalid_id"),
    (400, "invalid_parameter"),
    (401, "key_required"),
    (401, "key_not_valid"),
    (403, "scope_missing"),
    (403, "origin_not_allowed"),
    (404, "not_found"),
    (404, "unknown_generation"),
    (409, "generation_building"),
    (429, "rate_limited"),
    (503, "graph_unavailable"),
    (503, "keys_not_known"),
];

/// Describes the reads.
pub fn operations(types: &EventTypes) -> Vec<Operation> {
    vec![for_user(), for_item(types), history(types)]
}

fn for_user() -> Operation {
    read("/recommendations/user/{userId}", "recommendationsForUser")
        .says(
            "Recommends items to a user",
            "From what the user and others like them did; what is popular, if nothing is known.",
        )
        .parameter(path("userId"))
        .parameter(limit(RECOMMEND_DEFAULT))
        .parameter(Parameter::query(
            "exclude",
            &json!({ "type": "string", "enum": ["seen", "purchased", "none"], "default": "seen" }),
            "Which of the user's own items are left out.",
        ))
        .answers(recommended())
}

fn for_item(types: &EventTypes) -> Operation {
    read("/recommendations/item/{itemId}", "recommendationsForItem")
        .says("Finds what goes with an item", "Items that users of this one met too.")
        .parameter(path("itemId"))
        .parameter(limit(RECOMMEND_DEFAULT))
        .parameter(of_type(types))
        .answers(recommended())
}

fn history(types: &EventTypes) -> Operation {
    read("/history/user/{userId}", "historyOfUser")
        .says(
            "Tells what a user did",
            "The newest first; next of an answer is before of the next one.",
        )
        .parameter(path("userId"))
        .parameter(limit(HISTORY_DEFAULT))
        .parameter(of_type(types))
        .parameter(Parameter::query(
            "before",
            &json!({ "type": "string" }),
            "next of an earlier answer; or a time, RFC 3339 or an epoch.",
        ))
        .answers(Answer::json(200, "A page of the history.", Schema::of::<History<'static>>()))
}

fn read(path: &'static str, id: &'static str) -> Operation {
    Operation::new("get", path, id)
        .of("reads", Entry::Readers)
        .parameter(Parameter::query(
            "generation",
            &json!({ "type": "string" }),
            "Answers from this generation, as g2, instead of the active one.",
        ))
        .problems(&PROBLEMS)
}

fn recommended() -> Answer {
    Answer::json(200, "Items, the best first.", Schema::of::<Recommendations<'static>>())
}

fn path(name: &str) -> Parameter {
    let schema = json!({
        "type": "string", "minLength": 1, "maxLength": ID_BYTES, "pattern": ID_PATTERN,
    });
    Parameter::path(name, &schema, "As events name it, percent-encoded.")
}

fn limit(default: usize) -> Parameter {
    let schema =
        json!({ "type": "integer", "minimum": 1, "maximum": READ_LIMIT, "default": default });
    Parameter::query("limit", &schema, "Most entries of the answer.")
}

fn of_type(types: &EventTypes) -> Parameter {
    let names: Vec<Value> = types
        .iter()
        .filter(|(_, spec)| matches!(spec.kind, Kind::Interaction { .. }))
        .map(|(_, spec)| spec.name.as_str().into())
        .collect();
    Parameter::query(
        "type",
        &json!({ "type": "string", "examples": names }),
        "Only events of this interaction type.",
    )
}
