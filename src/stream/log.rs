//! The stream of events itself: its state, single messages of it, and the ways to write and to read it.

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, Info};

use crate::stream::connection::Nats;
use crate::stream::declaration::{EVENT_SUBJECTS, declared};
use crate::stream::handle::{GetError, LogState, StreamHandle};
use crate::stream::message::StoredMessage;
use crate::stream::position::{Mark, Marks};
use crate::stream::publish::{Ack, Outcome, Outgoing};
use crate::stream::reader::Reader;
use crate::stream::server::{Server, SyncPolicy, least, servers};
use crate::stream::work::{WorkOptions, WorkQueue};

/// What the log shall be.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bound of the stream in bytes; `None` takes the declaration's.
    pub max_bytes: Option<i64>,
    /// Copies of the stream in a cluster.
    pub replicas: usize,
    /// The servers' monitoring addresses (`http://127.0.0.1:8222`), with commas between, to learn whether they sync.
    pub monitor_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_bytes: None, replicas: 1, monitor_url: None }
    }
}

/// The log of events over one connection; clones share it.
#[derive(Clone)]
pub struct EventLog {
    handle: StreamHandle,
    options: Options,
}

impl EventLog {
    /// Makes a handle; nothing is sent.
    pub async fn new(nats: Nats, options: Options) -> Self {
        Self { handle: StreamHandle::new(nats, &declared(None, 1).name).await, options }
    }

    /// Returns the connection.
    pub fn nats(&self) -> &Nats {
        self.handle.nats()
    }

    /// Asks when the servers sync what they store; of several, the one that promises least tells.
    pub async fn sync_policy(&self) -> SyncPolicy {
        least(self.servers().await)
    }

    /// Asks each server that can be asked what it is; at least one.
    pub async fn servers(&self) -> Vec<Server> {
        servers(self.options.monitor_url.as_deref()).await
    }

    /// Returns how far the log reaches.
    pub async fn state(&self) -> Result<LogState, GetError> {
        self.handle.state().await
    }

    /// Returns the message at a sequence, from the stream's leader; `None` when there is none.
    pub async fn get(&self, sequence: u64) -> Result<Option<StoredMessage>, GetError> {
        self.handle.get(sequence).await
    }

    /// Returns the first message that the log holds from a sequence (inclusive) on; `None` when there is none.
    pub async fn next_from(&self, sequence: u64) -> Result<Option<StoredMessage>, GetError> {
        self.handle.next_of(EVENT_SUBJECTS, sequence).await
    }

    /// Says whether the log still holds exactly this message at this place.
    pub async fn holds(&self, mark: Mark) -> Result<bool, GetError> {
        self.handle.holds(mark).await
    }

    /// Says whether a message of this subject and id stands at this place: see [`StoredMessage::id_mark`].
    pub async fn holds_id(&self, mark: Mark) -> Result<bool, GetError> {
        Ok(self.get(mark.sequence).await?.is_some_and(|message| message.id_mark() == mark))
    }

    /// Returns the newest place that the log still holds, looking from new to old.
    pub async fn newest_matching(&self, marks: &Marks) -> Result<Option<Mark>, GetError> {
        let state = self.state().await?;
        let mut tried = None;
        while let Some(mark) = marks.probe(tried, state.first_sequence, state.last_sequence) {
            if self.holds(mark).await? {
                return Ok(Some(mark));
            }
            tried = Some(mark.sequence);
        }
        Ok(None)
    }

    /// Reads the log from a sequence (inclusive; 0 and 1 are its beginning), whatever it still holds from there on.
    pub fn reader(&self, from: u64) -> Reader {
        Reader::new(self.handle.clone(), from)
    }

    /// Takes part in the work of a durable consumer; nothing is sent before the first [`WorkQueue::next`].
    pub fn work(&self, options: WorkOptions) -> WorkQueue {
        WorkQueue::new(self.handle.nats().clone(), options)
    }

    /// Publishes one message and returns once it is on its way; many may be at once.
    pub async fn send_one(&self, message: Outgoing<'_>) -> Ack {
        self.handle.send_one(message).await
    }

    /// Publishes an atomic batch of 1 to 1,000 messages and returns once it is on its way.
    ///
    /// The server takes at most 50 open batches a stream.
    pub async fn send_atomic(&self, batch: &[Outgoing<'_>]) -> Ack {
        self.handle.send_atomic(batch).await
    }

    /// Publishes one message and waits for what becomes of it.
    pub async fn publish_one(&self, message: Outgoing<'_>) -> Outcome {
        self.send_one(message).await.outcome().await
    }

    /// Publishes an atomic batch and waits for what becomes of it.
    pub async fn publish_atomic(&self, batch: &[Outgoing<'_>]) -> Outcome {
        self.send_atomic(batch).await.outcome().await
    }

    pub(super) fn handle(&self) -> &StreamHandle {
        &self.handle
    }

    pub(super) fn context(&self) -> &Context {
        self.handle.context()
    }

    pub(super) fn declared(&self) -> Config {
        declared(self.options.max_bytes, self.options.replicas)
    }

    pub(super) async fn info(&self) -> Result<Info, GetError> {
        self.handle.info().await
    }

    pub(super) async fn bounded<T>(
        &self,
        future: impl Future<Output = T>,
        what: &str,
    ) -> Result<T, GetError> {
        self.handle.bounded(future, what).await
    }
}
