//! Messages of the log applied to a graph, with what became of each.

use std::sync::Arc;

use super::database::Database;
use super::ledger::Ledger;
use crate::event::Event;
use crate::graph::Put;
use crate::limits::{APPLY_AT_ONCE, ARANGO_BATCH_DOCUMENTS};
use crate::projection::Projection;
use crate::projector::{Decoder, Gate, MemoryGraph, Parker, Recorded, Undecodable};
use crate::replay::fold::Fate;
use crate::replay::ground::{Graph, Target};
use crate::replay::wanted::Wanted;
use crate::store::arango::ArangoStore;
use crate::stream::{Epoch, StoredMessage};

/// What all chunks of a job apply with.
pub(super) struct Applier {
    pub decoder: Decoder,
    pub projection: Projection,
    pub wanted: Wanted,
    pub epoch: Epoch,
    pub parker: Parker,
    pub ledger: Arc<Ledger>,
    store: Store,
}

enum Store {
    Memory(MemoryGraph),
    Database(Box<Database<ArangoStore>>),
}

/// A message as it was read.
pub(super) type Read<'m> = Result<Event<'m>, Undecodable>;

impl Applier {
    pub fn new(
        graph: Graph,
        wanted: Wanted,
        epoch: Epoch,
        parker: Parker,
        ledger: Arc<Ledger>,
    ) -> Self {
        let store = match graph.target {
            Target::Memory(memory) => Store::Memory(memory),
            Target::Database(store) => {
                Store::Database(Box::new(Database { store, gate: Gate::default() }))
            }
        };
        let (decoder, projection) = (graph.decoder, graph.projection);
        Self { decoder, projection, wanted, epoch, parker, ledger, store }
    }

    /// Messages that are best applied in one go.
    pub fn at_once(&self) -> usize {
        match self.store {
            Store::Memory(_) => APPLY_AT_ONCE,
            Store::Database(_) => ARANGO_BATCH_DOCUMENTS,
        }
    }

    /// Applies messages and returns one fate each. Cancelled, it may have applied some: doing it again is the same.
    pub async fn apply(&self, messages: &[StoredMessage]) -> Vec<Fate> {
        let read: Vec<Read<'_>> = messages.iter().map(|message| self.read(message)).collect();
        for (message, read) in messages.iter().zip(&read) {
            if let Err(error) = read {
                self.park(message, error.code(), &error.to_string()).await;
            }
        }
        let fates = match &self.store {
            Store::Memory(memory) => self.remember(memory, &read),
            Store::Database(database) => database.apply(self, messages, &read).await,
        };
        if !self.parker.is_empty() {
            for (message, fate) in messages.iter().zip(&fates) {
                if matches!(fate, Fate::Applied | Fate::Superseded) {
                    self.parker.applied(message, &self.epoch).await;
                }
            }
        }
        fates
    }

    /// Everything from `from` up to `to` (exclusive) is applied, or gone from the log.
    pub fn note(&self, from: u64, to: u64) {
        if let Store::Memory(memory) = &self.store
            && self.wanted.is_everything()
            && from < to
        {
            memory.note_applied(from, to - 1);
        }
    }

    /// Sets a message aside that can never be applied; as long as it takes.
    pub async fn park(&self, message: &StoredMessage, code: &str, text: &str) {
        let mut pause = super::database::PAUSES.0;
        while !self.parker.park_as(message, &self.epoch, (code, text)).await {
            self.ledger.set_trouble(Some("events cannot be parked now".to_owned()));
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(super::database::PAUSES.1);
        }
    }

    fn read<'m>(&self, message: &'m StoredMessage) -> Read<'m> {
        let recorded = Recorded {
            subject: message.subject(),
            message_id: message.message_id(),
            payload: &message.payload,
            sequence: message.sequence,
            time_ms: message.time_ms,
        };
        self.decoder.decode(self.epoch.as_str(), &recorded)
    }

    /// Projects beside the readers, and applies while they wait.
    fn remember(&self, memory: &MemoryGraph, read: &[Read<'_>]) -> Vec<Fate> {
        let mut puts: Vec<Put<'_>> = Vec::with_capacity(3 * read.len());
        let mut ends = Vec::with_capacity(read.len());
        let mut fates = Vec::with_capacity(read.len());
        for one in read {
            match one {
                Ok(event) if self.wanted.wants(event) => {
                    self.projection.project(event, &mut puts);
                    ends.push(puts.len());
                    fates.push(Fate::Superseded);
                }
                Ok(_) => fates.push(Fate::Filtered),
                Err(_) => fates.push(Fate::Parked),
            }
        }
        let mut projected = fates.iter_mut().filter(|fate| **fate == Fate::Superseded);
        memory.store.apply_events(&puts, &ends, |changed| {
            let fate = projected.next().expect("one an event");
            if changed {
                *fate = Fate::Applied;
            }
        });
        fates
    }
}
