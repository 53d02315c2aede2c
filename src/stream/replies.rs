//! Answers to publishes: one inbox for all, each answer led to who waits for it.
//!
//! The client's own requests keep a table entry for every answer that never comes; this table does not.
//! When the link breaks, everything that waits is told at once instead of running into its deadline.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::stream::connection::Nats;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An answer with a body.
    Body(Bytes),
    /// Nobody listens on that subject.
    NoResponders,
    /// The link broke before the answer: whether it was stored is not known.
    Disconnected,
}

struct Waiting {
    times: u64,
    sender: oneshot::Sender<Reply>,
}

#[derive(Default)]
struct Table {
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

impl Table {
    fn with<T>(&self, run: impl FnOnce(&mut HashMap<u64, Waiting>) -> T) -> T {
        run(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, number: u64, reply: Reply) {
        if let Some(waiting) = self.with(|waiting| waiting.remove(&number)) {
            waiting.sender.send(reply).ok();
        }
    }

    /// Tells everybody who waits on an older connection than `times`.
    fn disconnect(&self, times: u64) {
        let lost: Vec<_> =
            self.with(|waiting| waiting.extract_if(|_, w| w.times < times).collect());
        for (_, waiting) in lost {
            waiting.sender.send(Reply::Disconnected).ok();
        }
    }
}

/// The inbox; it ends with this.
pub struct Replies {
    prefix: String,
    table: Arc<Table>,
    _router: DropGuard,
}

/// A place in the table, given back when this is dropped.
pub struct Expected {
    number: u64,
    table: Arc<Table>,
    receiver: oneshot::Receiver<Reply>,
}

impl Replies {
    /// Opens an inbox on a connection, whether it is up or not.
    pub async fn open(nats: &Nats) -> Result<Self, async_nats::SubscribeError> {
        let prefix = nats.client().new_inbox();
        let subscriber = nats.client().subscribe(format!("{prefix}.*")).await?;
        let table = Arc::new(Table::default());
        let token = CancellationToken::new();
        tokio::spawn(route(nats.clone(), subscriber, table.clone(), token.clone()));
        Ok(Self { prefix, table, _router: token.drop_guard() })
    }

    /// Takes a place for an answer and the subject on which it will come.
    pub fn expect(&self, times: u64) -> (Subject, Expected) {
        let number = self.table.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.table.with(|waiting| waiting.insert(number, Waiting { times, sender }));
        let subject = Subject::from(format!("{}.{number}", self.prefix));
        (subject, Expected { number, table: self.table.clone(), receiver })
    }
}

impl Expected {
    /// Waits for the answer.
    pub async fn reply(&mut self) -> Reply {
        (&mut self.receiver).await.unwrap_or(Reply::Disconnected)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.table.with(|waiting| waiting.remove(&self.number));
    }
}

async fn route(
    nats: Nats,
    mut subscriber: Subscriber,
    table: Arc<Table>,
    token: CancellationToken,
) {
    let mut link = nats.link();
    loop {
        tokio::select! {
            biased;
            () = token.cancelled() => return,
            message = subscriber.next() => match message {
                Some(message) => handle_message(&table, message),
                None => return table.disconnect(u64::MAX),
            },
            changed = link.changed() => {
                let now = *link.borrow_and_update();
                table.disconnect(if now.connected { now.times } else { u64::MAX });
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

fn handle_message(table: &Table, message: Message) {
    let Some(number) = message.subject.rsplit('.').next().and_then(|n| n.parse().ok()) else {
        return;
    };
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        table.answer(number, Reply::NoResponders);
    } else if !message.payload.is_empty() {
        // An empty answer only says that a batch has begun.
        table.answer(number, Reply::Body(message.payload));
    }
}
