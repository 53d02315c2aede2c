//! The documents of events that are set aside: they are not as the log says yet, and that is no difference.

use std::collections::HashSet;

use super::doc::DocId;
use super::error::VerifyError;
use crate::limits::{PARKED_PAGE, RETRY_PAGE};
use crate::projector::Recorded;
use crate::replay::pass::Lens;
use crate::stream::{Entry, Parked, ParkedFilter, RetryQueue};

/// Where events of generations are set aside.
#[derive(Clone)]
pub struct Aside {
    pub retry: RetryQueue,
    pub parked: Parked,
}

/// Documents that events which are set aside would put.
pub(super) struct Pending<'a> {
    lens: Lens<'a>,
    pub documents: HashSet<DocId>,
}

impl<'a> Pending<'a> {
    pub fn new(lens: Lens<'a>) -> Self {
        Self { lens, documents: HashSet::new() }
    }

    /// Adds what is set aside now. RETRY first: what goes from there to PARKED is in PARKED before it leaves.
    pub async fn list(&mut self, aside: &Aside, generation: u64) -> Result<(), VerifyError> {
        self.list_retry(&aside.retry, generation).await?;
        self.list_parked(&aside.parked, generation).await
    }

    async fn list_retry(&mut self, retry: &RetryQueue, generation: u64) -> Result<(), VerifyError> {
        let mut after = Some(0);
        while let Some(place) = after {
            let page = retry.list(generation, place, RETRY_PAGE).await?;
            page.entries.iter().for_each(|entry| self.take(entry));
            after = page.after;
        }
        Ok(())
    }

    /// Until nothing follows: an entry that is parked again meanwhile moves to the end.
    async fn list_parked(&mut self, parked: &Parked, generation: u64) -> Result<(), VerifyError> {
        let mut after = 0;
        loop {
            let page =
                parked.list(generation, &ParkedFilter::default(), after, PARKED_PAGE).await?;
            let Some(last) = page.entries.last() else { return Ok(()) };
            after = last.revision;
            page.entries.iter().for_each(|parked| self.take(&parked.entry));
        }
    }

    /// What is no event puts nothing, for the log's reader as for live.
    fn take(&mut self, entry: &Entry) {
        let recorded = Recorded {
            subject: &entry.subject,
            message_id: entry.message_id.as_deref(),
            payload: &entry.payload,
            sequence: entry.sequence,
            time_ms: entry.time_ms,
        };
        let Ok(event) = self.lens.decoder.decode(&entry.epoch, &recorded) else { return };
        let mut puts = Vec::new();
        self.lens.projection.project(&event, &mut puts);
        let types = self.lens.projection.types();
        self.documents.extend(puts.iter().map(|put| DocId::of(put, types)));
    }
}
