//! Reads the log in order from any place, without acknowledgements: the reader's place is its own.
//!
//! Its consumer at the server is thrown away at the first doubt (a gap, silence, a broken link) and made
//! anew from the reader's place, but only after the log was asked whether it is still the same one there.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::stream::connection::Link;
use crate::stream::handle::{GetError, StreamHandle};
use crate::stream::message::StoredMessage;
use crate::stream::position::{Epoch, Mark};
use crate::stream::session::{Session, Verdict, gathered, heard};

/// The shortest and the longest wait before a consumer is made again after a failure.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Messages in the order of the log, at least one.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages; their sequences rise, and jump over what was erased.
    pub messages: Vec<StoredMessage>,
    /// Messages the log held after the last of these when it was sent.
    pub pending: u64,
}

/// Why nothing was read. The reader stays where it is and may be asked again after each of them.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The link broke; the next call waits until it is back.
    #[error("the link to NATS broke")]
    Disconnected,
    /// The stream does not exist.
    #[error("the stream does not exist")]
    Gone,
    /// The log is not the one that was read, or not at this place: look for a place that still matches.
    #[error("the log is another one than was read up to sequence {position}: {reason}")]
    Diverged {
        /// The last sequence read.
        position: u64,
        /// What differs.
        reason: &'static str,
    },
    /// The server did not answer, or refused.
    #[error("the log cannot be read now: {0}")]
    Unavailable(String),
}

impl ReadError {
    /// Says whether asking the same reader again may help. After the others a new one is needed, from another place.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Diverged { .. })
    }
}

impl From<GetError> for ReadError {
    fn from(error: GetError) -> Self {
        match error {
            GetError::Gone => Self::Gone,
            GetError::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

/// What a reader has read and must find again.
#[derive(Debug, Clone)]
struct Place {
    next: u64,
    last: Option<Mark>,
    epoch: Option<Epoch>,
}

type Opening = Pin<Box<dyn Future<Output = Result<(Session, Option<Epoch>), ReadError>> + Send>>;

enum State {
    Closed,
    Opening(Opening),
    Open(Box<Session>),
}

/// Follows the log from a place on. Dropping it leaves a consumer that the server removes within a minute.
pub struct Reader {
    log: StreamHandle,
    link: watch::Receiver<Link>,
    place: Place,
    state: State,
    failures: u32,
}

impl Reader {
    pub(super) fn new(log: StreamHandle, from: u64) -> Self {
        let link = log.nats().link();
        let place = Place { next: from.max(1), last: None, epoch: None };
        Self { log, link, place, state: State::Closed, failures: 0 }
    }

    /// Reads only from a log of this epoch, and, if a mark is given, only while it holds that message.
    #[must_use]
    pub fn expecting(mut self, epoch: Epoch, last: Option<Mark>) -> Self {
        self.place.epoch = Some(epoch);
        self.place.last = last;
        self
    }

    /// Returns the sequence of the next message to read.
    pub fn position(&self) -> u64 {
        self.place.next
    }

    /// Waits for messages and returns what is there, at once and at most 1,000 or a few MiB.
    ///
    /// Cancelling it loses nothing: what was not returned comes with the next call.
    pub async fn next(&mut self) -> Result<Batch, ReadError> {
        loop {
            match &mut self.state {
                State::Closed => self.state = State::Opening(self.opening()),
                State::Opening(opening) => match opening.await {
                    Ok((session, epoch)) => {
                        self.place.epoch = self.place.epoch.take().or(epoch);
                        self.state = State::Open(Box::new(session));
                    }
                    Err(error) => {
                        self.failures += 1;
                        self.state = State::Closed;
                        return Err(error);
                    }
                },
                State::Open(_) => {
                    let batch = self.read().await?;
                    if !batch.messages.is_empty() {
                        return Ok(batch);
                    }
                }
            }
        }
    }

    fn opening(&self) -> Opening {
        let wait = match self.failures {
            0 => Duration::ZERO,
            failures => (BACKOFF.0 * 2_u32.saturating_pow(failures.min(16))).min(BACKOFF.1),
        };
        Box::pin(open(self.log.clone(), self.place.clone(), Instant::now() + wait))
    }

    /// Reads what the open session has; an empty batch when there is reason to look again.
    async fn read(&mut self) -> Result<Batch, ReadError> {
        let State::Open(session) = &mut self.state else {
            return Ok(Batch::default());
        };
        let link = *self.link.borrow_and_update();
        let verdict = if link.connected && link.times == session.times {
            gather(session, &self.log, &mut self.link).await
        } else {
            Verdict::Reopen("the link broke")
        };
        let batch = session.take();
        self.handle_batch(&batch);
        if let Verdict::Reopen(reason) = verdict {
            tracing::info!(
                reason,
                next = self.place.next,
                "the log's reader gives up its consumer"
            );
            self.state = State::Closed;
            if batch.messages.is_empty() && !link.connected {
                return Err(ReadError::Disconnected);
            }
            self.failures += u32::from(batch.messages.is_empty());
        }
        Ok(batch)
    }

    fn handle_batch(&mut self, batch: &Batch) {
        if let Some(last) = batch.messages.last() {
            self.failures = 0;
            self.place.next = last.sequence + 1;
            self.place.last = Some(last.mark());
        }
    }
}

/// Sends pulls and waits for what they bring.
async fn gather(
    session: &mut Session,
    log: &StreamHandle,
    link: &mut watch::Receiver<Link>,
) -> Verdict {
    if let reopen @ Verdict::Reopen(_) = session.pull(log).await {
        return reopen;
    }
    let silent_at = session.silent_at();
    let gathering = std::future::poll_fn(|cx| session.poll_gather(cx));
    if let Some(verdict) = gathered(gathering, link, silent_at).await {
        return verdict;
    }
    let verdict = heard(silent_at, session.silent_at());
    if verdict == Verdict::Fine {
        // A consumer on a server that is cut off from the log's leader goes on sending heartbeats, and nothing
        // else: whether that is one is learnt by asking, and the connection draws the conclusion.
        log.state().await.ok();
    }
    verdict
}

/// Makes sure that the log is the one that was read, then opens a consumer.
async fn open(
    log: StreamHandle,
    place: Place,
    not_before: Instant,
) -> Result<(Session, Option<Epoch>), ReadError> {
    tokio::time::sleep_until(not_before).await;
    let link = log.nats().connected().await;
    let state = log.state().await?;
    let diverged = |reason| Err(ReadError::Diverged { position: place.next - 1, reason });
    if place.epoch.is_some() && place.epoch != state.epoch {
        return diverged("it has another epoch");
    }
    if place.next > state.last_sequence + 1 {
        return diverged("it ends before that");
    }
    if let Some(mark) = place.last
        && !log.holds(mark).await?
    {
        return diverged("another message stands there");
    }
    let session = Session::open(&log, place.next, link.times).await?;
    Ok((session, state.epoch))
}
