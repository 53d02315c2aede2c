//! A stream beside the log, declared in a file of `nats/`: made when it is missing, written with an
//! acknowledgement a message, and asked for the newest message of a subject.

use std::time::Duration;

use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE as EXPECTED;
use async_nats::jetstream::context::CreateStreamError;
use async_nats::jetstream::stream::{Config, PurgeError, PurgeResponse};
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::stream::connection::Nats;
use crate::stream::declaration::{epoch_of, set_epoch};
use crate::stream::ensure::{NoPlace, grow, is_no_room, new_epoch};
use crate::stream::handle::{GetError, StreamHandle};
use crate::stream::message::StoredMessage;
use crate::stream::publish::{Ack, Outcome, RefusedCause, RetryCause};
use crate::stream::server::TooOld;

/// Why a stream beside the log did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The server cannot keep the promises.
    #[error(transparent)]
    TooOld(#[from] TooOld),
    /// The stream is at its bound; nothing was written.
    #[error("the stream {stream} is full ({text}): raise its bound, or take out what it holds")]
    Full { stream: String, text: String },
    /// Somebody else wrote in between; read again, then decide again.
    #[error("it was changed by somebody else in between")]
    Conflict,
    /// The server refuses, and will until somebody changes something.
    #[error("the stream {stream} refuses: {text}")]
    Refused { stream: String, text: String },
    /// Not known to be done; the same again may help.
    #[error("the stream {stream} cannot be reached now: {text}")]
    Unavailable { stream: String, text: String },
}

impl QueueError {
    /// Says whether the same again may help without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }
}

/// The stream and what it is declared to be; clones share it.
#[derive(Clone)]
pub struct SideStream {
    handle: StreamHandle,
    declared: Config,
}

impl SideStream {
    /// Makes a handle; nothing is sent.
    pub async fn new(nats: Nats, declaration: &str, bounds: Bounds) -> Self {
        let declared = declared(declaration, bounds);
        Self { handle: StreamHandle::new(nats, &declared.name).await, declared }
    }

    pub fn handle(&self) -> &StreamHandle {
        &self.handle
    }

    pub fn nats(&self) -> &Nats {
        self.handle.nats()
    }

