//! The loop of one worker: open, pull, hand out; and all over again after whatever may happen in between.
//!
//! What was handed out and not acknowledged comes again by the server's doing. What was received and not
//! handed out stays here, and goes back to the others with `release`.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::stream::connection::{Link, Nats};
use crate::stream::handle::StreamHandle;
use crate::stream::position::Epoch;
use crate::stream::reader::{BACKOFF, ReadError};
use crate::stream::session::{Verdict, gathered, heard};
use crate::stream::work::admin::prepare;
use crate::stream::work::delivery::{Answers, Delivery};
use crate::stream::work::options::WorkOptions;
use crate::stream::work::session::WorkSession;

type Opening =
    Pin<Box<dyn Future<Output = Result<(StreamHandle, WorkSession), ReadError>> + Send + Sync>>;

enum State {
    Closed,
    Opening(Opening),
    Open(StreamHandle, Box<WorkSession>),
}

/// One worker's part of the work. Dropping it leaves what it holds to the others after the consumer's wait;
/// [`WorkQueue::release`] gives it to them at once.
pub struct WorkQueue {
    pub(super) nats: Nats,
    pub(super) options: WorkOptions,
    expected: Option<Epoch>,
    link: watch::Receiver<Link>,
    state: State,
    held: VecDeque<Delivery>,
    failures: u32,
}

impl WorkQueue {
    pub(in crate::stream) fn new(nats: Nats, options: WorkOptions) -> Self {
        let link = nats.link();
        let held = VecDeque::new();
        Self { nats, options, expected: None, link, state: State::Closed, held, failures: 0 }
    }

    /// Takes work only from a stream of this epoch; looked at whenever the link was made anew.
    #[must_use]
    pub fn expecting(mut self, epoch: Epoch) -> Self {
        self.expected = Some(epoch);
        self
    }

    /// Waits for work and returns what is there, at once: at least one and at most `most` deliveries.
    ///
    /// While the caller works on them, at most `most` more are fetched ahead. A link that breaks is waited for,
    /// a consumer that is gone is made again; errors are a stream that is gone, is another one
    /// ([`ReadError::Diverged`]), or a server that refuses, and asking again is right after each but that one.
    /// Cancelling it loses nothing: what was not returned comes with the next call.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Delivery>, ReadError> {
        let most = most.max(1);
        loop {
            match &mut self.state {
                State::Closed if !self.held.is_empty() => return Ok(self.take(most)),
                State::Closed => self.state = State::Opening(self.opening()),
                State::Opening(opening) => match opening.await {
                    Ok((handle, session)) => self.state = State::Open(handle, Box::new(session)),
                    Err(error) => {
                        self.failures += 1;
                        self.state = State::Closed;
                        return Err(error);
                    }
                },
                State::Open(..) => {
                    if let Verdict::Reopen(reason) = self.work(most).await {
                        tracing::info!(
                            reason,
                            durable = self.options.durable,
                            "a worker looks again"
                        );
                        self.failures += u32::from(self.held.is_empty() && self.is_linked());
                        self.state = State::Closed;
                    } else if !self.held.is_empty() {
                        self.failures = 0;
                        return Ok(self.take(most));
                    }
                }
            }
        }
    }

    /// Returns what answers for its deliveries, also while the next ones are waited for.
    pub fn answers(&self) -> Answers {
        Answers(self.nats.clone())
    }

    /// Ends this part of the work: everything fetched and not handed out goes back to the others at once.
    pub async fn release(self) {
        let answers = self.answers();
        let mut left = Vec::from(self.held);
        if let State::Open(handle, session) = self.state {
            left.extend(session.close(&handle).await);
        }
        answers.nak_all(&left).await;
        // Whoever ends now ends the connection too: the answers have to be on their way.
        tokio::time::timeout(Duration::from_secs(1), self.nats.client().flush()).await.ok();
    }

    /// Forgets what was fetched, as after a change of place.
    pub(super) fn forget(&mut self) {
        self.held.clear();
        self.state = State::Closed;
    }

    fn take(&mut self, most: usize) -> Vec<Delivery> {
        let count = self.held.len().min(most);
        self.held.drain(..count).collect()
    }

    fn is_linked(&self) -> bool {
        self.link.borrow().connected
    }

    fn opening(&self) -> Opening {
        let wait = match self.failures {
            0 => Duration::ZERO,
            failures => (BACKOFF.0 * 2_u32.saturating_pow(failures.min(16))).min(BACKOFF.1),
        };
        let not_before = Instant::now() + wait;
        let (nats, options) = (self.nats.clone(), self.options.clone());
        Box::pin(open(nats, options, self.expected.clone(), not_before))
    }

    /// Pulls and gathers until there is something to hand out or a reason to look again; then pulls ahead.
    async fn work(&mut self, most: usize) -> Verdict {
        let State::Open(handle, session) = &mut self.state else { return Verdict::Fine };
        let link = *self.link.borrow_and_update();
        if !link.connected || link.times != session.times {
            return Verdict::Reopen("the link broke");
        }
        if let reopen @ Verdict::Reopen(_) = session.pull(handle, self.held.len(), most).await {
            return reopen;
        }
        let verdict = gather(session, handle, &mut self.held, &mut self.link, most).await;
        if verdict == Verdict::Fine && !self.held.is_empty() {
            let left = self.held.len().saturating_sub(most);
            return session.pull(handle, left, most).await;
        }
        verdict
    }
}

async fn gather(
    session: &mut WorkSession,
    handle: &StreamHandle,
    held: &mut VecDeque<Delivery>,
    link: &mut watch::Receiver<Link>,
    most: usize,
) -> Verdict {
    let silent_at = session.silent_at();
    let gathering = std::future::poll_fn(|cx| session.poll_gather(cx, handle, held, most));
    match gathered(gathering, link, silent_at).await {
        Some(verdict) => verdict,
        None => heard(silent_at, session.silent_at()),
    }
}

/// Makes sure that the stream is the expected one and the consumer what it has to be, then subscribes.
async fn open(
    nats: Nats,
    options: WorkOptions,
    expected: Option<Epoch>,
    not_before: Instant,
) -> Result<(StreamHandle, WorkSession), ReadError> {
    tokio::time::sleep_until(not_before).await;
    let link = nats.connected().await;
    let handle = StreamHandle::new(nats, options.stream.name()).await;
    prepare(&handle, &options, expected.as_ref()).await?;
    let session = WorkSession::open(&handle, &options.durable, link.times).await?;
    Ok((handle, session))
}
