//! The ArangoDB that is set: one server, a database a generation.

use std::sync::Arc;

use super::options;
use super::rules::Rules;
use crate::config::Settings;
use crate::generation::GenerationId;
use crate::store::Failure;
use crate::store::arango::schema::{self, SchemaError, Status, Target};
use crate::store::arango::{Arango, ArangoStore, Database};

/// The server, and how databases on it are named and shaped. Clones share connections.
#[derive(Clone)]
pub(super) struct Databases {
    pub server: Arango,
    settings: Arc<Settings>,
}

impl Databases {
    /// The server that is set; `None` if none is. Nothing is sent.
    pub fn of(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(options) = options::arango(settings) else { return Ok(None) };
        Ok(Some(Self { server: Arango::new(options)?, settings: Arc::new(settings.clone()) }))
    }

    /// The store of a generation that these rules make.
    pub fn store(&self, id: GenerationId, rules: &Rules) -> ArangoStore {
        ArangoStore::new(self.database(id), rules.types.clone())
    }

    /// Makes what a generation's database lacks.
    pub async fn migrate(&self, id: GenerationId, rules: &Rules) -> Result<(), SchemaError> {
        let mut tell = |step: schema::Progress<'_>| tracing::info!(generation = %id, ?step, "making the database");
        schema::apply(&self.database(id), &self.target(rules), &mut tell).await.map(|_| ())
    }

    /// Tells why a generation cannot be written to yet; `None` if it can.
    pub async fn obstacle(&self, id: GenerationId, rules: &Rules) -> Option<String> {
        match self.look(id, rules).await {
            Ok(Status::UpToDate { .. }) => None,
            Ok(Status::Pending { database, .. } | Status::DatabaseMissing { database }) => {
                Some(format!(
                    "the database {database} is not made, or not up to date: run weir migrate apply --generation {id}"
                ))
            }
            Ok(Status::Unusable { database, problems }) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Some(format!("the database {database} cannot be used: {}", problems.join("; ")))
            }
            Err(failure) => Some(failure.to_string()),
        }
    }

    /// Removes a generation's database with everything in it.
    pub async fn remove(&self, id: GenerationId) -> Result<(), Failure> {
        schema::remove_database(&self.database(id)).await
    }

    async fn look(&self, id: GenerationId, rules: &Rules) -> Result<Status, Failure> {
        self.server.server().await?;
        schema::status(&self.database(id), &self.target(rules)).await
    }

    fn target(&self, rules: &Rules) -> Target {
        options::schema(&self.settings, rules.types.clone())
    }

    fn database(&self, id: GenerationId) -> Database {
        self.server.database(&options::database(&self.settings, id.number()))
    }
}
