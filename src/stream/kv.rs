//! What processes agree on, the jobs, and the keys: three JetStream KV buckets, readable by every other KV client.
//!
//! Reads of single keys ask the stream's leader, so that a decision is never based on an old copy; the
//! live copy is for those who follow, and goes on being served while NATS is away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_TTL;
use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use crate::stream::connection::Nats;
use crate::stream::follow::{Copied, follow};
use crate::stream::message::StoredMessage;
use crate::stream::side::{Bounds, QueueError, SideStream};

const DECLARATION: &str = include_str!("../../nats/kv-weir.json");
const PREFIX: &str = "$KV.WEIR.";
const JOBS_DECLARATION: &str = include_str!("../../nats/kv-weir-jobs.json");
const JOBS_PREFIX: &str = "$KV.WEIR_JOBS.";
const KEYS_DECLARATION: &str = include_str!("../../nats/kv-weir-keys.json");
const KEYS_PREFIX: &str = "$KV.WEIR_KEYS.";
const OPERATION: &str = "KV-Operation";
/// The server's own mark in the place of a value whose time was over.
const MARKER: &str = "Nats-Marker-Reason";
/// How long the mark of a deleted key stays where nobody needs it for longer.
const FAREWELL: Duration = Duration::from_mins(1);

/// The keys with value and revision.
pub type Entries = BTreeMap<String, (Bytes, u64)>;

/// A bucket; clones share it.
#[derive(Clone)]
pub struct KvStore {
    side: SideStream,
    prefix: &'static str,
}

/// A copy of the bucket at one moment.
#[derive(Debug, Clone, Default)]
pub struct KvView {
    /// Whether the bucket was ever read; before that, nothing is known.
    pub loaded: bool,
    pub entries: Arc<Entries>,
}

/// A live copy, for as long as this or a clone of it lives.
#[derive(Clone)]
pub struct KvWatch {
    view: watch::Receiver<KvView>,
    _follower: Arc<DropGuard>,
}

impl KvStore {
    /// Makes a handle of what processes agree on; nothing is sent.
    pub async fn new(nats: Nats, replicas: usize) -> Self {
        Self::of(nats, DECLARATION, PREFIX, replicas).await
    }

    /// Makes a handle of the bucket of jobs, whose keys may end by themselves; nothing is sent.
    pub async fn jobs(nats: Nats, replicas: usize) -> Self {
        Self::of(nats, JOBS_DECLARATION, JOBS_PREFIX, replicas).await
    }

    /// Makes a handle of the bucket of keys; nothing is sent.
    pub async fn keys_of_producers(nats: Nats, replicas: usize) -> Self {
        Self::of(nats, KEYS_DECLARATION, KEYS_PREFIX, replicas).await
    }

    async fn of(nats: Nats, declaration: &str, prefix: &'static str, replicas: usize) -> Self {
        let bounds = Bounds { max_bytes: None, replicas };
        Self { side: SideStream::new(nats, declaration, bounds).await, prefix }
    }

    /// Makes the bucket if there is none. Writes do the same.
    pub async fn ensure(&self) -> Result<(), QueueError> {
        self.side.ensure().await
    }

    /// Returns a key's value and revision, as the bucket's leader has it now.
    pub async fn get(&self, key: &str) -> Result<Option<(Bytes, u64)>, QueueError> {
        let newest = self.side.newest_of(&self.subject(key)?).await?;
        Ok(newest.filter(is_value).map(|message| (message.payload, message.sequence)))
    }

    /// Writes a key that does not exist, or was deleted; returns its revision.
    pub async fn create(&self, key: &str, value: Bytes) -> Result<u64, QueueError> {
        self.create_with(key, HeaderMap::new(), value).await
    }

    async fn create_with(
        &self,
        key: &str,
        headers: HeaderMap,
        value: Bytes,
    ) -> Result<u64, QueueError> {
        let subject = self.subject(key)?;
        match self.side.put(&subject, headers.clone(), value.clone(), Some(0)).await {
            Err(QueueError::Conflict) => {
                let newest = self.side.newest_of(&subject).await?;
                let deleted = newest.filter(|m| !is_value(m)).ok_or(QueueError::Conflict)?;
                self.side.put(&subject, headers, value, Some(deleted.sequence)).await
            }
            created => created,
        }
    }

    /// Writes a key that ends by itself after `ttl` (whole seconds by the server's clock; it raises what is below the
    /// bucket's `subject_delete_marker_ttl`) unless it is written again. `expected` is its newest revision; 0 if it
    /// does not exist or was deleted.
    pub async fn put_for(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
        expected: u64,
    ) -> Result<u64, QueueError> {
        let headers = lasting(ttl);
        if expected == 0 {
            return self.create_with(key, headers, value).await;
        }
        self.side.put(&self.subject(key)?, headers, value, Some(expected)).await
    }

    /// Writes a key whose newest revision is the given one; returns the new revision.
    pub async fn update(&self, key: &str, value: Bytes, revision: u64) -> Result<u64, QueueError> {
        self.side.put(&self.subject(key)?, HeaderMap::new(), value, Some(revision)).await
    }

