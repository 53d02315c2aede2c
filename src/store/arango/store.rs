//! A generation's graph as a store.

use std::sync::Arc;

use super::Database;
use crate::event::EventTypes;

/// The graph in one database. Clones are handles of one.
#[derive(Debug, Clone)]
pub struct ArangoStore {
    database: Database,
    types: Arc<EventTypes>,
}

impl ArangoStore {
    /// A store over a database that `schema::apply` has made. Nothing is sent.
    pub fn new(database: Database, types: Arc<EventTypes>) -> Self {
        Self { database, types }
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    pub fn types(&self) -> &Arc<EventTypes> {
        &self.types
    }
}
