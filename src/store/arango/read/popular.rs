//! What is popular: counted in a sample, and remembered for a while.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use serde_json::json;
use tokio::time::Instant;

use super::reads::Reads;
use super::rows::{Count, item_key};
use crate::limits::{POPULAR_ITEMS, REMOTE_POPULAR_SAMPLE};
use crate::store::Failure;
use crate::store::arango::aql;

/// Encoded keys of items with their touches in the sample, greatest first, ties by key.
type Popular = Arc<[(String, u32)]>;

/// Remembers what is popular: it changes slowly, and counting costs more than any other read.
#[derive(Debug)]
pub(super) struct PopularCache {
    lifetime: Duration,
    known: Mutex<Option<(Instant, Popular)>>,
    /// Held while it is counted: one at a time.
    counting: tokio::sync::Mutex<()>,
}

impl PopularCache {
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, known: Mutex::default(), counting: tokio::sync::Mutex::default() }
    }

    pub fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn known(&self) -> Option<Popular> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.as_ref().filter(|(at, _)| at.elapsed() < self.lifetime);
        fresh.map(|(_, popular)| popular.clone())
    }

    fn remember(&self, popular: &Popular) {
        let known = Some((Instant::now(), popular.clone()));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl Reads {
    pub(super) async fn popular_if(&self, wanted: bool) -> Result<Option<Popular>, Failure> {
        if wanted { self.popular().await.map(Some) } else { Ok(None) }
    }

    async fn popular(&self) -> Result<Popular, Failure> {
        if let Some(known) = self.popular.known() {
            return Ok(known);
        }
        let _counting = self.popular.counting.lock().await;
        if let Some(known) = self.popular.known() {
            return Ok(known);
        }
        let popular = self.count().await?;
        self.popular.remember(&popular);
        Ok(popular)
    }

    async fn count(&self) -> Result<Popular, Failure> {
        let binds = json!({ "sample": REMOTE_POPULAR_SAMPLE });
        let mut sums: HashMap<String, u32> = HashMap::new();
        for (_, rows) in self.each_kind::<Count>(aql::POPULAR, &binds).await? {
            for Count(item, touches) in rows {
                *sums.entry(item_key(&item)?.to_owned()).or_default() += touches;
            }
        }
        let mut popular: Vec<(String, u32)> = sums.into_iter().collect();
        popular.sort_unstable_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
        popular.truncate(POPULAR_ITEMS);
        Ok(popular.into())
    }
}
