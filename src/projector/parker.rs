//! Parks what is no event, for a projector that has no queue of its own to give it back to.

use super::decode::Undecodable;
use super::item::{first_entry, id_of};
use crate::stream::{Closed, Epoch, OpenIds, Parked, StoredMessage};
use crate::telemetry::names;

/// Writes to PARKED in the name of one generation.
pub struct Parker {
    generation: u64,
    parked: Parked,
    open: OpenIds,
}

impl Parker {
    pub fn new(generation: u64, parked: Parked, open: OpenIds) -> Self {
        Self { generation, parked, open }
    }

    /// Whether nothing of this generation is parked, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Parks a message; false if that did not work.
    pub(super) async fn park(
        &self,
        message: &StoredMessage,
        epoch: &Epoch,
        error: &Undecodable,
    ) -> bool {
        self.park_as(message, epoch, (error.code(), &error.to_string())).await
    }

    /// Parks a message for a reason (a stable tag, and a text for a person); false if that did not work.
    pub async fn park_as(&self, message: &StoredMessage, epoch: &Epoch, why: (&str, &str)) -> bool {
        let entry = first_entry(message, epoch, self.generation, why);
        match self.parked.park(&entry).await {
            Ok(_) => {
                metrics::counter!(names::PROJECTOR_SET_ASIDE, "queue" => "parked").increment(1);
                true
            }
            Err(error) => {
                tracing::warn!(%error, sequence = message.sequence, "a message cannot be parked; it will be tried again");
                false
            }
        }
    }

    /// Closes the entry of a message that was parked once and is applied now.
    pub async fn applied(&self, message: &StoredMessage, epoch: &Epoch) {
        if self.open.is_empty() {
            return;
        }
        let id = id_of(message, epoch);
        if self.open.contains(id)
            && let Err(error) = self.parked.close(self.generation, id, Closed::Applied).await
        {
            tracing::debug!(%id, %error, "a parked entry whose event is applied stays for now");
        }
    }
}
