//! The ArangoDB that is set: one server, a database a generation.

use std::sync::Arc;

use super::options;
use super::rules::Rules;
use crate::config::Settings;
use crate::event::EventTypes;
use crate::generation::GenerationId;
use crate::store::Failure;
use crate::store::arango::schema::{self, SchemaError, Status, Target};
use crate::store::arango::{Arango, ArangoStore, Database};

/// The server, and how databases on it are named and shaped. Clones share connections.
#[derive(Clone)]
pub(super) struct Databases {
    pub server: Arango,
    settings: Arc<Settings>,
    types: Arc<EventTypes>,
    target: Target,
}

impl Databases {
    /// The server that is set; `None` if none is. Nothing is sent.
    pub fn of(settings: &Settings, rules: &Rules) -> anyhow::Result<Option<Self>> {
        let Some(options) = options::arango(settings) else { return Ok(None) };
        Ok(Some(Self {
            server: Arango::new(options)?,
            settings: Arc::new(settings.clone()),
            types: rules.types.clone(),
            target: options::schema(settings, rules.types.clone()),
        }))
    }

    pub fn store(&self, id: GenerationId) -> ArangoStore {
        ArangoStore::new(self.database(id), self.types.clone())
    }

    /// Makes what a generation's database lacks.
    pub async fn migrate(&self, id: GenerationId) -> Result<(), SchemaError> {
        let mut tell = |step: schema::Progress<'_>| tracing::info!(generation = %id, ?step, "making the database");
        schema::apply(&self.database(id), &self.target, &mut tell).await.map(|_| ())
    }

    /// Tells why a generation cannot be written to yet; `None` if it can.
    pub async fn obstacle(&self, id: GenerationId) -> Option<String> {
        match self.look(id).await {
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

    async fn look(&self, id: GenerationId) -> Result<Status, Failure> {
        self.server.server().await?;
        schema::status(&self.database(id), &self.target).await
    }

    fn database(&self, id: GenerationId) -> Database {
        self.server.database(&options::database(&self.settings, id.number()))
    }
}
