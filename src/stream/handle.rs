//! One stream over one connection: what the log and the streams beside it share.
//!
//! Every question has a deadline and ends with the connection it was asked on, because an answer that
//! was on its way then will not come.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{Info, LastRawMessageErrorKind, RawMessageError, Stream};
use async_nats::jetstream::{Context, ErrorCode, message::StreamMessage};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::stream::connection::{Link, Nats};
use crate::stream::declaration::epoch_of;
use crate::stream::message::StoredMessage;
use crate::stream::position::{Epoch, Mark};
use crate::stream::publish::{self, Ack, Outgoing, RetryCause};
use crate::stream::replies::Replies;

/// How long the server may take to answer a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How far the log reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogState {
    /// The stream's epoch; `None` for a stream that was never ensured.
    pub epoch: Option<Epoch>,
    /// The first sequence held; after a purge one more than the last.
    pub first_sequence: u64,
    /// The last sequence given.
    pub last_sequence: u64,
    /// Messages held.
    pub messages: u64,
    /// Bytes held.
    pub bytes: u64,
    /// The bound in bytes; -1 for none.
    pub max_bytes: i64,
}

/// Why the log could not be asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GetError {
    /// The stream does not exist.
    #[error("the stream does not exist")]
    Gone,
    /// The server did not answer, or not with what was asked.
    #[error("the stream cannot be asked: {0}")]
    Unavailable(String),
}

struct Inner {
    nats: Nats,
    name: String,
    context: Context,
    stream: Stream<()>,
    replies: OnceCell<Replies>,
}

/// A stream; clones share it.
#[derive(Clone)]
pub struct StreamHandle {
    inner: Arc<Inner>,
}

impl StreamHandle {
    /// Makes a handle of the stream of a valid name; nothing is sent.
    pub async fn new(nats: Nats, name: &str) -> Self {
        let mut context = async_nats::jetstream::new(nats.client().clone());
        context.set_timeout(REQUEST_TIMEOUT);
        Self::within(nats, context, name).await
    }

    async fn within(nats: Nats, context: Context, name: &str) -> Self {
        let stream = context.get_stream_no_info(name).await.expect("the declared name is valid");
        let name = name.to_owned();
        let inner = Inner { nats, name, context, stream, replies: OnceCell::new() };
        Self { inner: Arc::new(inner) }
    }

    pub fn nats(&self) -> &Nats {
        &self.inner.nats
    }

    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub fn context(&self) -> &Context {
        &self.inner.context
    }

    pub fn stream(&self) -> &Stream<()> {
        &self.inner.stream
    }

    /// Returns the largest message the server takes; 0 before the first connection.
    pub fn max_payload(&self) -> usize {
        self.inner.nats.server().map_or(0, |server| server.max_payload)
    }

    /// Returns how far the stream reaches, as its leader has it.
    pub async fn state(&self) -> Result<LogState, GetError> {
        let info = self.info().await?;
        if is_leaderless(&info) {
            return Err(GetError::Unavailable("the stream has no leader now".to_owned()));
        }
        Ok(LogState {
            epoch: epoch_of(&info.config),
            first_sequence: info.state.first_sequence,
            last_sequence: info.state.last_sequence,
            messages: info.state.messages,
            bytes: info.state.bytes,
            max_bytes: info.config.max_bytes,
        })
    }

    /// Returns the message at a sequence, from the stream's leader; `None` when there is none.
    pub async fn get(&self, sequence: u64) -> Result<Option<StoredMessage>, GetError> {
        let got = self.bounded(self.inner.stream.get_raw_message(sequence), "no answer").await?;
        read_message(got)
    }

    /// Returns the newest message of a subject, from the stream's leader.
    pub async fn newest_of(&self, subject: &str) -> Result<Option<StoredMessage>, GetError> {
        let asked = self.inner.stream.get_last_raw_message_by_subject(subject);
        read_message(self.bounded(asked, "no answer").await?)
    }

