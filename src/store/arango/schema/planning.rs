//! From steps, records and what exists to what is to be done, or why nothing can be.
//!
//! Pure.

use super::api::Target;
use super::compare::{Found, compare};
use super::existing::{Existing, Record};
use super::problem::Problem;
use super::report::{Plan, PlannedStep, StepState};
use super::steps::{Make, Step};
use super::thing::{Sharding, Thing};

/// Plans a database; `existing` is absent where it has to be made. Tells every problem at once.
pub fn plan_steps(
    database: &str,
    steps: &[Step],
    existing: Option<&Existing>,
    target: &Target,
) -> Result<Plan, Vec<Problem>> {
    let nothing = Existing::default();
    let found = existing.unwrap_or(&nothing);
    let mut problems = record_problems(steps, &found.records);
    problems.extend(other_sharding(found, target));
    let (mut planned, mut warnings) = (Vec::new(), Vec::new());
    for step in steps {
        let mut make = Vec::new();
        for thing in things(&step.make, target) {
            match compare(&thing, found) {
                Found::Missing => make.push(thing),
                Found::There(differences) => warnings.extend(differences),
                Found::Wrong(problem) => problems.push(problem),
            }
        }
        let recorded = found.records.iter().any(|record| record.number == step.number);
        let state = match (recorded, make.is_empty()) {
            (true, true) => StepState::Applied,
            (true, false) => StepState::Incomplete,
            (false, _) => StepState::Pending,
        };
        let Step { number, name, checksum, .. } = step.clone();
        planned.push(PlannedStep { number, name, checksum, state, make });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let database = database.to_owned();
    Ok(Plan { database, creates_database: existing.is_none(), steps: planned, warnings })
}

/// Records must be of known steps in their known form, without a gap.
fn record_problems(steps: &[Step], records: &[Record]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for record in records {
        let (number, name, weir) = (record.number, record.name.clone(), record.weir.clone());
        match steps.iter().find(|step| step.number == number) {
            None => problems.push(Problem::Unknown { number, name, weir }),
            Some(step) if step.checksum != record.checksum => {
                problems.push(Problem::Changed { number, name, weir });
            }
            Some(_) => {}
        }
    }
    let last = records.iter().map(|record| record.number).max().unwrap_or(0);
    let before = steps.iter().map(|step| step.number).filter(|number| *number < last);
    let missing = before.filter(|number| !records.iter().any(|record| record.number == *number));
    problems.extend(missing.map(|missing| Problem::Gap { missing, number: last }));
    problems
}

fn other_sharding(existing: &Existing, target: &Target) -> Option<Problem> {
    let found = existing.sharding.as_deref()? == "single";
    (found != target.one_shard).then_some(Problem::OtherSharding { found })
}

/// What a step makes for this configuration.
fn things(make: &Make, target: &Target) -> Vec<Thing> {
    let sharding = Sharding {
        // OneShard means that there is one, whatever else is configured.
        shards: if target.one_shard { 1 } else { target.shards },
        replication_factor: target.replication_factor,
        write_concern: target.write_concern,
    };
    let collection = |edges: bool| move |name: String| Thing::Collection { name, edges, sharding };
    match make {
        Make::DocumentCollections(names) => names.iter().cloned().map(collection(false)).collect(),
        Make::EdgeCollections(_) => {
            edge_collections(target).into_iter().map(collection(true)).collect()
        }
        Make::EdgeIndexes(specs) => {
            let of = |collection: String| {
                specs.iter().cloned().map(move |spec| Thing::Index {
                    collection: collection.clone(),
                    name: spec.name,
                    fields: spec.fields,
                    stored_values: spec.stored_values,
                })
            };
            edge_collections(target).into_iter().flat_map(of).collect()
        }
        Make::Graph(spec) => vec![Thing::Graph {
            name: spec.name.clone(),
            edges: edge_collections(target),
            from: spec.from.clone(),
            to: spec.to.clone(),
        }],
    }
}

/// The collections of edges that the configured types need.
pub fn edge_collections(target: &Target) -> Vec<String> {
    let types = &target.types;
    types.iter().filter_map(|(index, _)| types.collection(index).map(str::to_owned)).collect()
}
