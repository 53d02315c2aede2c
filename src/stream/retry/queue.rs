//! RETRY: one schedule an event and generation; the server moves it to what is due when its time comes.
//!
//! A later schedule of the same event takes the place of the earlier, waiting or due, so an event is
//! never there twice for long. What is due is taken by a durable consumer of its generation.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::limits;
use crate::stream::connection::Nats;
use crate::stream::entry::Entry;
use crate::stream::form::{self, Read};
use crate::stream::reader::ReadError;
use crate::stream::retry::room::Room;
use crate::stream::side::{Bounds, QueueError, SideStream};
use crate::stream::work::{Delivery, WorkOptions, WorkQueue, WorkStream};

const DECLARATION: &str = include_str!("../../../nats/stream-retry.json");
const SCHEDULE: &str = "Nats-Schedule";
const TARGET: &str = "Nats-Schedule-Target";

/// How long a due event may stay unacknowledged before another worker gets it.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// Due events in the hands of all workers of a generation.
const MAX_ACK_PENDING: u32 = 5_000;

/// What RETRY shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryOptions {
    /// Bytes it may hold; its writers keep the bound, not the server.
    pub max_bytes: u64,
    /// Copies in a cluster.
    pub replicas: usize,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { max_bytes: limits::RETRY_BYTES, replicas: 1 }
    }
}

/// A part of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryPage {
    /// In the order in which they were last written.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` at the end.
    pub after: Option<u64>,
    /// Messages that are no entries, of a newer weir or another writer.
    pub unreadable: u64,
}

/// The subjects on which a generation's events come back.
fn due_subjects(generation: u64) -> String {
    format!("retry.due.{generation}.>")
}

/// What waits to be tried again; clones share it.
#[derive(Clone)]
pub struct RetryQueue {
    side: SideStream,
    room: Arc<Room>,
}

/// An event that came back, and its delivery to acknowledge once it is applied, scheduled again or parked.
#[derive(Debug, Clone)]
pub struct Retried {
    /// Its `attempts` count this delivery: recorded attempts and times delivered.
    pub entry: Entry,
    pub delivery: Delivery,
}

impl RetryQueue {
    /// Makes a handle; nothing is sent.
    pub async fn new(nats: Nats, options: RetryOptions) -> Self {
        // Schedules and `discard: new` exclude each other, and to discard what is old would lose it.
        let bounds = Bounds { max_bytes: None, replicas: options.replicas };
        let room = Arc::new(Room::new(options.max_bytes));
        Self { side: SideStream::new(nats, DECLARATION, bounds).await, room }
    }

    /// Makes the stream if there is none. Refuses a server that knows no schedules.
    pub async fn ensure(&self) -> Result<(), QueueError> {
        self.side.ensure().await
    }

    /// Has events come back after a while; one result an entry, in their order. What is stored is safe, what is
    /// not has to be kept where it is. `due_in` says how long each waits.
    pub async fn schedule(
        &self,
        entries: &[Entry],
        due_in: impl Fn(&Entry) -> Duration,
    ) -> Vec<Result<(), QueueError>> {
        if let Err(error) = self.room.look(&self.side).await {
            return entries.iter().map(|_| Err(error.clone())).collect();
        }
        let now = OffsetDateTime::now_utc();
        let mut results = Vec::with_capacity(entries.len());
        for part in entries.chunks(limits::RETRY_FLIGHTS) {
            let sending = part.iter().map(|entry| self.schedule_one(entry, now + due_in(entry)));
            results.extend(join_all(sending).await);
        }
        results
    }

    async fn schedule_one(&self, entry: &Entry, due: OffsetDateTime) -> Result<(), QueueError> {
        self.room.take(entry, &self.side)?;
        let (generation, id) = (entry.generation, entry.id);
        let at = due.format(&Rfc3339).map_err(|error| self.side.refused(error.to_string()))?;
        let mut headers = form::headers(&entry.clone().bounded(), None);
        headers.insert(SCHEDULE, format!("@at {at}").as_str());
        headers.insert(TARGET, format!("retry.due.{generation}.{id}").as_str());
        let subject = format!("retry.wait.{generation}.{id}");
        self.side.put(&subject, headers, entry.payload.clone(), None).await.map(|_| ())
    }

