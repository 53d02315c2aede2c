//! A generation's graph as a store.

use std::sync::Arc;
use std::time::Duration;

use super::write::Known;
use super::{Database, Reads};
use crate::event::EventTypes;
use crate::graph::Put;
use crate::limits::ARANGO_KNOWN_VERTICES;
use crate::recommend::{ItemOptions, Options};
use crate::store::{Document, Failure, HistoryPage, HistoryQuestion, Recommended, Store, Verdict};

/// The graph in one database. Clones are handles of one.
#[derive(Debug, Clone)]
pub struct ArangoStore {
    database: Database,
    types: Arc<EventTypes>,
    known: Arc<Known>,
    reads: Reads,
}

impl ArangoStore {
    /// A store over a database that `schema::apply` has made. Nothing is sent.
    pub fn new(database: Database, types: Arc<EventTypes>) -> Self {
        let known = Arc::new(Known::new(ARANGO_KNOWN_VERTICES));
        Self { reads: Reads::new(database.clone(), &types), database, types, known }
    }

    /// Remembers what is popular for another time than `limits::REMOTE_POPULAR_FOR`.
    #[must_use]
    pub fn popular_for(mut self, lifetime: Duration) -> Self {
        self.reads = self.reads.popular_for(lifetime);
        self
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
        self.reads.forget();
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }
}

impl Store for ArangoStore {
    async fn apply(&self, puts: &[Put<'_>]) -> Vec<Verdict> {
        self.write_puts(puts).await
    }

    async fn scan(&self, each: &mut (dyn FnMut(Document) + Send)) -> Result<(), Failure> {
        self.scan_documents(each).await
    }

    async fn for_user(
        &self,
        user: &str,
        options: &Options<'_>,
    ) -> Result<Vec<Recommended>, Failure> {
        self.reads.for_user(user, options).await
    }

    async fn for_item(
        &self,
        item: &str,
        options: &ItemOptions<'_>,
    ) -> Result<Vec<Recommended>, Failure> {
        self.reads.for_item(item, options).await
    }

    async fn history(
        &self,
        user: &str,
        question: &HistoryQuestion,
    ) -> Result<HistoryPage, Failure> {
        self.reads.history(user, question).await
    }
}
