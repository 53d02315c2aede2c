//! A generation's graph as a store.

use std::sync::Arc;

use super::Database;
use super::write::Known;
use crate::event::EventTypes;
use crate::limits::ARANGO_KNOWN_VERTICES;

/// The graph in one database. Clones are handles of one.
#[derive(Debug, Clone)]
pub struct ArangoStore {
    database: Database,
    types: Arc<EventTypes>,
    known: Arc<Known>,
}

impl ArangoStore {
    /// A store over a database that `schema::apply` has made. Nothing is sent.
    pub fn new(database: Database, types: Arc<EventTypes>) -> Self {
        Self { database, types, known: Arc::new(Known::new(ARANGO_KNOWN_VERTICES)) }
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    pub fn types(&self) -> &Arc<EventTypes> {
        &self.types
    }

    /// Forgets which vertices are known to exist: the database was made anew, or vertices were erased.
    /// What writes under way would teach is forgotten too.
    pub fn forget_known(&self) {
        self.known.forget();
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }
}