    /// Takes part in the work on a generation's due events, shared by all who name the same durable.
    pub fn work(&self, generation: u64, durable: impl Into<String>) -> WorkQueue {
        let options = WorkOptions {
            stream: WorkStream::Retry,
            durable: durable.into(),
            filter: Some(due_subjects(generation)),
            begins: None,
            ack_wait: ACK_WAIT,
            max_ack_pending: MAX_ACK_PENDING,
        };
        WorkQueue::new(self.side.nats().clone(), options)
    }

    /// Returns how many events of a generation wait or are due.
    pub async fn count(&self, generation: u64) -> Result<u64, QueueError> {
        let mut count = 0;
        for subjects in [format!("retry.wait.{generation}.>"), due_subjects(generation)] {
            count += self.side.count(&subjects).await?;
        }
        Ok(count)
    }

    /// Lists the events of a generation that wait or are due, after a place (0 for the beginning).
    ///
    /// An event that becomes due or is scheduled again meanwhile moves to the stream's end and is met there, so
    /// what is here from the beginning of a listing to its end is on it. A stream of work has no
    /// readers without acknowledgements, so each is asked for by itself.
    pub async fn list(
        &self,
        generation: u64,
        after: u64,
        limit: usize,
    ) -> Result<RetryPage, QueueError> {
        let subjects = format!("retry.*.{generation}.>");
        let (mut page, mut place) = (RetryPage::default(), after);
        for _ in 0..limit.clamp(1, limits::RETRY_PAGE) {
            let Some(message) = self.side.next_of(&subjects, place + 1).await? else {
                return Ok(page);
            };
            place = message.sequence;
            match form::read(message.headers(), &message.payload) {
                Ok(Read { entry, .. }) => page.entries.push(entry),
                Err(_) => page.unreadable += 1,
            }
        }
        page.after = Some(place);
        Ok(page)
    }

    /// Has events come back at once that are due and that nobody would be given: the work on them counts as done.
    ///
    /// A server that died keeps what was done and may find again what it had removed by that. It cannot be told
    /// whether such an event was applied, and to apply it again changes nothing. Returns how many there were.
    pub async fn revive(&self, generation: u64, durable: &str) -> Result<u64, QueueError> {
        // The state is asked first: what is done meanwhile is none of these.
        let done = match self.work(generation, durable).state().await {
            Ok(state) => state.ack_floor,
            Err(ReadError::Gone) => return Ok(0),
            Err(error) => return Err(self.side.unavailable(error.to_string())),
        };
        let left = self.left_below(generation, done).await?;
        let scheduled = self.schedule(&left, |_| Duration::ZERO).await;
        scheduled.into_iter().try_fold(0, |count, one| one.map(|()| count + 1))
    }

    /// Returns the due events up to a sequence (inclusive), a page of them at most.
    async fn left_below(&self, generation: u64, done: u64) -> Result<Vec<Entry>, QueueError> {
        let (subjects, mut left, mut from) = (due_subjects(generation), Vec::new(), 1);
        while from <= done && left.len() < limits::RETRY_PAGE {
            match self.side.next_of(&subjects, from).await? {
                Some(message) if message.sequence <= done => {
                    from = message.sequence + 1;
                    left.extend(form::read(message.headers(), &message.payload).map(|it| it.entry));
                }
                _ => break,
            }
        }
        Ok(left)
    }

    /// Forgets all events of a generation, as when it ends; returns how many there were.
    pub async fn forget(&self, generation: u64) -> Result<u64, QueueError> {
        let waiting = self.side.purge(&format!("retry.wait.{generation}.>")).await?;
        Ok(waiting + self.side.purge(&due_subjects(generation)).await?)
    }
}

impl Retried {
    /// Reads what came back; a message that is no entry is told with its reason, and should be dropped and reported.
    pub fn read(delivery: Delivery) -> Result<Self, Box<(form::FormError, Delivery)>> {
        match form::read(delivery.message.headers(), &delivery.message.payload) {
            Ok(Read { mut entry, .. }) => {
                let delivered = u32::try_from(delivery.delivered).unwrap_or(u32::MAX);
                entry.attempts = entry.attempts.saturating_add(delivered);
                Ok(Self { entry, delivery })
            }
            Err(error) => Err(Box::new((error, delivery))),
        }
    }
}
