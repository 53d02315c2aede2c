//! One ephemeral consumer of a reader: opened where the reader stands, fed with pulls, and given up
//! at the first doubt. What it hands on is contiguous in the consumer's own sequence.

use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::ConsumerErrorKind;
use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::limits;
use crate::stream::ack_subject;
use crate::stream::connection::Link;
use crate::stream::handle::StreamHandle;
use crate::stream::message::StoredMessage;
use crate::stream::pulls::Pulls;
use crate::stream::reader::{Batch, ReadError};

/// How long a pull stays open at the server.
pub const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// How often the server says that it is there while nothing comes.
pub const HEARTBEAT: Duration = Duration::from_secs(2);
/// Silence after which a session is given up: two heartbeats and a little.
pub const SILENCE: Duration = Duration::from_secs(5);
/// How long the server keeps a consumer that nobody pulls from.
const INACTIVE: Duration = Duration::from_mins(1);

/// The header that says how many messages of an ended pull were not delivered.
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";

/// What a session has to say beside messages.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Fine,
    /// Something was lost or has ended; a new session will find everything from the reader's place.
    Reopen(&'static str),
}

/// An open consumer.
pub struct Session {
    subscriber: Subscriber,
    inbox: String,
    pull_subject: String,
    pull: Bytes,
    pulls: Pulls,
    consumer_sequence: u64,
    batch: Batch,
    bytes: usize,
    heard: Instant,
    /// The connection it belongs to.
    pub times: u64,
}

#[derive(Serialize)]
struct PullRequest {
    batch: usize,
    max_bytes: usize,
    expires: u64,
    idle_heartbeat: u64,
}

impl Session {
    /// Opens a consumer that delivers from `from` (inclusive) on.
    pub async fn open(log: &StreamHandle, from: u64, times: u64) -> Result<Self, ReadError> {
        let client = log.nats().client().clone();
        let inbox = client.new_inbox();
        let subscribing = tokio::time::timeout(SILENCE, client.subscribe(inbox.clone()));
        let Ok(Ok(subscriber)) = subscribing.await else {
            return Err(ReadError::Unavailable("the connection takes no subscription".into()));
        };
        let name = format!("weir-reader-{}", uuid::Uuid::now_v7().simple());
        let config = pull::Config {
            name: Some(name.clone()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from.max(1) },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..Default::default()
        };
        let created = log.context().create_consumer_on_stream(config, log.name());
        if let Err(error) = log.bounded(created, "the server does not answer").await? {
            return Err(consumer_error(&error));
        }
        Ok(Self {
            subscriber,
            inbox,
            pull_subject: format!("$JS.API.CONSUMER.MSG.NEXT.{}.{name}", log.name()),
            pull: pull_request(log.max_payload()),
            pulls: Pulls::default(),
            consumer_sequence: 0,
            batch: Batch::default(),
            bytes: 0,
            heard: Instant::now(),
            times,
        })
    }

    /// Sends as many pulls as there is room for. Cancelling it loses no count.
    pub async fn pull(&mut self, log: &StreamHandle) -> Verdict {
        let client = log.nats().client();
        while self.pulls.wants_more() {
            let (subject, inbox) = (self.pull_subject.clone(), self.inbox.clone());
            if client.publish_with_reply(subject, inbox, self.pull.clone()).await.is_err() {
                return Verdict::Reopen("the connection has ended");
            }
            self.pulls.sent();
        }
        Verdict::Fine
    }

    /// Returns when the silence is too long.
    pub fn silent_at(&self) -> Instant {
        self.heard + SILENCE
    }

