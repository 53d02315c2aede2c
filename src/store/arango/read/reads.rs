//! The three reads: run the pure algorithm over what was fetched, fetch what it missed, and again.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, Found};
use super::fetched::Fetched;
use super::popular::PopularCache;
use crate::event::{EventTypes, TypeIndex};
use crate::graph::encode_id;
use crate::limits::{REMOTE_POPULAR_FOR, REMOTE_READ, REMOTE_ROUNDS};
use crate::recommend::{self, ItemOptions, Options};
use crate::store::arango::Database;
use crate::store::{Failure, HistoryPage, HistoryQuestion, Recommended, Remedy};

/// Reads of one generation's database. Clones share what they remember.
#[derive(Debug, Clone)]
pub struct Reads {
    pub(super) database: Database,
    /// Every edge collection with its type.
    pub(super) kinds: Arc<[(TypeIndex, String)]>,
    pub(super) popular: Arc<PopularCache>,
}

impl Reads {
    pub fn new(database: Database, types: &EventTypes) -> Self {
        let kinds = types
            .iter()
            .filter_map(|(kind, _)| Some((kind, types.collection(kind)?.to_owned())))
            .collect();
        Self { database, kinds, popular: Arc::new(PopularCache::new(REMOTE_POPULAR_FOR)) }
    }

    /// Remembers what is popular for another time than `limits::REMOTE_POPULAR_FOR`.
    #[must_use]
    pub fn popular_for(mut self, lifetime: Duration) -> Self {
        self.popular = Arc::new(PopularCache::new(lifetime));
        self
    }

    /// Forgets what is popular: the database was made anew.
    pub fn forget(&self) {
        self.popular.forget();
    }

    /// As [`crate::recommend::for_user`] says, within the options' budget.
    pub async fn for_user(
        &self,
        user: &str,
        options: &Options<'_>,
    ) -> Result<Vec<Recommended>, Failure> {
        in_time(async {
            let mut fetched = Fetched::default();
            let user = fetched.users.intern(encode_id(user).into_owned());
            let scored = self
                .settle(&mut fetched, |graph| recommend::for_user(graph, Some(user), options))
                .await?;
            let found = scored.into_iter().map(Found::from).collect();
            Answer { found, because: None }.told(self, &fetched.items).await
        })
        .await
    }

    /// As [`crate::recommend::for_item`] says, within the options' budget.
    pub async fn for_item(
        &self,
        item: &str,
        options: &ItemOptions<'_>,
    ) -> Result<Vec<Recommended>, Failure> {
        in_time(async {
            let mut fetched = Fetched::default();
            let handle = fetched.items.intern(encode_id(item).into_owned());
            let also = self
                .settle(&mut fetched, |graph| recommend::for_item(graph, handle, options))
                .await?;
            let found = also.into_iter().map(Found::from).collect();
            Answer { found, because: Some(item) }.told(self, &fetched.items).await
        })
        .await
    }

    /// The newest entries of a user's history before a place, all types or one.
    pub async fn history(
        &self,
        user: &str,
        question: &HistoryQuestion,
    ) -> Result<HistoryPage, Failure> {
        in_time(self.page(user, question)).await
    }

    /// Asks until nothing is missing, and returns the answer of the last time.
    async fn settle<T>(
        &self,
        fetched: &mut Fetched,
        ask: impl Fn(&Fetched) -> T,
    ) -> Result<T, Failure> {
        for _ in 0..REMOTE_ROUNDS {
            let answer = ask(fetched);
            let missing = fetched.take_missing().first_things_first();
            if missing.is_empty() {
                return Ok(answer);
            }
            self.fetch(&missing, fetched).await?;
        }
        Err(Failure {
            remedy: Remedy::Stop,
            code: "read_unsettled".to_owned(),
            text: format!(
                "a read still missed something after {REMOTE_ROUNDS} rounds of queries; report this"
            ),
        })
    }
}

/// Gives a whole read one deadline.
async fn in_time<T>(read: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(REMOTE_READ, read).await.unwrap_or_else(|_| {
        Err(Failure {
            remedy: Remedy::BackOff,
            code: "read_timeout".to_owned(),
            text: format!(
                "a read from ArangoDB took longer than {REMOTE_READ:?}; look at the server's load"
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract wants answers that may be awaited on any thread.
    #[allow(dead_code, reason = "it is enough that it compiles")]
    fn reads_are_sent_between_threads(reads: &Reads, user: &Options<'_>, item: &ItemOptions<'_>) {
        fn sent(_: impl Send) {}
        let history = HistoryQuestion { of: None, before: None, limit: 1 };
        sent(reads.for_user("u", user));
        sent(reads.for_item("i", item));
        sent(reads.history("u", &history));
    }
}
