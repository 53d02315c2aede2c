//! One pass over a part of the log, in order: whatever it still holds there, and nothing behind it.
//!
//! What is read is decoded and projected as a generation's record says ([`Lens`]).

use tokio::time::{Instant, timeout};

use crate::event::Event;
use crate::graph::Put;
use crate::limits::{PASS_LOOK, PASS_SILENCE};
use crate::projection::Projection;
use crate::projector::{Decoder, Recorded};
use crate::stream::{Epoch, EventLog, GetError, ReadError, Reader, StoredMessage};

/// A reading of the log that comes to an end, and may then be extended.
pub(super) struct Pass {
    log: EventLog,
    reader: Reader,
    through: u64,
    /// Read already, but behind the end.
    held: Vec<StoredMessage>,
    /// The log is known to hold nothing more before the end.
    ended: bool,
    count: u64,
}

impl Pass {
    /// Begins at the log's first message; ends behind `through` (inclusive).
    pub fn new(log: &EventLog, epoch: &Epoch, through: u64) -> Self {
        let reader = log.reader(1).expecting(epoch.clone(), None);
        Self { log: log.clone(), reader, through, held: Vec::new(), ended: false, count: 0 }
    }

    /// Has it go on to a later end.
    pub fn extend(&mut self, through: u64) {
        if through > self.through {
            (self.through, self.ended) = (through, false);
        }
    }

    /// Messages so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there was a message at every sequence from 1 to the end.
    pub fn is_whole(&self) -> bool {
        self.count == self.through
    }

    /// Returns the next messages, at least one; `None` at the end.
    ///
    /// A server that does not answer is waited for, up to [`PASS_SILENCE`].
    pub async fn next(&mut self) -> Result<Option<Vec<StoredMessage>>, ReadError> {
        let held = std::mem::take(&mut self.held);
        if let Some(messages) = self.cut(held) {
            return Ok(Some(messages));
        }
        let give_up = Instant::now() + PASS_SILENCE;
        while self.held.is_empty() && !self.is_at_end() {
            let failed = match timeout(PASS_LOOK, self.reader.next()).await {
                Ok(Ok(batch)) => {
                    let caught_up = batch.pending == 0;
                    let messages = self.cut(batch.messages);
                    if caught_up && !self.is_at_end() {
                        // If it is not answered, silence asks again.
                        self.look().await.ok();
                    }
                    match messages {
                        Some(messages) => return Ok(Some(messages)),
                        None => continue,
                    }
                }
                Ok(Err(error)) => error,
                Err(_) => match self.look().await {
                    Ok(()) => ReadError::Unavailable("no messages come".to_owned()),
                    Err(error) => error.into(),
                },
            };
            if !failed.is_retryable() || Instant::now() > give_up {
                return Err(failed);
            }
        }
        Ok(None)
    }

    fn is_at_end(&self) -> bool {
        self.ended || self.reader.position() > self.through
    }

    /// Holds back what lies behind the end.
    fn cut(&mut self, mut messages: Vec<StoredMessage>) -> Option<Vec<StoredMessage>> {
        let within = messages.partition_point(|message| message.sequence <= self.through);
        self.held = messages.split_off(within);
        self.count += within as u64;
        (within > 0).then_some(messages)
    }

    /// Asks the stream's leader whether anything is left before the end: the rest may have been erased, and nothing
    /// would ever come. That a batch had nothing behind it proves nothing, since a copy of the stream may lag.
    async fn look(&mut self) -> Result<(), GetError> {
        let next = self.log.next_from(self.reader.position()).await?;
        self.ended = next.is_none_or(|next| next.sequence > self.through);
        Ok(())
    }
}

/// How messages become puts.
#[derive(Clone, Copy)]
pub(super) struct Lens<'a> {
    pub decoder: &'a Decoder,
    pub projection: &'a Projection,
}

impl Lens<'_> {
    /// Calls `each` with every message that is an event and with what it puts; returns how many are none.
    pub fn project(
        self,
        messages: &[StoredMessage],
        epoch: &Epoch,
        mut each: impl FnMut(&StoredMessage, &Event<'_>, &[Put<'_>]),
    ) -> u64 {
        let mut events = Vec::with_capacity(messages.len());
        for message in messages {
            if let Ok(event) = self.decoder.decode(epoch.as_str(), &recorded(message)) {
                events.push((message, event));
            }
        }
        // One list for all of them: an event allocates nothing here.
        let mut puts = Vec::with_capacity(events.len() * 3);
        for (message, event) in &events {
            let begin = puts.len();
            self.projection.project(event, &mut puts);
            each(message, event, &puts[begin..]);
        }
        (messages.len() - events.len()) as u64
    }
}

fn recorded(message: &StoredMessage) -> Recorded<'_> {
    Recorded {
        subject: message.subject(),
        message_id: message.message_id(),
        payload: &message.payload,
        sequence: message.sequence,
        time_ms: message.time_ms,
    }
}
