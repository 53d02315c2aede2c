//! One subscription of a worker: pulls go out, deliveries come in.
//!
//! What was asked for and has not come is counted, so that a worker never holds more than it wants;
//! the account is in `stream::pulls` for readers and here for a want that changes from call to call.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::Instant;

use crate::stream::ack_subject;
use crate::stream::handle::StreamHandle;
use crate::stream::message::StoredMessage;
use crate::stream::reader::ReadError;
use crate::stream::session::{HEARTBEAT, PULL_EXPIRES, SILENCE, Verdict, undelivered};
use crate::stream::work::delivery::Delivery;

/// An open subscription, and what came over it and was not taken.
pub struct WorkSession {
    subscriber: Subscriber,
    inbox: String,
    pull_subject: String,
    outstanding: usize,
    heard: Instant,
    /// The connection it belongs to.
    pub times: u64,
}

#[derive(Serialize)]
struct PullRequest {
    batch: usize,
    expires: u64,
    idle_heartbeat: u64,
}

impl WorkSession {
    /// Opens a subscription for a durable that exists.
    pub async fn open(handle: &StreamHandle, durable: &str, times: u64) -> Result<Self, ReadError> {
        let client = handle.nats().client();
        let inbox = client.new_inbox();
        let subscribing = tokio::time::timeout(SILENCE, client.subscribe(inbox.clone()));
        let Ok(Ok(subscriber)) = subscribing.await else {
            return Err(ReadError::Unavailable("the connection takes no subscription".into()));
        };
        Ok(Self {
            subscriber,
            inbox,
            pull_subject: format!("$JS.API.CONSUMER.MSG.NEXT.{}.{durable}", handle.name()),
            outstanding: 0,
            heard: Instant::now(),
            times,
        })
    }

    /// Asks for what is missing to `most`, given how much is held already. Small asks wait until they are worth one.
    pub async fn pull(&mut self, handle: &StreamHandle, held: usize, most: usize) -> Verdict {
        let missing = most.saturating_sub(held + self.outstanding);
        if missing == 0 || self.outstanding > 0 && missing < most.div_ceil(2) {
            return Verdict::Fine;
        }
        let (subject, inbox) = (self.pull_subject.clone(), self.inbox.clone());
        let sent = handle.nats().client().publish_with_reply(subject, inbox, pull(missing));
        if sent.await.is_err() {
            return Verdict::Reopen("the connection has ended");
        }
        if self.outstanding == 0 {
            self.heard = Instant::now();
        }
        self.outstanding += missing;
        Verdict::Fine
    }

    /// Returns when the silence is too long.
    pub fn silent_at(&self) -> Instant {
        self.heard + SILENCE
    }

    /// Moves what has come to `held`, up to `most`. Ready once there is something, all pulls have ended, or a verdict.
    pub fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        handle: &StreamHandle,
        held: &mut VecDeque<Delivery>,
        most: usize,
    ) -> Poll<Verdict> {
        while held.len() < most {
            let message = match self.subscriber.poll_next_unpin(cx) {
                Poll::Ready(Some(message)) => message,
                Poll::Ready(None) => {
                    return Poll::Ready(Verdict::Reopen("the subscription has ended"));
                }
                Poll::Pending if held.is_empty() && self.outstanding > 0 => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Verdict::Fine),
            };
            self.heard = Instant::now();
            let verdict = self.handle_message(handle, held, message);
            if verdict != Verdict::Fine {
                return Poll::Ready(verdict);
            }
        }
        Poll::Ready(Verdict::Fine)
    }

    fn handle_message(
        &mut self,
        handle: &StreamHandle,
        held: &mut VecDeque<Delivery>,
        message: Message,
    ) -> Verdict {
        if let Some(status) = message.status {
            return self.handle_status(status, &message);
        }
        if let Some(delivery) = delivery(handle, message) {
            self.outstanding = self.outstanding.saturating_sub(1);
            held.push_back(delivery);
        }
        Verdict::Fine
    }

    fn handle_status(&mut self, status: StatusCode, message: &Message) -> Verdict {
        match undelivered(status, message) {
            Ok(count) => {
                self.outstanding = self.outstanding.saturating_sub(count);
                Verdict::Fine
            }
            Err(reason) => Verdict::Reopen(reason),
        }
    }

    /// Ends the subscription and returns what was still on its way.
    pub async fn close(mut self, handle: &StreamHandle) -> Vec<Delivery> {
        let mut left = Vec::new();
        let draining = async {
            if self.subscriber.drain().await.is_err() {
                return;
            }
            while let Some(message) = self.subscriber.next().await {
                left.extend(delivery(handle, message));
            }
        };
        // The server answers the drain; one that does not loses nothing but time.
        tokio::time::timeout(Duration::from_secs(1), draining).await.ok();
        left
    }
}

fn delivery(handle: &StreamHandle, message: Message) -> Option<Delivery> {
    let reply = message.reply?;
    let place = ack_subject::parse(&reply)?;
    let message = StoredMessage::from_parts(
        place.sequence,
        place.time_ms,
        message.subject,
        message.headers,
        message.payload,
    );
    Some(Delivery {
        message,
        delivered: place.delivered,
        pending: place.pending,
        reply,
        handle: handle.clone(),
    })
}

fn pull(batch: usize) -> Bytes {
    let request = PullRequest {
        batch,
        expires: PULL_EXPIRES.as_nanos() as u64,
        idle_heartbeat: HEARTBEAT.as_nanos() as u64,
    };
    serde_json::to_vec(&request).expect("numbers have a JSON form").into()
}
