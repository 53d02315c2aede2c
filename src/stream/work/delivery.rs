//! One delivery of a message, and the acknowledgements that go back for it.
//!
//! An acknowledgement is a publish that nobody answers: if it is lost, the message comes again, which
//! is safe. So nothing here fails, and nothing waits for a link that is down.

use std::borrow::Borrow;
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;

use crate::stream::connection::{Link, Nats};
use crate::stream::handle::StreamHandle;
use crate::stream::message::StoredMessage;

const ACK: Bytes = Bytes::from_static(b"+ACK");
const IN_PROGRESS: Bytes = Bytes::from_static(b"+WPI");

/// A message that this worker has until it acknowledges it, gives it back, or the consumer's wait is over.
#[derive(Clone)]
pub struct Delivery {
    /// The message with the stream's sequence and time.
    pub message: StoredMessage,
    /// How often it was delivered to anybody, from 1.
    pub delivered: u64,
    /// Messages that the consumer had not delivered to anybody when it sent this one.
    pub pending: u64,
    pub(super) reply: Subject,
    pub(super) handle: StreamHandle,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

impl Delivery {
    /// Says that the message is done with.
    pub async fn ack(&self) {
        self.answer(ACK).await;
    }

    /// Gives the message back, to be delivered again after a delay (zero: at once).
    pub async fn nak(&self, delay: Duration) {
        self.answer(nak(delay)).await;
    }

    /// Asks for as much time again as the consumer waits.
    pub async fn in_progress(&self) {
        self.answer(IN_PROGRESS).await;
    }

    async fn answer(&self, body: Bytes) {
        answer_all(self.handle.nats(), std::iter::once((self, body))).await;
    }
}

fn nak(delay: Duration) -> Bytes {
    match delay.as_nanos() {
        0 => Bytes::from_static(b"-NAK"),
        nanos => Bytes::from(format!("-NAK {{\"delay\":{nanos}}}")),
    }
}

/// Answers for deliveries while their queue itself is waited on. Clones share a connection.
#[derive(Clone)]
pub struct Answers(pub(super) Nats);

impl Answers {
    /// Acknowledges many deliveries at once: the connection writes them together.
    pub async fn ack_all<D: Borrow<Delivery> + Sync>(&self, deliveries: &[D]) {
        answer_all(&self.0, deliveries.iter().map(|delivery| (delivery.borrow(), ACK))).await;
    }

    /// Gives many deliveries back, so that somebody gets them at once.
    pub async fn nak_all(&self, deliveries: &[Delivery]) {
        let given_back = deliveries.iter().map(|delivery| (delivery, nak(Duration::ZERO)));
        answer_all(&self.0, given_back).await;
    }
}

/// Hands answers to the connection, which flushes when it has written what is queued; gives up when
/// the link is down, because a full queue would wait for as long as it is.
async fn answer_all<'a>(nats: &Nats, answers: impl Iterator<Item = (&'a Delivery, Bytes)>) {
    let mut link = nats.link();
    let sending = async {
        for (delivery, body) in answers {
            if nats.client().publish(delivery.reply.clone(), body).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        _ = link.wait_for(|link: &Link| !link.connected) => {}
        () = sending => {}
    }
}
