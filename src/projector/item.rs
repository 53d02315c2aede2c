//! A message in a worker's hands: fresh from the log, or back from RETRY.

use std::sync::Arc;

use super::decode::Recorded;
use crate::clock;
use crate::stream::{Delivery, Entry, EntryId, Epoch, Origin as Place, Retried, StoredMessage};

/// A delivery with all that is known of the message it brings.
pub(super) struct Item {
    pub delivery: Delivery,
    origin: Origin,
}

enum Origin {
    Log(Arc<Epoch>),
    Again(Box<Entry>),
}

impl Item {
    pub fn fresh(delivery: Delivery, epoch: Arc<Epoch>) -> Self {
        Self { delivery, origin: Origin::Log(epoch) }
    }

    pub fn again(Retried { entry, delivery }: Retried) -> Self {
        Self { delivery, origin: Origin::Again(Box::new(entry)) }
    }

    /// Whether it comes from the log, and not from RETRY because it failed.
    pub fn is_fresh(&self) -> bool {
        matches!(self.origin, Origin::Log(_))
    }

    pub fn epoch(&self) -> &str {
        match &self.origin {
            Origin::Log(epoch) => epoch.as_str(),
            Origin::Again(entry) => entry.epoch.as_str(),
        }
    }

    /// The message as the log of events holds it.
    pub fn recorded(&self) -> Recorded<'_> {
        match &self.origin {
            Origin::Log(_) => {
                let message = &self.delivery.message;
                Recorded {
                    subject: message.subject(),
                    message_id: message.message_id(),
                    payload: &message.payload,
                    sequence: message.sequence,
                    time_ms: message.time_ms,
                }
            }
            Origin::Again(entry) => Recorded {
                subject: &entry.subject,
                message_id: entry.message_id.as_deref(),
                payload: &entry.payload,
                sequence: entry.sequence,
                time_ms: entry.time_ms,
            },
        }
    }

    /// The name under which this event waits or is parked.
    pub fn id(&self) -> EntryId {
        match &self.origin {
            Origin::Log(epoch) => id_of(&self.delivery.message, epoch),
            Origin::Again(entry) => entry.id,
        }
    }

    /// How often it was tried, this time included. The server has written the count before it delivered.
    pub fn attempts(&self) -> u32 {
        match &self.origin {
            Origin::Log(_) => u32::try_from(self.delivery.delivered).unwrap_or(u32::MAX),
            Origin::Again(entry) => entry.attempts,
        }
    }

    /// What is kept of it beside the log, with why it failed.
    pub fn entry(&self, generation: u64, reason: &str, error: &str) -> Entry {
        let attempts = self.attempts();
        match &self.origin {
            Origin::Log(epoch) => {
                let entry = first_entry(&self.delivery.message, epoch, generation, (reason, error));
                Entry { attempts, ..entry }
            }
            Origin::Again(entry) => Entry {
                attempts,
                reason: reason.to_owned(),
                error: error.to_owned(),
                ..(**entry).clone()
            },
        }
    }
}

/// What is kept beside the log of a message that was tried for the first time and failed.
pub(super) fn first_entry(
    message: &StoredMessage,
    epoch: &Epoch,
    generation: u64,
    (reason, error): (&str, &str),
) -> Entry {
    Entry {
        id: id_of(message, epoch),
        generation,
        subject: message.subject().to_owned(),
        message_id: message.message_id().map(str::to_owned),
        payload: message.payload.clone(),
        epoch: epoch.as_str().to_owned(),
        sequence: message.sequence,
        time_ms: message.time_ms,
        attempts: 1,
        first_failed_ms: clock::now_ms(),
        reason: reason.to_owned(),
        error: error.to_owned(),
    }
}

/// The name under which a message of the log waits or is parked.
pub(super) fn id_of(message: &StoredMessage, epoch: &Epoch) -> EntryId {
    EntryId::of(Place {
        subject: message.subject(),
        message_id: message.message_id(),
        payload: &message.payload,
        epoch: epoch.as_str(),
        sequence: message.sequence,
    })
}