    /// Gathers what has come, up to the bounds of a batch. Ready once there is something to take, a pull
    /// to send, or a verdict. What is gathered stays here until it is taken, so nothing is lost when this
    /// is cancelled.
    pub fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        loop {
            let message = match self.subscriber.poll_next_unpin(cx) {
                Poll::Ready(Some(message)) => message,
                Poll::Ready(None) => {
                    return Poll::Ready(Verdict::Reopen("the subscription has ended"));
                }
                Poll::Pending if self.waits_for_more() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Verdict::Fine),
            };
            self.heard = Instant::now();
            let verdict = self.handle_message(message);
            let full = self.batch.messages.len() >= limits::READ_BATCH_MESSAGES
                || self.bytes >= limits::READ_BATCH_BYTES;
            if full || verdict != Verdict::Fine {
                return Poll::Ready(verdict);
            }
        }
    }

    /// Returns what was gathered.
    pub fn take(&mut self) -> Batch {
        self.bytes = 0;
        std::mem::take(&mut self.batch)
    }

    /// A reader that is far behind takes its messages by the handful; a fresh message goes at once.
    fn waits_for_more(&self) -> bool {
        let gathered = self.batch.messages.len();
        let far_behind = self.batch.pending >= limits::READ_BATCH_MESSAGES as u64;
        !self.pulls.wants_more() && (gathered == 0 || far_behind && gathered < limits::READ_HANDFUL)
    }

    fn handle_message(&mut self, message: Message) -> Verdict {
        if let Some(status) = message.status {
            return self.handle_status(status, &message);
        }
        let Some(delivery) = message.reply.as_deref().and_then(ack_subject::parse) else {
            return Verdict::Fine;
        };
        if delivery.consumer_sequence != self.consumer_sequence + 1 {
            return Verdict::Reopen("a message was lost on the way");
        }
        self.consumer_sequence = delivery.consumer_sequence;
        self.pulls.received();
        self.bytes += message.payload.len();
        self.batch.pending = delivery.pending;
        self.batch.messages.push(StoredMessage::from_parts(
            delivery.sequence,
            delivery.time_ms,
            message.subject,
            message.headers,
            message.payload,
        ));
        Verdict::Fine
    }

    fn handle_status(&mut self, status: StatusCode, message: &Message) -> Verdict {
        match undelivered(status, message) {
            Ok(count) => {
                self.pulls.ended(count);
                Verdict::Fine
            }
            Err(reason) => Verdict::Reopen(reason),
        }
    }
}

/// Says how many messages a status takes back from what was asked for, or why the session is over.
pub fn undelivered(status: StatusCode, message: &Message) -> Result<usize, &'static str> {
    if status == StatusCode::IDLE_HEARTBEAT {
        return Ok(0);
    }
    if status == StatusCode::NO_RESPONDERS {
        return Err("the consumer is gone");
    }
    if message.description.as_deref().unwrap_or_default().contains("Consumer Deleted") {
        return Err("the consumer was deleted");
    }
    let count = message.headers.as_ref().and_then(|headers| headers.get(PENDING_MESSAGES));
    count.and_then(|value| value.as_str().parse().ok()).ok_or("the server ended a pull")
}

/// Waits for what is gathered or for the link to change; `None` once nothing was heard until `silent_at`.
pub async fn gathered(
    gathering: impl Future<Output = Verdict>,
    link: &mut watch::Receiver<Link>,
    silent_at: Instant,
) -> Option<Verdict> {
    tokio::select! {
        biased;
        // Unconstrained: the scheduler's budget would cut every batch at 128 messages.
        verdict = tokio::task::unconstrained(gathering) => Some(verdict),
        _ = link.changed() => Some(Verdict::Fine),
        () = tokio::time::sleep_until(silent_at) => None,
    }
}

/// Judges the end of patience: heartbeats are heard while gathering, and move it.
pub fn heard(silent_at: Instant, now_silent_at: Instant) -> Verdict {
    if now_silent_at > silent_at { Verdict::Fine } else { Verdict::Reopen("the server is silent") }
}

/// Encodes the pull that is sent over and over. It must take the largest message the server takes.
fn pull_request(max_payload: usize) -> Bytes {
    let request = PullRequest {
        batch: limits::READ_PULL_MESSAGES,
        max_bytes: limits::READ_PULL_BYTES.max(2 * max_payload),
        expires: PULL_EXPIRES.as_nanos() as u64,
        idle_heartbeat: HEARTBEAT.as_nanos() as u64,
    };
    serde_json::to_vec(&request).expect("numbers have a JSON form").into()
}

fn consumer_error(error: &async_nats::jetstream::stream::ConsumerError) -> ReadError {
    match error.kind() {
        ConsumerErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            ReadError::Gone
        }
        _ => ReadError::Unavailable(error.to_string()),
    }
}
