//! What jobs find in this process: its graphs, how far live is, and how generations are made and removed.

use std::time::Duration;

use super::following::{Followed, FollowingPart};
use super::graphs::GraphsPart;
use super::readers;
use super::rules::Rules;
use crate::clock;
use crate::generation::{ChangeError, GenerationId, Generations, Record, Refusal};
use crate::limits::{LOG_RETRY, RETIRE_PATIENCE};
use crate::projection::Projection;
use crate::projector::{Decoder, LagMeter, MemoryGraph, WorkersHandle};
use crate::replay::{Graph, Ground, Live, Target, Unready};
use crate::stream::{EventLog, KvStore, ReadError, WorkOptions, WorkQueue};

/// How long a graph in memory may take to appear after its record was written.
const APPEARS_WITHIN: Duration = Duration::from_secs(10);

/// The graphs of a process as jobs see them. Clones share them.
#[derive(Clone)]
pub(super) struct JobGround {
    graphs: GraphsPart,
    log: EventLog,
    /// Where readers tell what they are ready for.
    shelf: KvStore,
}

impl JobGround {
    /// `log` is asked for single messages and for how far live is.
    pub fn new(graphs: GraphsPart, log: EventLog, shelf: KvStore) -> Self {
        Self { graphs, log, shelf }
    }

    async fn record(&self, id: GenerationId) -> Result<Record, Unready> {
        if let Some(record) = self.graphs.generations.view().generations.get(&id) {
            return Ok(record.clone());
        }
        let view = self.graphs.generations.read().await.map_err(|error| later(&error))?;
        let unknown = || Unready::Later(format!("there is no generation {id} (yet)"));
        view.generations.get(&id).cloned().ok_or_else(unknown)
    }

    fn rules(&self, record: &Record) -> Result<Rules, Unready> {
        self.graphs.rules.of_record(record).map_err(Unready::Elsewhere)
    }

    async fn target(&self, record: &Record, rules: &Rules) -> Result<Target, Unready> {
        if let Some(databases) = &self.graphs.databases {
            return match databases.obstacle(record.id, rules).await {
                None => Ok(Target::Database(databases.store(record.id, rules))),
                Some(why) => Err(Unready::Later(why)),
            };
        }
        let image = self.graphs.images.as_ref().and_then(|images| images.of(record));
        let missing = || Unready::Later(format!("the graph of {} is not in memory yet", record.id));
        Ok(Target::Memory(image.ok_or_else(missing)?.graph))
    }

    /// Waits until a graph in memory, whose record was just written, is there.
    async fn appeared(&self, record: &Record) -> Result<(), Unready> {
        let Some(images) = self.graphs.images.as_ref().filter(|_| !self.has_databases()) else {
            return Ok(());
        };
        let mut changes = images.watch();
        let appearing =
            async { while images.of(record).is_none() && changes.changed().await.is_ok() {} };
        tokio::time::timeout(APPEARS_WITHIN, appearing)
            .await
            .map_err(|_| Unready::Later(format!("the graph of {} does not appear", record.id)))
    }

    async fn write_down(&self, record: &Record) -> Result<(), Unready> {
        match self.graphs.generations.create(record).await {
            Ok(()) => Ok(()),
            Err(ChangeError::Refused(Refusal::Exists(id))) => {
                let known = self.graphs.generations.read().await.map_err(|error| later(&error))?;
                let known = known.generations.get(&id);
                let ours = known.is_some_and(|known| is_of_one_job(known, record));
                let other = format!("generation {id} exists already: name another, or retire it");
                if ours { Ok(()) } else { Err(Unready::Never(other)) }
            }
            Err(error) => Err(later(&error)),
        }
    }

    /// How far live is in a graph in memory.
    async fn live_in_memory(&self, graph: &MemoryGraph, lag: &LagMeter) -> Result<Live, Unready> {
        let last = self.log.state().await.map_err(|error| later(&error))?.last_sequence;
        let through = graph.followed_through();
        self.live_from(through, last.saturating_sub(through), lag).await
    }

    async fn live_in_database(&self, handle: &WorkersHandle) -> Result<Live, Unready> {
        let last = self.log.state().await.map_err(|error| later(&error))?.last_sequence;
        let silent = || Unready::Later("its consumer does not answer".to_owned());
        let state = handle.place.state().await.ok_or_else(silent)?;
        let behind = state.pending + state.ack_pending;
        let through = if behind == 0 { last.max(state.ack_floor) } else { state.ack_floor };
        self.live_from(through, behind, &handle.status.lag).await
    }

    /// The age of the oldest event that is not applied counts, and how late events were of late.
    async fn live_from(&self, through: u64, behind: u64, lag: &LagMeter) -> Result<Live, Unready> {
        let mut lag_ms = lag.p99_ms().unwrap_or(0.0);
        let mut behind = behind;
        if behind > 0 {
            match self.log.get(through + 1).await.map_err(|error| later(&error))? {
                Some(oldest) => {
                    let age_ms = clock::now_ms().saturating_sub(oldest.time_ms).max(0);
                    lag_ms = lag_ms.max(age_ms as f64);
                }
                // Nothing stands there, and it may be that nothing comes.
                None => behind = behind.saturating_sub(1),
            }
        }
        Ok(Live { lag_ms, through, behind })
    }

