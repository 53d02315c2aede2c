//! PARKED: one message an event and generation, replaced under compare-and-swap.
//!
//! A full stream refuses what is new: parking then fails visibly, and the event stays where it was. Closing
//! removes the entry and leaves a notice for a while, by which the live sets of open ids follow.

use std::time::Duration;

use async_nats::{HeaderMap, HeaderValue, header};
use bytes::Bytes;

use crate::limits;
use crate::stream::connection::Nats;
use crate::stream::entry::{Entry, EntryId};
use crate::stream::form::{self, Read};
use crate::stream::message::StoredMessage;
use crate::stream::parked::filter::ParkedFilter;
use crate::stream::parked::open::OpenIds;
use crate::stream::reader::{ReadError, Reader};
use crate::stream::side::{Bounds, QueueError, SideStream};

const DECLARATION: &str = include_str!("../../../nats/stream-parked.json");
const SUBJECTS: &str = "parked.>";
const CLOSED: &str = "Weir-Closed";
/// The header of a notice: what it closes stood at this sequence or before.
pub const THROUGH: &str = "Weir-Through";
/// How long a notice stays: far longer than a follower needs to see it.
const NOTICE_TTL: Duration = Duration::from_mins(10);
/// Writers of one entry at once are few; more turns than this are a defect.
const TURNS: usize = 8;

/// The parked events; clones share the connection.
#[derive(Clone)]
pub struct Parked {
    side: SideStream,
}

/// An entry as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedEntry {
    pub entry: Entry,
    /// Changes whenever the entry does.
    pub revision: u64,
    /// When it was written last, in milliseconds since 1970.
    pub parked_ms: i64,
    /// The whole payload's length, where only its beginning could be kept; the rest stands in the log.
    pub cut_from: Option<u64>,
}

/// A part of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedPage {
    /// In the order in which they were last written.
    pub entries: Vec<ParkedEntry>,
    /// Where the next page begins; `None` at the end.
    pub after: Option<u64>,
    /// Messages that are no entries, of a newer weir or another writer.
    pub unreadable: u64,
}

/// Why an entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Its event was applied.
    Applied,
    /// Somebody gave it up.
    Dropped,
}

impl Parked {
    /// Makes a handle; nothing is sent.
    pub async fn new(nats: Nats, options: Bounds) -> Self {
        Self { side: SideStream::new(nats, DECLARATION, options).await }
    }

    /// Makes the stream if there is none.
    pub async fn ensure(&self) -> Result<(), QueueError> {
        self.side.ensure().await
    }

    /// Keeps an event; returns the entry's revision once it is stored. An entry of the same event and
    /// generation is replaced: the earlier first failure and the greater number of attempts stay.
    pub async fn park(&self, entry: &Entry) -> Result<u64, QueueError> {
        let mut turns = 0;
        loop {
            let mut entry = entry.clone().bounded();
            let subject =
                Place { open: true, generation: entry.generation, id: entry.id }.subject();
            let before = self.side.newest_of(&subject).await?;
            let expected = before.as_ref().map_or(0, |before| before.sequence);
            // One that cannot be read is of the same event all the same.
            if let Some(Ok(before)) = before.map(|message| self.read(&message)) {
                let before = before.entry;
                entry.first_failed_ms = entry.first_failed_ms.min(before.first_failed_ms);
                entry.attempts = entry.attempts.max(before.attempts);
            }
            match self.put(&entry, None, expected).await {
                Err(QueueError::Conflict) if turns < TURNS => turns += 1,
                parked => return parked,
            }
        }
    }

    /// Returns the open entry of an event, as the stream's leader has it now.
    pub async fn get(
        &self,
        generation: u64,
        id: EntryId,
    ) -> Result<Option<ParkedEntry>, QueueError> {
        let subject = Place { open: true, generation, id }.subject();
        let newest = self.side.newest_of(&subject).await?;
        newest.map(|message| self.read(&message)).transpose()
    }

    /// Writes that the event is about to be tried once more, before it is; fails with
    /// [`QueueError::Conflict`] if the entry is not the one of this revision any more.
    pub async fn record_attempt(
        &self,
        generation: u64,
        id: EntryId,
        revision: u64,
    ) -> Result<ParkedEntry, QueueError> {
        let found = self.get(generation, id).await?.ok_or(QueueError::Conflict)?;
        if found.revision != revision {
            return Err(QueueError::Conflict);
        }
        let mut entry = found.entry.clone();
        entry.attempts = entry.attempts.saturating_add(1);
        let revision = self.put(&entry, found.cut_from, revision).await?;
        Ok(ParkedEntry { entry, revision, ..found })
    }

    /// Removes the open entry of an event; false if there is none. One that is parked meanwhile stays.
    pub async fn close(
        &self,
        generation: u64,
        id: EntryId,
        why: Closed,
    ) -> Result<bool, QueueError> {
        let subject = Place { open: true, generation, id }.subject();
        let newest = self.side.newest_of(&subject).await?;
        let removed = match &newest {
            Some(message) => self.side.purge_through(&subject, message.sequence).await? > 0,
            None => false,
        };
        self.tell_closed(generation, id, why, newest.map_or(u64::MAX, |m| m.sequence)).await?;
        Ok(removed)
    }