    /// Makes the stream if there is none, with an epoch; otherwise gives it the declared bounds.
    pub async fn ensure(&self) -> Result<(), QueueError> {
        self.bounded(self.nats().connected()).await?;
        self.nats().check_server()?;
        match self.handle.info().await {
            Ok(info) => self.repair(info.config).await,
            Err(GetError::Gone) => self.create().await,
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn create(&self) -> Result<(), QueueError> {
        let mut config = self.declared.clone();
        set_epoch(&mut config, &new_epoch());
        match self.bounded(self.handle.context().create_stream(config)).await? {
            Ok(_) => {
                tracing::info!(stream = self.handle.name(), "the stream was made");
                Ok(())
            }
            // Somebody else made it at the same moment: theirs is the stream.
            Err(error) => match self.handle.info().await {
                Ok(_) => Ok(()),
                Err(_) => Err(self.not_created(&error)),
            },
        }
    }

    fn not_created(&self, error: &CreateStreamError) -> QueueError {
        let Config { name, num_replicas, max_bytes, .. } = &self.declared;
        match NoPlace::of(error, name, *num_replicas) {
            Some(no_place) if no_place.clustered => self.unavailable(no_place.to_string()),
            Some(no_place) => self.refused(no_place.to_string()),
            None if is_no_room(error) => self.refused(format!(
                "the server has no room for {max_bytes} bytes: lower the bound, or raise max_file_store"
            )),
            None => self.refused(error.to_string()),
        }
    }

    async fn repair(&self, found: Config) -> Result<(), QueueError> {
        let mut config = repaired(&self.declared, &found);
        if epoch_of(&found).is_none() {
            set_epoch(&mut config, &new_epoch());
        }
        if config != found {
            tracing::info!(
                stream = self.handle.name(),
                "the stream's settings differ and are changed"
            );
            let updated = self.bounded(self.handle.context().update_stream(&config)).await?;
            updated.map_err(|error| self.refused(error.to_string()))?;
        }
        let grown = grow(&self.handle, config, self.declared.num_replicas).await;
        grown.map_err(|error| self.failed(&error))
    }

    /// Writes one message and returns its sequence once it is stored. A missing stream is made.
    ///
    /// With `expected` (0 for none), only if that is the sequence of the subject's newest message.
    pub async fn put(
        &self,
        subject: &str,
        mut headers: HeaderMap,
        payload: Bytes,
        expected: Option<u64>,
    ) -> Result<u64, QueueError> {
        if let Some(expected) = expected {
            headers.insert(EXPECTED, HeaderValue::from(expected));
        }
        let ack = self.handle.send(subject, headers.clone(), payload.clone()).await;
        match self.stored(ack).await {
            // Nobody takes the subject: the stream is gone, or its leader is being elected.
            Err((Some(RetryCause::NoStream), _)) => {
                self.ensure().await?;
                let ack = self.handle.send(subject, headers, payload).await;
                self.stored(ack).await.map_err(|(_, error)| error)
            }
            stored => stored.map_err(|(_, error)| error),
        }
    }

    /// Waits for what becomes of a publish.
    pub async fn stored(&self, ack: Ack) -> Result<u64, (Option<RetryCause>, QueueError)> {
        let stream = || self.handle.name().to_owned();
        match ack.outcome().await {
            Outcome::Stored { last, .. } | Outcome::Duplicate { sequence: last } => Ok(last),
            Outcome::Retry(cause) => {
                let text = cause.to_string();
                Err((Some(cause), QueueError::Unavailable { stream: stream(), text }))
            }
            Outcome::Refused(RefusedCause::Full(text)) => {
                Err((None, QueueError::Full { stream: stream(), text }))
            }
            Outcome::Refused(RefusedCause::Other { code: 10_071 | 10_164, .. }) => {
                Err((None, QueueError::Conflict))
            }
            Outcome::Refused(cause) => Err((None, self.refused(cause.to_string()))),
            Outcome::BatchRefusedForDuplicate => Err((None, self.refused("a duplicate".into()))),
        }
    }

    /// Returns the newest message of a subject; a stream that is missing has none.
    pub async fn newest_of(&self, subject: &str) -> Result<Option<StoredMessage>, QueueError> {
        match self.handle.newest_of(subject).await {
            Err(GetError::Gone) => Ok(None),
            got => got.map_err(|error| self.failed(&error)),
        }
    }

    /// Returns the first message from a sequence (inclusive) on whose subject matches; a stream that is missing
    /// has none.
    pub async fn next_of(
        &self,
        subjects: &str,
        from: u64,
    ) -> Result<Option<StoredMessage>, QueueError> {
        match self.handle.next_of(subjects, from).await {
            Err(GetError::Gone) => Ok(None),
            got => got.map_err(|error| self.failed(&error)),
        }
    }

    /// Returns how many messages the subjects that match hold, at most one each; a missing stream holds none.
    pub async fn count(&self, subjects: &str) -> Result<u64, QueueError> {
        let mut count = 0;
        self.each_subject(subjects, |_, messages| count += messages).await?;
        Ok(count)
    }

    /// Calls with every subject that matches and how many messages it holds.
    pub async fn each_subject(
        &self,
        subjects: &str,
        mut each: impl FnMut(&str, u64),
    ) -> Result<(), QueueError> {
        let unavailable = |error: &dyn std::error::Error| self.unavailable(error.to_string());
        let mut found =
            match self.bounded(self.handle.stream().info_with_subjects(subjects)).await? {
                Ok(found) => found,
                Err(_) if matches!(self.handle.info().await, Err(GetError::Gone)) => return Ok(()),
                Err(error) => return Err(unavailable(&error)),
            };
        while let Some(subject) = self.bounded(found.next()).await? {
            let (subject, messages) = subject.map_err(|error| unavailable(&error))?;
            each(&subject, messages as u64);
        }
        Ok(())
    }

    /// Removes all messages of the subjects that match; returns how many.
    pub async fn purge(&self, subjects: &str) -> Result<u64, QueueError> {
        self.purged(self.handle.stream().purge().filter(subjects)).await
    }

    /// Removes the messages of a subject up to a sequence (inclusive); returns how many.
    pub async fn purge_through(&self, subject: &str, sequence: u64) -> Result<u64, QueueError> {
        self.purged(self.handle.stream().purge().filter(subject).sequence(sequence + 1)).await
    }

    async fn purged(
        &self,
        purging: impl IntoFuture<Output = Result<PurgeResponse, PurgeError>>,
    ) -> Result<u64, QueueError> {
        match self.bounded(purging.into_future()).await? {
            Ok(purged) => Ok(purged.purged),
            Err(_) if matches!(self.handle.info().await, Err(GetError::Gone)) => Ok(0),
            Err(error) => Err(self.unavailable(error.to_string())),
        }
    }

    /// Waits with a deadline.
    pub async fn bounded<T>(&self, future: impl Future<Output = T>) -> Result<T, QueueError> {
        self.handle.bounded(future, "no answer").await.map_err(|error| self.failed(&error))
    }

    pub fn failed(&self, error: &GetError) -> QueueError {
        self.unavailable(error.to_string())
    }

    pub fn unavailable(&self, text: String) -> QueueError {
        QueueError::Unavailable { stream: self.handle.name().to_owned(), text }
    }

    pub fn refused(&self, text: String) -> QueueError {
        QueueError::Refused { stream: self.handle.name().to_owned(), text }
    }
}

/// What of a declaration depends on settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The bound in bytes; `None` takes the declaration's.
    pub max_bytes: Option<i64>,
    /// Copies in a cluster.
    pub replicas: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { max_bytes: None, replicas: 1 }
    }
}

