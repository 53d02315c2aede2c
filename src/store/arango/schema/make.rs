//! Makes what a plan says is missing. What another weir made meanwhile counts as made.

use http::Method;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::api::Target;
use super::existing::Record;
use super::inspect::RECORDS;
use super::thing::{Sharding, Thing};
use crate::store::Failure;
use crate::store::arango::Database;
use crate::store::arango::classify::Action;

/// Makes the database. It is made through `_system`, on which the user needs rights for that.
pub async fn make_database(database: &Database, target: &Target) -> Result<(), Failure> {
    database.arango().server().await?;
    let mut body = json!({ "name": database.name() });
    let mut options = json!({
        "replicationFactor": target.replication_factor, "writeConcern": target.write_concern,
    });
    if target.one_shard {
        options["sharding"] = "single".into();
    }
    body["options"] = options;
    let system = database.arango().database("_system");
    let made = post(&system, "_api/database", &body).await;
    made.map_err(|mut failure| {
        if matches!(failure.code.as_str(), "arango_11" | "http_403") {
            let advice = format!(
                "; to make the database {} the user needs rights on _system, or an administrator makes it",
                database.name()
            );
            failure.text.push_str(&advice);
        }
        failure
    })
}

/// Removes the database with everything in it; one that is not there is removed already.
pub async fn remove_database(database: &Database) -> Result<(), Failure> {
    let system = database.arango().database("_system");
    let path = format!("_api/database/{}", database.name());
    match system.ask::<IgnoredAny>(Method::DELETE, &path, None).await {
        Ok(_) => Ok(()),
        Err(finding) if finding.failure.code == "arango_1228" => Ok(()),
        Err(finding) => Err(finding.failure),
    }
}

/// Makes the collection of records, if it is not there.
pub async fn make_records(database: &Database, target: &Target) -> Result<(), Failure> {
    let sharding = Sharding {
        shards: 1,
        replication_factor: target.replication_factor,
        write_concern: target.write_concern,
    };
    let name = RECORDS.to_owned();
    make(database, &Thing::Collection { name, edges: false, sharding }).await
}

/// Makes one thing.
pub async fn make(database: &Database, thing: &Thing) -> Result<(), Failure> {
    match thing {
        Thing::Collection { name, edges, sharding } => {
            let body = json!({
                "name": name, "type": if *edges { 3 } else { 2 }, "waitForSync": true,
                "numberOfShards": sharding.shards, "replicationFactor": sharding.replication_factor,
                "writeConcern": sharding.write_concern,
            });
            post(database, "_api/collection", &body).await
        }
        Thing::Index { collection, name, fields, stored_values } => {
            let body = json!({
                "type": "persistent", "name": name, "fields": fields, "storedValues": stored_values,
                "unique": false, "sparse": false, "inBackground": true,
            });
            post(database, &format!("_api/index?collection={collection}"), &body).await
        }
        Thing::Graph { name, edges, from, to } => {
            let definition = |edge: &String| json!({ "collection": edge, "from": from, "to": to });
            let definitions: Vec<Value> = edges.iter().map(definition).collect();
            let body = json!({ "name": name, "edgeDefinitions": definitions });
            post(database, "_api/gharial?waitForSync=true", &body).await
        }
    }
}

/// Remembers in the database that a step was applied.
pub async fn record(database: &Database, record: &Record) -> Result<(), Failure> {
    let mut body = serde_json::to_value(record).expect("texts and numbers are JSON");
    body["_key"] = format!("step-{:04}", record.number).into();
    let path =
        format!("_api/document/{RECORDS}?overwriteMode=replace&waitForSync=true&keepNull=true");
    let answer: Vec<RecordAnswer> = database.ask(Method::POST, &path, Some(&json!([body]))).await?;
    match answer.as_slice() {
        [RecordAnswer { error: false, .. }] => Ok(()),
        refused => Err(Failure {
            remedy: crate::store::Remedy::BackOff,
            code: "record_refused".to_owned(),
            text: format!(
                "step {} is done but could not be recorded: {}; apply again",
                record.number,
                refused
                    .first()
                    .and_then(|one| one.message.as_deref())
                    .unwrap_or("no reason was told")
            ),
        }),
    }
}

#[derive(serde::Deserialize)]
struct RecordAnswer {
    #[serde(default)]
    error: bool,
    #[serde(default, rename = "errorMessage")]
    message: Option<String>,
}

async fn post(database: &Database, path: &str, body: &Value) -> Result<(), Failure> {
    match database.ask::<IgnoredAny>(Method::POST, path, Some(body)).await {
        Ok(_) => Ok(()),
        // Made by another meanwhile; the look afterwards tells whether it is the right thing.
        Err(finding) if finding.action == Action::Exists => Ok(()),
        Err(finding) => Err(finding.failure),
    }
}