    /// Returns the first message from a sequence (inclusive) on whose subject matches, from the stream's leader.
    pub async fn next_of(
        &self,
        subjects: &str,
        from: u64,
    ) -> Result<Option<StoredMessage>, GetError> {
        let asked = self.inner.stream.get_first_raw_message_by_subject(subjects, from.max(1));
        read_message(self.bounded(asked, "no answer").await?)
    }

    /// Says whether the stream still holds exactly this message at this place.
    pub async fn holds(&self, mark: Mark) -> Result<bool, GetError> {
        Ok(self.get(mark.sequence).await?.is_some_and(|message| message.mark() == mark))
    }

    /// Publishes one message and returns once it is on its way; many may be at once.
    pub async fn send_one(&self, message: Outgoing<'_>) -> Ack {
        match self.replies().await {
            Ok(replies) => publish::send_one(self.nats(), replies, message).await,
            Err(ack) => ack,
        }
    }

    /// Publishes one message with headers of one's own and returns once it is on its way.
    pub async fn send(&self, subject: &str, headers: HeaderMap, payload: Bytes) -> Ack {
        match self.replies().await {
            Ok(replies) => publish::send(self.nats(), replies, subject, headers, payload).await,
            Err(ack) => ack,
        }
    }

    /// Publishes an atomic batch of 1 to 1,000 messages and returns once it is on its way.
    pub async fn send_atomic(&self, batch: &[Outgoing<'_>]) -> Ack {
        match self.replies().await {
            Ok(replies) => publish::send_atomic(self.nats(), replies, batch).await,
            Err(ack) => ack,
        }
    }

    async fn replies(&self) -> Result<&Replies, Ack> {
        let open = || Replies::open(&self.inner.nats);
        let replies = self.inner.replies.get_or_try_init(open).await;
        replies.map_err(|_| Ack::retry(RetryCause::Disconnected))
    }

    /// Returns what a server tells of the stream. One that knows of no leader tells what it has itself.
    pub async fn info(&self) -> Result<Info, GetError> {
        let asked = self.inner.context.get_stream(&self.inner.name);
        let got = self.bounded(asked, "no answer").await.and_then(|got| {
            got.map(|stream| stream.cached_info().clone()).map_err(|error| info_error(&error))
        });
        let serves = match &got {
            Ok(info) => !is_leaderless(info),
            Err(GetError::Gone) => true,
            Err(GetError::Unavailable(_)) => false,
        };
        self.inner.nats.heard(serves).await;
        got
    }

    /// The connection's queue may be full while it is down, so everything has a deadline.
    pub async fn bounded<T>(
        &self,
        future: impl Future<Output = T>,
        what: &str,
    ) -> Result<T, GetError> {
        let mut link = self.inner.nats.link();
        let begun = *link.borrow_and_update();
        let broken = async {
            let other = |now: &Link| !now.connected || now.times != begun.times;
            if !begun.connected || link.wait_for(other).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let answered = tokio::time::timeout(REQUEST_TIMEOUT + Duration::from_secs(1), future);
        tokio::select! {
            biased;
            answered = answered => answered.map_err(|_| GetError::Unavailable(what.to_owned())),
            () = broken => Err(GetError::Unavailable("the link to NATS broke".to_owned())),
        }
    }
}

/// Whether a stream in a cluster has nobody who takes what is written. A server alone leads by itself.
fn is_leaderless(info: &Info) -> bool {
    let named = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.is_empty());
    info.cluster.as_ref().is_some_and(|cluster| named(&cluster.name) && !named(&cluster.leader))
}

fn read_message(
    got: Result<StreamMessage, RawMessageError>,
) -> Result<Option<StoredMessage>, GetError> {
    match got {
        Ok(message) => Ok(Some(StoredMessage::from_parts(
            message.sequence,
            (message.time.unix_timestamp_nanos() / 1_000_000) as i64,
            message.subject,
            Some(message.headers),
            message.payload,
        ))),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(e)
                if e.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Err(GetError::Gone)
            }
            _ => Err(GetError::Unavailable(error.to_string())),
        },
    }
}

fn info_error(error: &GetStreamError) -> GetError {
    match error.kind() {
        GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            GetError::Gone
        }
        _ => GetError::Unavailable(error.to_string()),
    }
}
