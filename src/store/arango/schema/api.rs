//! Plan, apply, status: the shell around the pure plan.

use std::sync::Arc;

use super::existing::Record;
use super::inspect::inspect;
use super::make::{make, make_database, make_records, record};
use super::planning::plan_steps;
use super::problem::Problem;
use super::report::{Applied, Plan, PlannedStep, Progress, Status, StepState};
use super::steps::STEPS;
use crate::clock::now_ms;
use crate::event::EventTypes;
use crate::store::Failure;
use crate::store::arango::Database;

/// What the configuration asks of a generation's database.
#[derive(Debug, Clone)]
pub struct Target {
    pub types: Arc<EventTypes>,
    /// Shards of each collection, from 1. A single server knows only 1.
    pub shards: u32,
    pub replication_factor: u32,
    pub write_concern: u32,
    /// All collections of the database on one server, so that queries and transactions stay there.
    pub one_shard: bool,
}

/// Why a database was not brought to what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("the database {database} cannot be used:\n{}", list(.problems))]
    Unusable { database: String, problems: Vec<Problem> },
}

/// Tells what [`apply`] would do. Changes nothing.
pub async fn plan(database: &Database, target: &Target) -> Result<Plan, SchemaError> {
    let existing = inspect(database).await?;
    plan_steps(database.name(), &STEPS, existing.as_ref(), target).map_err(|problems| {
        SchemaError::Unusable { database: database.name().to_owned(), problems }
    })
}

/// Makes what is missing, step by step, and records each step when all of it is there.
///
/// May be ended at any point and run again, also by several at once. `progress` is told before each act.
pub async fn apply(
    database: &Database,
    target: &Target,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Applied, SchemaError> {
    let first = plan(database, target).await?;
    let mut applied = Applied {
        database: first.database.clone(),
        created_database: first.creates_database,
        steps: Vec::new(),
        made: Vec::new(),
        warnings: Vec::new(),
    };
    if first.creates_database {
        progress(Progress::Database(database.name()));
        make_database(database, target).await?;
    }
    if !first.is_done() {
        make_records(database, target).await?;
    }
    for step in first.steps.iter().filter(|step| step.state != StepState::Applied) {
        progress(Progress::Step { number: step.number, name: &step.name });
        let made = apply_step(database, step, progress).await?;
        applied.steps.push(step.number);
        applied.made.extend(made);
    }
    // What others made meanwhile is looked at too.
    applied.warnings = plan(database, target).await?.warnings;
    Ok(applied)
}

async fn apply_step(
    database: &Database,
    step: &PlannedStep,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Vec<String>, SchemaError> {
    let mut made = Vec::new();
    for thing in &step.make {
        progress(Progress::Making(thing.to_string()));
        make(database, thing).await?;
        made.push(thing.to_string());
    }
    let done = Record {
        number: step.number,
        name: step.name.clone(),
        checksum: step.checksum.clone(),
        made: made.clone(),
        weir: env!("CARGO_PKG_VERSION").to_owned(),
        at_ms: now_ms(),
    };
    record(database, &done).await?;
    Ok(made)
}

/// Tells how a database stands. Changes nothing.
pub async fn status(database: &Database, target: &Target) -> Result<Status, Failure> {
    let name = database.name().to_owned();
    match plan(database, target).await {
        Ok(plan) if plan.creates_database => Ok(Status::DatabaseMissing { database: name }),
        Ok(plan) if plan.is_done() => {
            Ok(Status::UpToDate { database: name, warnings: plan.warnings })
        }
        Ok(plan) => {
            let open = plan.steps.iter().filter(|step| step.state != StepState::Applied);
            let steps = open.map(|step| step.number).collect();
            Ok(Status::Pending { database: name, steps, warnings: plan.warnings })
        }
        Err(SchemaError::Unusable { problems, .. }) => {
            Ok(Status::Unusable { database: name, problems })
        }
        Err(SchemaError::Failed(failure)) => Err(failure),
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("- {problem}")).collect::<Vec<_>>().join("\n")
}