    /// Deletes a key whose newest revision is the given one; `None` whatever it is.
    pub async fn delete(&self, key: &str, revision: Option<u64>) -> Result<(), QueueError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        self.side.put(&self.subject(key)?, headers, Bytes::new(), revision).await.map(|_| ())
    }

    /// Deletes a key whose newest revision is the given one (`None` whatever it is), and leaves nothing of it behind.
    /// Only in a bucket whose keys may end by themselves.
    pub async fn remove(&self, key: &str, revision: Option<u64>) -> Result<(), QueueError> {
        let subject = self.subject(key)?;
        let mut headers = lasting(FAREWELL);
        headers.insert(OPERATION, "DEL");
        let mark = self.side.put(&subject, headers, Bytes::new(), revision).await?;
        self.side.purge_through(&subject, mark - 1).await.map(|_| ())
    }

    /// Returns the keys that begin with a prefix, in their order, as the bucket has them now.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, QueueError> {
        Ok(self.entries(prefix).await?.into_keys().collect())
    }

    /// Returns what the keys that begin with a prefix hold, as the bucket has them now.
    pub async fn entries(&self, prefix: &str) -> Result<Entries, QueueError> {
        let mut entries = Entries::new();
        for key in self.subjects(prefix).await? {
            if let Some(entry) = self.get(&key).await? {
                entries.insert(key, entry);
            }
        }
        Ok(entries)
    }

    /// The same, with the times at which they were written, in milliseconds of the server's clock.
    pub async fn entries_with_times(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, (Bytes, i64)>, QueueError> {
        let mut entries = BTreeMap::new();
        for key in self.subjects(prefix).await? {
            let newest = self.side.newest_of(&self.subject(&key)?).await?;
            if let Some(message) = newest.filter(is_value) {
                entries.insert(key, (message.payload, message.time_ms));
            }
        }
        Ok(entries)
    }

    /// Names the keys that begin with a prefix, those that were deleted among them.
    async fn subjects(&self, prefix: &str) -> Result<Vec<String>, QueueError> {
        let mut found = Vec::new();
        let mut each =
            |subject: &str, _| found.extend(subject.strip_prefix(self.prefix).map(str::to_owned));
        self.side.each_subject(&format!("{}>", self.prefix), &mut each).await?;
        found.retain(|key| key.starts_with(prefix));
        Ok(found)
    }

    /// Begins to follow the bucket: changes are seen within a second, and the last copy stays while NATS is away.
    pub fn watch(&self) -> KvWatch {
        let (sender, view) = watch::channel(KvView::default());
        let copy = Copy { prefix: self.prefix, entries: Entries::new(), changed: true, sender };
        let follower = Arc::new(follow(self.side.handle().clone(), copy));
        KvWatch { view, _follower: follower }
    }

    fn subject(&self, key: &str) -> Result<String, QueueError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_=./".contains(c);
        let dots = key.starts_with('.') || key.ends_with('.') || key.contains("..");
        if key.is_empty() || dots || !key.chars().all(allowed) {
            return Err(self.side.refused(format!("{key:?} cannot be a key")));
        }
        Ok(format!("{}{key}", self.prefix))
    }
}

impl KvWatch {
    /// Returns the copy as it is now.
    pub fn view(&self) -> KvView {
        self.view.borrow().clone()
    }

    /// Returns a receiver of every change; it ends with the last clone of this.
    pub fn receiver(&self) -> watch::Receiver<KvView> {
        self.view.clone()
    }

    /// Waits until the bucket was read once.
    pub async fn loaded(&self) -> KvView {
        let mut view = self.view.clone();
        match view.wait_for(|view| view.loaded).await {
            Ok(view) => view.clone(),
            Err(_) => std::future::pending().await,
        }
    }
}

struct Copy {
    prefix: &'static str,
    entries: Entries,
    changed: bool,
    sender: watch::Sender<KvView>,
}

impl Copied for Copy {
    fn begin(&mut self) {
        self.entries.clear();
        self.changed = true;
    }

    fn take(&mut self, message: &StoredMessage) {
        let Some(key) = message.subject().strip_prefix(self.prefix) else { return };
        if is_value(message) {
            self.entries.insert(key.to_owned(), (message.payload.clone(), message.sequence));
        } else {
            self.entries.remove(key);
        }
        self.changed = true;
    }

    fn caught_up(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let entries = &self.entries;
        self.sender.send_if_modified(|view| {
            let differs = !view.loaded || *view.entries != *entries;
            if differs {
                *view = KvView { loaded: true, entries: Arc::new(entries.clone()) };
            }
            differs
        });
    }

    fn held(&self) -> u64 {
        self.entries.len() as u64
    }
}

fn is_value(message: &StoredMessage) -> bool {
    message.header(OPERATION).is_none() && message.header(MARKER).is_none()
}

fn lasting(ttl: Duration) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_TTL, format!("{}s", ttl.as_secs().max(1)));
    headers
}
