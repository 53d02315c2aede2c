//! A generation's database: what it needs, and the steps that make it.

use std::sync::Arc;

use super::options;
use super::roles::arango_missing;
use crate::config::Settings;
use crate::store::arango::schema::{self, Applied, Plan, Progress, Status, Target};
use crate::store::arango::{Arango, Database};

/// Tells what [`migrate`] would do. Changes nothing.
pub async fn migration_plan(settings: &Settings, generation: u64) -> anyhow::Result<Plan> {
    let (database, target) = open(settings, generation).await?;
    Ok(schema::plan(&database, &target).await?)
}

/// Makes what is missing; may be ended at any point and run again.
pub async fn migrate(
    settings: &Settings,
    generation: u64,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> anyhow::Result<Applied> {
    let (database, target) = open(settings, generation).await?;
    Ok(schema::apply(&database, &target, progress).await?)
}

/// Tells how the database stands.
pub async fn migration_status(settings: &Settings, generation: u64) -> anyhow::Result<Status> {
    let (database, target) = open(settings, generation).await?;
    Ok(schema::status(&database, &target).await?)
}

/// Opens a generation's database at a server that is new enough.
async fn open(settings: &Settings, generation: u64) -> anyhow::Result<(Database, Target)> {
    let options = options::arango(settings).ok_or_else(|| arango_missing("migrate"))?;
    let arango = Arango::new(options)?;
    arango.server().await?;
    let types = Arc::new(options::event_types(settings)?);
    let name = options::database(settings, generation);
    Ok((arango.database(&name), options::schema(settings, types)))
}