    /// Waits until nobody asks a consumer for messages any more, so that nobody makes it again.
    async fn unused(&self, queue: &WorkQueue) -> Result<(), Unready> {
        let unused = async {
            loop {
                match queue.state().await {
                    Err(ReadError::Gone) => return Ok(()),
                    Ok(state) if state.waiting == 0 => return Ok(()),
                    Ok(_) => tokio::time::sleep(LOG_RETRY).await,
                    Err(error) => return Err(later(&error)),
                }
            }
        };
        // A worker that died leaves its requests until they expire.
        tokio::time::timeout(RETIRE_PATIENCE, unused).await.unwrap_or(Ok(()))
    }

    fn consumers(&self, id: GenerationId) -> [WorkQueue; 2] {
        let number = id.number();
        let log = self.log.work(WorkOptions::events(format!("projector-{id}")));
        [log, self.graphs.beside.retry.work(number, format!("retry-{id}"))]
    }

    fn followed(&self, id: GenerationId) -> Option<Followed> {
        self.graphs.following.as_ref().and_then(|part: &FollowingPart| part.all().remove(&id))
    }
}

/// Whether a record that there is was written by the job that would write this one, which it may have built since.
fn is_of_one_job(known: &Record, new: &Record) -> bool {
    let place = |record: &Record| (record.created_ms, record.follows_from, record.as_of);
    let built = known.building.is_none() || known.building == new.building;
    built && known.fingerprint == new.fingerprint && place(known) == place(new)
}

fn later(error: &dyn std::error::Error) -> Unready {
    Unready::Later(error.to_string())
}

impl Ground for JobGround {
    fn generations(&self) -> &Generations {
        &self.graphs.generations
    }

    fn has_databases(&self) -> bool {
        self.graphs.databases.is_some()
    }

    async fn graph(&self, id: GenerationId) -> Result<Graph, Unready> {
        let record = self.record(id).await?;
        if record.retiring {
            return Err(Unready::Never(format!("generation {id} is being retired")));
        }
        let rules = self.rules(&record)?;
        let target = self.target(&record, &rules).await?;
        let (decoder, projection) = (Decoder::new(rules.parser), Projection::new(rules.types));
        Ok(Graph { id, target, decoder, projection })
    }

    async fn make(&self, record: &Record) -> Result<(), Unready> {
        let rules = self.rules(record)?;
        let mut record = record.clone();
        record.in_memory = !self.has_databases();
        if let Some(databases) = &self.graphs.databases {
            databases.migrate(record.id, &rules).await.map_err(|error| later(&error))?;
        }
        self.write_down(&record).await?;
        self.appeared(&record).await
    }

    async fn remove(&self, id: GenerationId) -> Result<(), Unready> {
        for queue in self.consumers(id) {
            self.unused(&queue).await?;
            match queue.remove().await {
                // Nothing was ever tried again.
                Ok(()) | Err(ReadError::Gone) => {}
                Err(error) => return Err(later(&error)),
            }
        }
        let (beside, number) = (&self.graphs.beside, id.number());
        beside.retry.forget(number).await.map_err(|error| later(&error))?;
        beside.parked.forget(number).await.map_err(|error| later(&error))?;
        if let Some(databases) = &self.graphs.databases {
            databases.remove(id).await.map_err(|error| later(&error))?;
        }
        self.graphs.generations.forget(id).await.map_err(|error| later(&error))
    }

    async fn live(&self, id: GenerationId) -> Result<Live, Unready> {
        // Whoever cannot follow it cannot tell.
        self.rules(&self.record(id).await?)?;
        if self.has_databases() {
            return match self.followed(id) {
                Some(Followed::Working(handle)) => self.live_in_database(&handle).await,
                Some(Followed::Frozen(until)) => {
                    Ok(Live { lag_ms: 0.0, through: until.saturating_sub(1), behind: 0 })
                }
                Some(Followed::Waiting(why)) => Err(Unready::Later(why)),
                None => Err(Unready::Later(format!("nothing follows the log into {id} here"))),
            };
        }
        let record = self.record(id).await?;
        let image = self.graphs.images.as_ref().and_then(|images| images.of(&record));
        let missing = || Unready::Later(format!("the graph of {id} is not in memory yet"));
        let image = image.ok_or_else(missing)?;
        if let Some(until) = record.as_of {
            return Ok(Live { lag_ms: 0.0, through: until.saturating_sub(1), behind: 0 });
        }
        self.live_in_memory(&image.graph, &image.status.lag).await
    }

    async fn jump(&self, id: GenerationId, to: u64) -> Result<(), Unready> {
        if self.has_databases() {
            let [mut queue, _] = self.consumers(id);
            return queue.reset(to).await.map_err(|error| later(&error));
        }
        match self.graph(id).await?.target {
            Target::Memory(graph) => graph.follow_from(to),
            Target::Database(_) => {}
        }
        Ok(())
    }

    async fn unready_readers(&self, id: GenerationId) -> Result<Vec<String>, Unready> {
        readers::unready(&self.shelf, id).await.map_err(|error| later(&error))
    }
}