fn declared(declaration: &str, bounds: Bounds) -> Config {
    let mut config: Config =
        serde_json::from_str(declaration).expect("a test reads the declaration");
    config.max_bytes = bounds.max_bytes.unwrap_or(config.max_bytes);
    config.num_replicas = bounds.replicas;
    config
}

/// Returns the stream's settings with everything changed that can be changed, and all that is not ours kept.
fn repaired(declared: &Config, found: &Config) -> Config {
    let mut config = found.clone();
    config.subjects.clone_from(&declared.subjects);
    config.max_bytes = declared.max_bytes;
    config.max_messages = declared.max_messages;
    config.max_messages_per_subject = declared.max_messages_per_subject;
    config.max_age = Duration::ZERO;
    config.discard = declared.discard;
    config.discard_new_per_subject = declared.discard_new_per_subject;
    config.allow_direct = declared.allow_direct;
    config.allow_rollup = declared.allow_rollup;
    // Neither can be taken back once it is given.
    config.allow_message_ttl |= declared.allow_message_ttl;
    config.allow_message_schedules |= declared.allow_message_schedules;
    config.subject_delete_marker_ttl = declared.subject_delete_marker_ttl;
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_read_bounded_and_differs_in_nothing_from_itself() {
        for declaration in [
            include_str!("../../nats/kv-weir.json"),
            include_str!("../../nats/kv-weir-jobs.json"),
            include_str!("../../nats/stream-retry.json"),
            include_str!("../../nats/stream-parked.json"),
        ] {
            let config = declared(declaration, Bounds { max_bytes: Some(4096), replicas: 3 });
            assert_eq!((config.max_bytes, config.num_replicas), (4096, 3));
            assert_eq!(repaired(&config, &config), config);
            let found = Config { max_bytes: 1, max_age: Duration::from_secs(1), ..config.clone() };
            assert_eq!(repaired(&config, &found), config);
        }
    }
}
