//! What is done about events that cannot be applied to a graph that lives in this process's memory.

use super::beside::Beside;
use super::images::ImagePart;
use crate::generation::GenerationId;
use crate::projection::Projection;
use crate::projector::{Decoder, Parker, Queues, WorkerOptions, Workers};
use crate::store::memory::MemoryStore;
use crate::stream::EventLog;

/// Parks, and takes back what is tried again. Clones share connections.
#[derive(Clone)]
pub(super) struct Tending {
    pub beside: Beside,
    /// Connections for reading, and for asking.
    pub logs: (EventLog, EventLog),
    pub options: WorkerOptions,
}

impl Tending {
    pub fn parker(&self, id: GenerationId) -> Parker {
        let open = self.beside.parked.open_ids(id.number());
        Parker::new(id.number(), self.beside.parked.clone(), open)
    }

    /// What comes back from RETRY for a generation.
    pub fn again(&self, id: GenerationId, part: &ImagePart) -> Workers<MemoryStore> {
        let queues = Queues {
            reading: self.logs.0.clone(),
            control: self.logs.1.clone(),
            kv: self.beside.kv.clone(),
            retry: self.beside.retry.clone(),
            parked: self.beside.parked.clone(),
            open: self.beside.parked.open_ids(id.number()),
        };
        let reads =
            (Decoder::new(part.rules.parser.clone()), Projection::new(part.rules.types.clone()));
        let store = part.graph.store.clone();
        Workers::build(id.number(), store, reads, queues, self.options.clone()).0
    }
}
