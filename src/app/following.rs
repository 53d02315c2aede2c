//! Keeps the database of every generation true to the log: workers for each, as soon as it can be written to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::databases::Databases;
use super::rules::Rules;
use crate::generation::{GenerationId, Generations, Record};
use crate::projection::Projection;
use crate::projector::{Decoder, Queues, WorkerOptions, Workers, WorkersHandle};
use crate::stream::EventLog;

/// How often a database that cannot be written to is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How one generation is followed.
#[derive(Clone)]
pub(super) enum Followed {
    /// Nobody writes to it, for a reason.
    Waiting(String),
    Working(WorkersHandle),
}

/// What can be asked of it while it runs. Clones share it.
#[derive(Clone, Default)]
pub(super) struct FollowingPart(Arc<Mutex<BTreeMap<GenerationId, Followed>>>);

impl FollowingPart {
    pub fn all(&self) -> BTreeMap<GenerationId, Followed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn knows(&self, id: GenerationId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id)
    }

    fn set(&self, id: GenerationId, followed: Followed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, followed);
    }

    /// Waits with a reason, which is logged when it is a new one.
    fn waiting(&self, id: GenerationId, why: String) {
        let known = self.all().remove(&id);
        if !matches!(known, Some(Followed::Waiting(before)) if before == why) {
            tracing::warn!(generation = %id, "not written to: {why}");
        }
        self.set(id, Followed::Waiting(why));
    }
}

/// What follows all generations.
#[derive(Clone)]
pub(super) struct Following {
    pub generations: Generations,
    pub databases: Databases,
    pub beside: Beside,
    pub rules: Rules,
    /// Connections for reading, and for asking.
    pub logs: (EventLog, EventLog),
    pub options: WorkerOptions,
    /// Whether databases are made here, as in development, or by an operator.
    pub migrates: bool,
    pub part: FollowingPart,
}

impl Following {
    /// Follows whatever generations there are until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut views = self.generations.watch();
        let mut running = JoinSet::new();
        loop {
            let view = views.borrow_and_update().clone();
            for record in view.generations.values().filter(|record| !self.part.knows(record.id)) {
                self.part.set(record.id, Followed::Waiting("looking at its database".to_owned()));
                running.spawn(self.clone().follow(record.clone(), stop.clone()));
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = views.changed() => if changed.is_err() { break },
            }
        }
        running.join_all().await;
    }

    async fn follow(self, record: Record, stop: CancellationToken) {
        let ours = self.rules.fingerprint();
        if record.fingerprint != ours {
            let why = format!(
                "it was made by another projection ({}, this one is {ours}); a changed projection needs a \
                 new generation: weir generation create",
                record.fingerprint
            );
            return self.part.waiting(record.id, why);
        }
        let ready = tokio::select! {
            () = stop.cancelled() => false,
            () = self.until_writable(record.id) => true,
        };
        if ready {
            if record.in_memory
                && let Err(error) = self.generations.claim(&record).await
            {
                tracing::warn!(generation = %record.id, %error, "the generation still counts as one in memory alone");
            }
            self.work(record.id, stop).await;
        }
    }

    async fn until_writable(&self, id: GenerationId) {
        loop {
            // Producers find the stream, whatever becomes of the database.
            if let Err(error) = self.logs.1.ensure().await {
                tracing::debug!(%error, "the stream cannot be looked at now");
            }
            if self.migrates
                && let Err(error) = self.databases.migrate(id).await
            {
                self.part.waiting(id, error.to_string());
            }
            let Some(why) = self.databases.obstacle(id).await else { return };
            self.part.waiting(id, why);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn work(&self, id: GenerationId, stop: CancellationToken) {
        let queues = Queues {
            reading: self.logs.0.clone(),
            control: self.logs.1.clone(),
            kv: self.beside.kv.clone(),
            retry: self.beside.retry.clone(),
            parked: self.beside.parked.clone(),
            open: self.beside.parked.open_ids(id.number()),
        };
        let reads =
            (Decoder::new(self.rules.parser.clone()), Projection::new(self.rules.types.clone()));
        let store = self.databases.store(id);
        let (workers, handle) =
            Workers::build(id.number(), store, reads, queues, self.options.clone());
        tracing::info!(generation = %id, workers = self.options.workers, "the database follows the log");
        self.part.set(id, Followed::Working(handle));
        workers.run(stop).await;
    }
}