    async fn tell_closed(
        &self,
        generation: u64,
        id: EntryId,
        why: Closed,
        through: u64,
    ) -> Result<(), QueueError> {
        let mut headers = HeaderMap::new();
        headers.insert(CLOSED, if why == Closed::Applied { "applied" } else { "dropped" });
        if through != u64::MAX {
            headers.insert(THROUGH, HeaderValue::from(through));
        }
        headers.insert(header::NATS_MESSAGE_TTL, format!("{}s", NOTICE_TTL.as_secs()).as_str());
        let subject = Place { open: false, generation, id }.subject();
        match self.side.put(&subject, headers, Bytes::new(), None).await {
            // The entry is gone; who follows finds that out with the next question.
            Ok(_) | Err(QueueError::Full { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Lists the open entries of a generation that a filter chooses, after a place (0 for the beginning).
    ///
    /// It reads the stream from there on, until the page is full.
    pub async fn list(
        &self,
        generation: u64,
        filter: &ParkedFilter,
        after: u64,
        limit: usize,
    ) -> Result<ParkedPage, QueueError> {
        let limit = limit.clamp(1, limits::PARKED_PAGE);
        let mut page = ParkedPage::default();
        let state = match self.side.handle().state().await {
            Ok(state) => state,
            Err(crate::stream::GetError::Gone) => return Ok(page),
            Err(error) => return Err(self.side.failed(&error)),
        };
        // A reader would wait for what is not there.
        if self.side.next_of(SUBJECTS, after + 1).await?.is_none() {
            return Ok(page);
        }
        let mut reader = Reader::new(self.side.handle().clone(), after + 1);
        while reader.position() <= state.last_sequence {
            let Some(batch) = self.batch(&mut reader).await? else { break };
            for message in &batch.messages {
                match self.listed(generation, filter, message) {
                    None => {}
                    Some(Err(_)) => page.unreadable += 1,
                    Some(Ok(entry)) => page.entries.push(entry),
                }
                if page.entries.len() == limit {
                    page.after = Some(message.sequence);
                    return Ok(page);
                }
            }
            if batch.pending == 0 {
                break;
            }
        }
        Ok(page)
    }

    /// Reads on; `None` when nothing comes: what the stream held there was removed meanwhile.
    async fn batch(&self, reader: &mut Reader) -> Result<Option<crate::stream::Batch>, QueueError> {
        match tokio::time::timeout(Duration::from_secs(5), reader.next()).await {
            Ok(Ok(batch)) => Ok(Some(batch)),
            Ok(Err(ReadError::Gone)) => Ok(None),
            Ok(Err(error)) => Err(self.side.unavailable(error.to_string())),
            Err(_) if self.side.nats().link().borrow().connected => Ok(None),
            Err(_) => Err(self.side.unavailable("no answer".into())),
        }
    }

    fn listed(
        &self,
        generation: u64,
        filter: &ParkedFilter,
        message: &StoredMessage,
    ) -> Option<Result<ParkedEntry, QueueError>> {
        let place = Place::parse(message.subject())?;
        if !place.open || place.generation != generation {
            return None;
        }
        let read = self.read(message);
        let wanted = read.as_ref().map_or(true, |parked| filter.matches(&parked.entry));
        wanted.then_some(read)
    }

    /// Returns how many entries of a generation are open.
    pub async fn count(&self, generation: u64) -> Result<u64, QueueError> {
        self.side.count(&format!("parked.open.{generation}.>")).await
    }

    /// Forgets all entries of a generation, as when it ends; returns how many there were.
    pub async fn forget(&self, generation: u64) -> Result<u64, QueueError> {
        self.side.purge(&format!("parked.closed.{generation}.>")).await?;
        self.side.purge(&format!("parked.open.{generation}.>")).await
    }

    /// Begins to follow the ids of a generation's open entries: changes are seen within a second.
    pub fn open_ids(&self, generation: u64) -> OpenIds {
        OpenIds::follow(self.side.handle().clone(), generation)
    }

    async fn put(
        &self,
        entry: &Entry,
        cut_from: Option<u64>,
        expected: u64,
    ) -> Result<u64, QueueError> {
        let subject = Place { open: true, generation: entry.generation, id: entry.id }.subject();
        let mut headers = form::headers(entry, cut_from);
        let mut payload = entry.payload.clone();
        // A message just under the server's limit is over it with our headers.
        let most = self.side.handle().max_payload();
        if most > 0 && size(&headers) + payload.len() > most {
            headers = form::headers(entry, Some(payload.len() as u64));
            payload.truncate(limits::PARKED_CUT_BYTES);
        }
        self.side.put(&subject, headers, payload, Some(expected)).await
    }

    fn read(&self, message: &StoredMessage) -> Result<ParkedEntry, QueueError> {
        let read = form::read(message.headers(), &message.payload);
        let Read { entry, cut_from } = read
            .map_err(|error| self.side.refused(format!("message {}: {error}", message.sequence)))?;
        let (revision, parked_ms) = (message.sequence, message.time_ms);
        Ok(ParkedEntry { entry, revision, parked_ms, cut_from })
    }
}

/// Bounds what headers take on the wire, with those that are added to every publish.
fn size(headers: &HeaderMap) -> usize {
    let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |v| (name, v)));
    128 + lines
        .map(|(name, value)| name.to_string().len() + value.as_str().len() + 4)
        .sum::<usize>()
}

/// Where an entry or the notice of its end lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub open: bool,
    pub generation: u64,
    pub id: EntryId,
}

impl Place {
    pub fn subject(self) -> String {
        let kind = if self.open { "open" } else { "closed" };
        format!("parked.{kind}.{}.{}", self.generation, self.id)
    }

    pub fn parse(subject: &str) -> Option<Self> {
        let rest = subject.strip_prefix("parked.")?;
        let (open, rest) = match rest.split_once('.')? {
            ("open", rest) => (true, rest),
            ("closed", rest) => (false, rest),
            _ => return None,
        };
        let (generation, id) = rest.split_once('.')?;
        Some(Self { open, generation: generation.parse().ok()?, id: id.parse().ok()? })
    }
}
