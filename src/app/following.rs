//! Keeps the database of every generation true to the log: workers for each, as soon as it can be written to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::databases::Databases;
use super::rules::Rules;
use crate::generation::{EventTypeSpec, GenerationId, Generations, Record};
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
    /// It holds the log below this sequence alone, and nothing follows.
    Frozen(u64),
    Working(WorkersHandle),
}

/// What can be asked of it while it runs. Clones share it.
#[derive(Clone, Default)]
pub(super) struct FollowingPart(Arc<Mutex<BTreeMap<GenerationId, Followed>>>);

impl FollowingPart {
    pub fn all(&self) -> BTreeMap<GenerationId, Followed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self, id: GenerationId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
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

/// One generation that is followed.
struct Running {
    created_ms: i64,
    stop: CancellationToken,
    task: JoinHandle<()>,
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
    /// Follows whatever generations there are until told to stop; one that is gone or going is left alone.
    pub async fn run(self, stop: CancellationToken) {
        let mut views = self.generations.watch();
        let mut running: BTreeMap<GenerationId, Running> = BTreeMap::new();
        loop {
            let view = views.borrow_and_update().clone();
            // Another one of the same name is another one.
            let stays = |id: &GenerationId, running: &Running| {
                let record = view.generations.get(id).filter(|record| !record.retiring);
                record.is_some_and(|record| record.created_ms == running.created_ms)
            };
            let gone = running.iter().filter(|(id, running)| !stays(id, running));
            for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
                let Running { stop, task, .. } = running.remove(&id).expect("just found");
                stop.cancel();
                task.await.ok();
                self.part.forget(id);
            }
            for record in view.generations.values().filter(|record| !record.retiring) {
                running.entry(record.id).or_insert_with(|| {
                    let why = "looking at its database".to_owned();
                    self.part.set(record.id, Followed::Waiting(why));
                    let stop = stop.child_token();
                    let follow = self.clone().follow(record.clone(), stop.clone());
                    Running { created_ms: record.created_ms, stop, task: tokio::spawn(follow) }
                });
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = views.changed() => if changed.is_err() { break },
            }
        }
        join_all(running.into_values().map(|running| running.task)).await;
    }

    async fn follow(self, mut record: Record, stop: CancellationToken) {
        let rules = match self.rules.of_record(&record) {
            Ok(rules) => rules,
            Err(why) => return self.part.waiting(record.id, why),
        };
        let ready = tokio::select! {
            () = stop.cancelled() => false,
            () = self.until_writable(record.id, &rules) => true,
        };
        if !ready {
            return;
        }
        if record.in_memory {
            if record.as_of.is_some() {
                let why = "it was made in memory, as of a moment: make it again with weir rebuild --as-of";
                return self.part.waiting(record.id, why.to_owned());
            }
            // What a job has applied went to a graph in memory: the database begins with the log.
            let claim = |record: &mut Record| {
                record.in_memory = false;
                record.follows_from = None;
                record.verified = None;
                record.event_types.get_or_insert_with(|| EventTypeSpec::all(&rules.types));
            };
            if let Err(error) = self.generations.change(record.id, claim).await {
                tracing::warn!(generation = %record.id, %error, "the generation still counts as one in memory alone");
            }
            claim(&mut record);
        }
        if let Some(until) = record.as_of {
            return self.part.set(record.id, Followed::Frozen(until));
        }
        self.work(&record, &rules, stop).await;
    }

    async fn until_writable(&self, id: GenerationId, rules: &Rules) {
        loop {
            // Producers find the stream, whatever becomes of the database.
            if let Err(error) = self.logs.1.ensure().await {
                tracing::debug!(%error, "the stream cannot be looked at now");
            }
            if self.migrates
                && let Err(error) = self.databases.migrate(id, rules).await
            {
                self.part.waiting(id, error.to_string());
            }
            let Some(why) = self.databases.obstacle(id, rules).await else { return };
            self.part.waiting(id, why);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn work(&self, record: &Record, rules: &Rules, stop: CancellationToken) {
        let id = record.id;
        let queues = Queues {
            reading: self.logs.0.clone(),
            control: self.logs.1.clone(),
            kv: self.beside.kv.clone(),
            retry: self.beside.retry.clone(),
            parked: self.beside.parked.clone(),
            open: self.beside.parked.open_ids(id.number()),
        };
        let reads = (Decoder::new(rules.parser.clone()), Projection::new(rules.types.clone()));
        let store = self.databases.store(id, rules);
        let options = WorkerOptions { begins: record.follows_from, ..self.options.clone() };
        let (workers, handle) = Workers::build(id.number(), store, reads, queues, options);
        tracing::info!(generation = %id, workers = self.options.workers, "the database follows the log");
        self.part.set(id, Followed::Working(handle));
        workers.run(stop).await;
    }
}
