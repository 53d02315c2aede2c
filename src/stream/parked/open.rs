//! The ids of a generation's open entries, kept in memory and following the stream.
//!
//! Workers look into it for every batch they applied: empty, it costs one atomic read. An id that is
//! still in it though its entry was closed costs a close too many and nothing else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_util::sync::DropGuard;

use crate::stream::entry::EntryId;
use crate::stream::follow::{Copied, follow};
use crate::stream::handle::StreamHandle;
use crate::stream::message::StoredMessage;
use crate::stream::parked::store::{Place, THROUGH};

#[derive(Default)]
struct Shared {
    loaded: AtomicBool,
    count: AtomicUsize,
    ids: RwLock<HashMap<EntryId, u64>>,
}

/// A live set; it follows for as long as a clone of it lives.
#[derive(Clone)]
pub struct OpenIds {
    shared: Arc<Shared>,
    _follower: Arc<DropGuard>,
}

impl OpenIds {
    pub(super) fn follow(handle: StreamHandle, generation: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let copy = Copy { generation, shared: shared.clone(), fresh: None };
        Self { shared, _follower: Arc::new(follow(handle, copy)) }
    }

    /// Whether the stream was ever read to its end; before that the set knows nothing.
    pub fn is_loaded(&self) -> bool {
        self.shared.loaded.load(Ordering::Acquire)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries are open.
    pub fn len(&self) -> usize {
        self.shared.count.load(Ordering::Acquire)
    }

    pub fn contains(&self, id: EntryId) -> bool {
        self.contains_any([id])
    }

    /// Whether any of these has an open entry.
    pub fn contains_any(&self, ids: impl IntoIterator<Item = EntryId>) -> bool {
        if self.is_empty() {
            return false;
        }
        let open = self.shared.ids.read().unwrap_or_else(PoisonError::into_inner);
        ids.into_iter().any(|id| open.contains_key(&id))
    }
}

struct Copy {
    generation: u64,
    shared: Arc<Shared>,
    /// What is gathered for the next set, while everything is read again.
    fresh: Option<HashMap<EntryId, u64>>,
}

impl Copy {
    fn change(&mut self, change: impl FnOnce(&mut HashMap<EntryId, u64>)) {
        if let Some(fresh) = &mut self.fresh {
            return change(fresh);
        }
        let mut ids = self.shared.ids.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut ids);
        self.shared.count.store(ids.len(), Ordering::Release);
    }
}

impl Copied for Copy {
    fn begin(&mut self) {
        self.fresh = Some(HashMap::new());
    }

    fn take(&mut self, message: &StoredMessage) {
        let Some(place) = Place::parse(message.subject()) else { return };
        if place.generation != self.generation {
            return;
        }
        let (id, sequence) = (place.id, message.sequence);
        if place.open {
            self.change(|ids| _ = ids.insert(id, sequence));
        } else {
            let through = message.header(THROUGH).and_then(|value| value.parse().ok());
            self.change(|ids| {
                if ids.get(&id).is_some_and(|parked| *parked <= through.unwrap_or(sequence)) {
                    ids.remove(&id);
                }
            });
        }
    }

    fn caught_up(&mut self) {
        if let Some(fresh) = self.fresh.take() {
            self.change(|ids| *ids = fresh);
            self.shared.loaded.store(true, Ordering::Release);
        }
    }

    fn held(&self) -> u64 {
        self.shared.count.load(Ordering::Acquire) as u64
    }
}
