//! Events that cannot be applied: looked at, given to the workers again, or given up.

use std::time::Duration;

use anyhow::Context;

use super::options;
use crate::config::Settings;
use crate::limits::PARKED_PAGE;
use crate::replay::{Redrove, redrive};
use crate::stream::{Closed, EntryId, Nats, Parked, ParkedEntry, ParkedFilter, RetryQueue};

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// The parked events of one generation.
pub struct Shelf {
    parked: Parked,
    retry: RetryQueue,
    generation: u64,
}

/// What was found; `more` if the limit left something out.
#[derive(Debug, Default)]
pub struct Found {
    pub entries: Vec<ParkedEntry>,
    pub more: bool,
    /// Messages that are no entries, of a newer weir or another writer.
    pub unreadable: u64,
}

/// What became of the entries that were meant.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    pub done: u64,
    /// Changed or closed by somebody else meanwhile: left as they are.
    pub passed_over: u64,
    /// Only their beginning is parked, since they are too large: nothing can apply them.
    pub cut: u64,
}

impl Shelf {
    /// Connects to the server at `url` with the login that is set.
    pub async fn open(settings: &Settings, url: &str, generation: u64) -> anyhow::Result<Self> {
        let nats = Nats::connect(options::nats(settings, url, "parked")).await?;
        tokio::time::timeout(CONNECT_DEADLINE, nats.connected()).await.with_context(|| {
            format!("no NATS server at {url} lets us in: is it running, and is the login right?")
        })?;
        nats.check_server()?;
        let parked = Parked::new(nats.clone(), options::parked(settings)).await;
        let retry = RetryQueue::new(nats, options::retry(settings)).await;
        Ok(Self { parked, retry, generation })
    }

    /// Returns the entries that a filter chooses, at most `limit`.
    pub async fn list(&self, filter: &ParkedFilter, limit: usize) -> anyhow::Result<Found> {
        let mut found = Found::default();
        let mut after = 0;
        while found.entries.len() < limit {
            let room = (limit - found.entries.len()).min(PARKED_PAGE);
            let page = self.parked.list(self.generation, filter, after, room).await?;
            found.entries.extend(page.entries);
            found.unreadable += page.unreadable;
            match page.after {
                Some(place) => after = place,
                None => return Ok(found),
            }
        }
        let rest = self.parked.list(self.generation, filter, after, 1).await?;
        found.more = !rest.entries.is_empty();
        Ok(found)
    }

    /// Returns one entry.
    pub async fn get(&self, id: EntryId) -> anyhow::Result<ParkedEntry> {
        let found = self.parked.get(self.generation, id).await?;
        found.with_context(|| {
            format!("{id} is not parked: applied or dropped meanwhile, or of another generation")
        })
    }

    /// Has the workers try entries once more, from RETRY. They stay parked until they are applied.
    pub async fn redrive(&self, entries: &[ParkedEntry]) -> anyhow::Result<Done> {
        let mut outcome = Done::default();
        self.retry.ensure().await?;
        for one in entries {
            let redrove = redrive(&self.parked, &self.retry, one).await.with_context(|| {
                format!("{} stays parked; the ones before it are on their way", one.entry.id)
            })?;
            match redrove {
                Redrove::Scheduled => outcome.done += 1,
                Redrove::PassedOver => outcome.passed_over += 1,
                Redrove::Cut => outcome.cut += 1,
            }
        }
        Ok(outcome)
    }

    /// Gives entries up: their events stay in the log, and are not applied to this generation.
    pub async fn drop(&self, entries: &[ParkedEntry]) -> anyhow::Result<Done> {
        let mut outcome = Done::default();
        for parked in entries {
            let (generation, id) = (parked.entry.generation, parked.entry.id);
            // One that was parked anew meanwhile is not the one that was looked at.
            let now = self.parked.get(generation, id).await?;
            let same = now.is_some_and(|now| now.revision == parked.revision);
            if same && self.parked.close(generation, id, Closed::Dropped).await? {
                outcome.done += 1;
            } else {
                outcome.passed_over += 1;
            }
        }
        Ok(outcome)
    }
}
