//! A generation's database: planned, made, made again, and refused when it is another's.

use serde_json::{Value, json};
use weir::store::Remedy;
use weir::store::arango::schema::{self, Problem, SchemaError, Status, StepState, Target};

use crate::support::arango::StandIn;
use crate::support::arango_store::{DATABASE, Made};

async fn status(made: &Made) -> Status {
    schema::status(&made.database(), &made.target()).await.unwrap()
}

async fn apply(made: &Made) -> Result<schema::Applied, SchemaError> {
    schema::apply(&made.database(), &made.target(), &mut |_| {}).await
}

/// A request of somebody else.
async fn post(made: &Made, path: &str, body: &Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/_db/{DATABASE}{path}", made.server.url()));
    let request = request.basic_auth(StandIn::USER, Some(made.server.password()));
    let answer = request.json(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

#[tokio::test]
async fn a_database_is_planned_made_and_then_left_alone() {
    let made = Made::empty();
    assert_eq!(status(&made).await, Status::DatabaseMissing { database: DATABASE.to_owned() });
    let plan = schema::plan(&made.database(), &made.target()).await.unwrap();
    assert!(
        plan.creates_database && plan.steps.iter().all(|step| step.state == StepState::Pending)
    );
    assert_eq!(made.server.databases(), ["_system"], "a plan changes nothing");

    let mut told = Vec::new();
    let applied = schema::apply(&made.database(), &made.target(), &mut |progress| {
        told.push(progress.to_string());
    })
    .await
    .unwrap();
    assert_eq!((applied.created_database, applied.steps), (true, vec![1, 2, 3, 4]));
    assert_eq!(
        told[..4],
        [
            "making the database recsys_g1",
            "step 1: vertices",
            "making collection users",
            "making collection items"
        ]
    );
    assert_eq!(applied.made.len(), 2 + 9 + 18 + 1);
    assert!(applied.warnings.is_empty(), "{:?}", applied.warnings);
    assert!(matches!(status(&made).await, Status::UpToDate { .. }));

    let indexes = made.server.indexes(DATABASE, "viewed");
    assert!(indexes.iter().any(|index| index["fields"] == json!(["_from", "ts"])
        && index["storedValues"] == json!(["_to"])));
    assert!(indexes.iter().any(|index| index["fields"] == json!(["_to", "ts"])
        && index["storedValues"] == json!(["_from"])));
    assert_eq!(
        made.server.graph(DATABASE, "behaviour").unwrap()["edgeDefinitions"]
            .as_array()
            .unwrap()
            .len(),
        9
    );
    let records = made.server.documents(DATABASE, "weir_migrations");
    assert_eq!(records.len(), 4);
    assert_eq!((&records[0]["number"], &records[0]["name"]), (&json!(1), &json!("vertices")));

    made.server.forget_requests();
    let again = apply(&made).await.unwrap();
    assert!(!again.created_database && again.steps.is_empty() && again.made.is_empty());
    let changes = |path: &str| path != "/_api/cursor";
    assert!(made.server.requests().iter().all(|seen| seen.method == "GET" || !changes(&seen.path)));
}

#[tokio::test]
async fn an_application_that_was_ended_is_completed_by_the_next() {
    let made = Made::empty();
    made.server.fault("starts").method("POST").path("/_api/index").once().unavailable();
    let SchemaError::Failed(failure) = apply(&made).await.unwrap_err() else { panic!("a failure") };
    assert_eq!(failure.remedy, Remedy::BackOff);
    let Status::Pending { steps, .. } = status(&made).await else { panic!("pending") };
    assert_eq!(steps, [3, 4]);
    assert_eq!(apply(&made).await.unwrap().steps, [3, 4]);
    assert!(status(&made).await.is_usable());
}

#[tokio::test]
async fn a_server_without_the_merge_rule_gets_nothing() {
    let made = Made::empty();
    made.server.set_version("3.11.9");
    let SchemaError::Failed(failure) = apply(&made).await.unwrap_err() else { panic!("a failure") };
    assert_eq!((failure.remedy, failure.code.as_str()), (Remedy::Stop, "arango_too_old"));
    assert_eq!(made.server.databases(), ["_system"]);
}

#[tokio::test]
async fn several_may_apply_at_once() {
    let made = Made::empty();
    let (first, second, third) = tokio::join!(apply(&made), apply(&made), apply(&made));
    for applied in [first, second, third] {
        applied.unwrap();
    }
    assert!(status(&made).await.is_usable());
    assert_eq!(made.server.indexes(DATABASE, "viewed").len(), 4, "two of the server, two of weir");
}

#[tokio::test]
async fn a_step_that_changed_or_is_unknown_stops_with_advice() {
    let made = Made::ready().await;
    let records = made.server.documents(DATABASE, "weir_migrations");
    let mut changed = records[1].clone();
    changed["checksum"] = "another".into();
    let later = json!({"_key": "step-0009", "number": 9, "name": "later", "checksum": "x", "made": [], "weir": "9.1.0", "atMs": 0});
    for name in ["_id", "_rev"] {
        changed.as_object_mut().unwrap().remove(name);
    }
    post(&made, "/_api/document/weir_migrations?overwriteMode=replace", &json!([changed, later]))
        .await;
    let Status::Unusable { problems, .. } = status(&made).await else { panic!("unusable") };
    assert!(matches!(problems[0], Problem::Changed { number: 2, .. }), "{problems:?}");
    assert!(matches!(problems[1], Problem::Unknown { number: 9, .. }), "{problems:?}");
    let text = status(&made).await.to_string();
    assert!(text.contains("rebuild into a new generation") && text.contains("9.1.0"), "{text}");
    assert!(matches!(apply(&made).await, Err(SchemaError::Unusable { .. })));
}

#[tokio::test]
async fn what_others_made_otherwise_is_named() {
    let made = Made::ready().await;
    let other = Target { shards: 3, ..made.target() };
    let Status::Unusable { problems, .. } = schema::status(&made.database(), &other).await.unwrap()
    else {
        panic!("other shards")
    };
    assert_eq!(problems.len(), 11, "each collection of the graph");

    let made = Made::empty();
    made.server
        .fault("later")
        .collection("viewed")
        .method("POST")
        .path("/_api/index")
        .unavailable();
    apply(&made).await.unwrap_err();
    made.server.clear_faults();
    post(
        &made,
        "/_api/index?collection=viewed",
        &json!({"type": "persistent", "fields": ["_from", "ts"]}),
    )
    .await;
    let applied = apply(&made).await.unwrap();
    assert_eq!(applied.warnings.len(), 1, "{:?}", applied.warnings);
    assert!(applied.warnings[0].contains("on viewed stores []"), "{:?}", applied.warnings);
}
