//! The stream of events itself: its state, single messages of it, and the ways to write and to read it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, Info, LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::stream::connection::{Link, Nats, ServerFacts};
use crate::stream::declaration::{declared, epoch_of};
use crate::stream::message::StoredMessage;
use crate::stream::position::{Epoch, Mark, Marks};
use crate::stream::publish::{self, Ack, Outcome, Outgoing, RetryCause};
use crate::stream::reader::Reader;
use crate::stream::replies::Replies;
use crate::stream::server::{SyncPolicy, sync_policy};

/// How long the server may take to answer a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What the log shall be.
#[derive(Debug, Clone)]
pub struct Options {
    /// The bound of the stream in bytes; `None` takes the declaration's.
    pub max_bytes: Option<i64>,
    /// Copies of the stream in a cluster.
    pub replicas: usize,
    /// The server's monitoring address (`http://127.0.0.1:8222`), to learn whether it syncs.
    pub monitor_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_bytes: None, replicas: 1, monitor_url: None }
    }
}

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
    #[error("the stream EVENTS does not exist")]
    Gone,
    /// The server did not answer, or not with what was asked.
    #[error("the stream EVENTS cannot be asked: {0}")]
    Unavailable(String),
}

struct Inner {
    nats: Nats,
    options: Options,
    name: String,
    context: Context,
    stream: Stream<()>,
    replies: OnceCell<Replies>,
}

/// The log of events over one connection; clones share it.
#[derive(Clone)]
pub struct EventLog {
    inner: Arc<Inner>,
}

impl EventLog {
    /// Makes a handle; nothing is sent.
    pub async fn new(nats: Nats, options: Options) -> Self {
        let mut context = async_nats::jetstream::new(nats.client().clone());
        context.set_timeout(REQUEST_TIMEOUT);
        let name = declared(None, 1).name;
        let stream = context.get_stream_no_info(&name).await.expect("the declared name is valid");
        Self {
            inner: Arc::new(Inner {
                nats,
                options,
                name,
                context,
                stream,
                replies: OnceCell::new(),
            }),
        }
    }

    /// Returns the connection.
    pub fn nats(&self) -> &Nats {
        &self.inner.nats
    }

    /// Asks when the server syncs what it stores.
    pub async fn sync_policy(&self) -> SyncPolicy {
        sync_policy(self.inner.options.monitor_url.as_deref()).await
    }

    /// Returns how far the log reaches.
    pub async fn state(&self) -> Result<LogState, GetError> {
        let info = self.info().await?;
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

    /// Says whether the log still holds exactly this message at this place.
    pub async fn holds(&self, mark: Mark) -> Result<bool, GetError> {
        Ok(self.get(mark.sequence).await?.is_some_and(|message| message.mark() == mark))
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
        Reader::new(self.clone(), from)
    }

    /// Publishes one message and returns once it is on its way; many may be at once.
    pub async fn send_one(&self, message: Outgoing<'_>) -> Ack {
        match self.replies().await {
            Ok(replies) => publish::send_one(&self.inner.nats, replies, message).await,
            Err(ack) => ack,
        }
    }

    /// Publishes an atomic batch of 1 to 1,000 messages and returns once it is on its way.
    ///
    /// The server takes at most 50 open batches a stream.
    pub async fn send_atomic(&self, batch: &[Outgoing<'_>]) -> Ack {
        match self.replies().await {
            Ok(replies) => publish::send_atomic(&self.inner.nats, replies, batch).await,
            Err(ack) => ack,
        }
    }

    /// Publishes one message and waits for what becomes of it.
    pub async fn publish_one(&self, message: Outgoing<'_>) -> Outcome {
        self.send_one(message).await.outcome().await
    }

    /// Publishes an atomic batch and waits for what becomes of it.
    pub async fn publish_atomic(&self, batch: &[Outgoing<'_>]) -> Outcome {
        self.send_atomic(batch).await.outcome().await
    }

    pub(super) fn name(&self) -> &str {
        &self.inner.name
    }

    pub(super) fn context(&self) -> &Context {
        &self.inner.context
    }

    pub(super) fn server(&self) -> Option<ServerFacts> {
        self.inner.nats.server()
    }

    pub(super) fn declared(&self) -> Config {
        declared(self.inner.options.max_bytes, self.inner.options.replicas)
    }

    async fn replies(&self) -> Result<&Replies, Ack> {
        let open = || Replies::open(&self.inner.nats);
        self.inner
            .replies
            .get_or_try_init(open)
            .await
            .map_err(|_| Ack::retry(RetryCause::Disconnected))
    }

    pub(super) async fn info(&self) -> Result<Info, GetError> {
        let got =
            self.bounded(self.inner.context.get_stream(&self.inner.name), "no answer").await?;
        got.map(|stream| stream.cached_info().clone()).map_err(|error| info_error(&error))
    }

    /// The connection's queue may be full while it is down, so everything has a deadline; and an answer that
    /// was on its way when the connection broke will not come.
    pub(super) async fn bounded<T>(
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

fn info_error(error: &GetStreamError) -> GetError {
    match error.kind() {
        GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            GetError::Gone
        }
        _ => GetError::Unavailable(error.to_string()),
    }
}
