//! The generations as all processes see them: kept in a KV bucket, followed live.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::record::{ACTIVE, Active, GenerationId, Record, Refusal, View};
use crate::clock;
use crate::limits::RECORD_WRITES;
use crate::stream::{KvEntries as Entries, KvStore, QueueError};

/// All generations, followed live. Clones share it.
#[derive(Clone)]
pub struct Generations {
    kv: KvStore,
    view: watch::Sender<Arc<View>>,
}

/// Why a generation could not be made or promoted.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(
        "somebody else has just changed the generations; look again with `weir generation list`"
    )]
    Conflict,
    #[error("the generations cannot be changed now: {0}")]
    Unavailable(QueueError),
}

impl From<QueueError> for ChangeError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Conflict => Self::Conflict,
            other => Self::Unavailable(other),
        }
    }
}

impl Generations {
    /// Begins with what was seen last, if `remembered` holds it: so reads know the active generation
    /// while NATS is away.
    pub fn new(kv: KvStore, remembered: Option<&Path>) -> Self {
        let last = remembered.and_then(|path| std::fs::read(path).ok());
        let view: View =
            last.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { kv, view: watch::channel(Arc::new(view)).0 }
    }

    /// Returns a watch of all generations.
    pub fn watch(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    pub fn view(&self) -> Arc<View> {
        self.view.borrow().clone()
    }

    /// Follows the bucket until told to stop, and remembers what it holds.
    pub async fn follow(self, remembered: Option<PathBuf>, stop: CancellationToken) {
        let watch = self.kv.watch();
        let mut entries = watch.receiver();
        loop {
            let copy = entries.borrow_and_update().clone();
            if copy.loaded {
                self.show(View::of(pairs(&copy.entries)), remembered.as_deref());
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = entries.changed() => if changed.is_err() { return },
            }
        }
    }

    fn show(&self, view: View, remembered: Option<&Path>) {
        if **self.view.borrow() == view {
            return;
        }
        let (before, after) = (self.view().active_id(), view.active_id());
        if before != after {
            tracing::info!(%before, %after, "another generation is active");
        }
        if let Some(path) = remembered {
            remember(path, &view);
        }
        self.view.send_replace(Arc::new(view));
    }

    /// Makes this generation and activates it, unless there are any.
    ///
    /// In memory, the graph that answers is made anew by whatever projection there is, so its record follows,
    /// unless another is made by that projection already or a database was made for it meanwhile.
    pub async fn ensure_first(&self, first: &Record) -> Result<(), ChangeError> {
        let view = self.read().await?;
        if view.generations.is_empty() {
            or_known(self.create(first).await)?;
        }
        if view.active.is_none() {
            or_known(self.promote(first.id).await.map(|_| ()))?;
        }
        match view.adopting(&first.fingerprint) {
            Some(record) if first.in_memory => {
                let adopt = |record: &mut Record| {
                    record.fingerprint.clone_from(&first.fingerprint);
                    record.event_types.clone_from(&first.event_types);
                };
                self.change(record.id, adopt).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Changes what is written of a generation now: again on what somebody else wrote in between, a bounded
    /// number of times.
    pub async fn change(
        &self,
        id: GenerationId,
        mut change: impl FnMut(&mut Record),
    ) -> Result<Record, ChangeError> {
        for _ in 0..RECORD_WRITES {
            let found = self.kv.get(&Record::key(id)).await?;
            let (value, revision) = found.ok_or(Refusal::Unknown(id))?;
            let before: Record =
                serde_json::from_slice(&value).map_err(|_| Refusal::Foreign(id))?;
            let mut record = before.clone();
            change(&mut record);
            if record == before {
                return Ok(record);
            }
            match self.kv.update(&Record::key(id), encode(&record), revision).await {
                Ok(_) => return Ok(record),
                Err(QueueError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChangeError::Conflict)
    }

    /// Writes down a generation.
    pub async fn create(&self, record: &Record) -> Result<(), ChangeError> {
        self.read().await?.may_create(record.id)?;
        self.kv.create(&Record::key(record.id), encode(record)).await?;
        Ok(())
    }

    /// Forgets a generation, and how far its workers were.
    pub async fn forget(&self, id: GenerationId) -> Result<(), ChangeError> {
        for key in [format!("progress.{id}"), Record::key(id)] {
            if self.kv.get(&key).await?.is_some() {
                self.kv.delete(&key, None).await?;
            }
        }
        Ok(())
    }

    /// Has a generation answer from now on: one compare-and-swap.
    pub async fn promote(&self, id: GenerationId) -> Result<Active, ChangeError> {
        self.promote_after(id, None).await
    }

    /// The same, if no other promotion came since the one of this number (0 for none).
    pub async fn promote_after(
        &self,
        id: GenerationId,
        number: Option<u64>,
    ) -> Result<Active, ChangeError> {
        let known = self.kv.get(ACTIVE).await?;
        let view = self.read().await?;
        let last = view.active.as_ref().map_or(0, |active| active.promotion);
        if number.is_some_and(|number| number != last) {
            return Err(ChangeError::Conflict);
        }
        let active = view.promoted(id, clock::now_ms())?;
        match known {
            Some((_, revision)) => self.kv.update(ACTIVE, encode(&active), revision).await?,
            None => self.kv.create(ACTIVE, encode(&active)).await?,
        };
        Ok(active)
    }

    /// Asks the bucket itself.
    pub async fn read(&self) -> Result<View, ChangeError> {
        Ok(View::of(pairs(&self.kv.entries("").await?)))
    }
}

fn pairs(entries: &Entries) -> impl Iterator<Item = (&str, &Bytes)> {
    entries.iter().map(|(key, (value, _))| (key.as_str(), value))
}

fn encode(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value).expect("records have a JSON form").into()
}

/// Another process was first.
fn or_known(done: Result<(), ChangeError>) -> Result<(), ChangeError> {
    match done {
        Err(
            ChangeError::Conflict | ChangeError::Refused(Refusal::Exists(_) | Refusal::Active(_)),
        ) => Ok(()),
        done => done,
    }
}

fn remember(path: &Path, view: &View) {
    let written = path.with_extension("new");
    let bytes = serde_json::to_vec(view).expect("a view has a JSON form");
    let done = std::fs::write(&written, bytes).and_then(|()| std::fs::rename(&written, path));
    if let Err(error) = done {
        tracing::warn!(%error, path = %path.display(), "the active generation cannot be remembered for a start without NATS");
    }
}
