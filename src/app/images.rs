//! The graphs in this process's memory, made and given up as generations come and go.
//!
//! Where graphs live here, every generation has one. In front of a database, every projection has one: it is the
//! graph of all generations that this projection makes and that follow the whole log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::options::{self, Layout};
use super::rules::Rules;
use super::tending::Tending;
use super::wire::Wire;
use crate::config::Settings;
use crate::generation::{GenerationId, Generations, Record, View};
use crate::projection::Projection;
use crate::projector::{self, Decoder, MemoryGraph, MemoryProjector};
use crate::pulse::Pulse;

/// A graph in memory, as others see it.
#[derive(Clone)]
pub(super) struct ImagePart {
    pub graph: MemoryGraph,
    pub status: Arc<projector::Status>,
    pub pulse: Pulse,
    pub rules: Rules,
    pub fingerprint: String,
}

/// Which graphs there are now; clones share them.
#[derive(Clone)]
pub(super) struct Images {
    by: By,
    held: watch::Sender<Arc<BTreeMap<String, ImagePart>>>,
    /// What this process cannot make, and will not have.
    refused: Arc<Mutex<BTreeSet<String>>>,
}

/// What each graph belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Generation,
    Projection,
}

/// Keeps them.
pub(super) struct ImageKeeper {
    pub part: Images,
    settings: Settings,
    layout: Arc<Layout>,
    rules: Rules,
    wire: Wire,
    generations: Generations,
    /// If graphs live here: what becomes of events that cannot be applied.
    tending: Option<Tending>,
    built: BTreeMap<String, Built>,
    running: BTreeMap<String, Running>,
}

struct Built {
    record: Record,
    part: ImagePart,
    projector: MemoryProjector,
    snapshot: PathBuf,
}

struct Running {
    record: Record,
    graph: MemoryGraph,
    snapshot: PathBuf,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// How often the tasks that feed graphs are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Whether a record is of one generation, and not of another one with its name. What stands for a generation that
/// is not known yet is of whichever comes.
fn is_same(record: &Record, other: &Record) -> bool {
    let unknown = record.created_ms == 0 || other.created_ms == 0;
    (unknown || record.created_ms == other.created_ms) && record.as_of == other.as_of
}

impl By {
    fn key(self, record: &Record) -> String {
        match self {
            Self::Generation => record.id.to_string(),
            Self::Projection => record.fingerprint.clone(),
        }
    }

    /// Which graphs there are to be, by key. Pure.
    ///
    /// `own` is what this process would make; it stands for what is not known yet.
    fn wanted(self, view: &View, own: &Record) -> BTreeMap<String, Record> {
        let follows = |record: &&Record| {
            !record.retiring && (self == Self::Generation || record.as_of.is_none())
        };
        let mut wanted: BTreeMap<String, Record> = BTreeMap::new();
        for record in view.generations.values().filter(follows) {
            wanted.entry(self.key(record)).or_insert_with(|| record.clone());
        }
        // A bucket without generations says nothing yet.
        if view.generations.is_empty() {
            wanted.entry(self.key(own)).or_insert_with(|| own.clone());
        }
        wanted
    }
}

impl Images {
    pub fn watch(&self) -> watch::Receiver<Arc<BTreeMap<String, ImagePart>>> {
        self.held.subscribe()
    }

    pub fn all(&self) -> Arc<BTreeMap<String, ImagePart>> {
        self.held.borrow().clone()
    }

    /// The graph of a generation, if it is or can be held here.
    pub fn of(&self, record: &Record) -> Option<ImagePart> {
        let held = self.all();
        let part = held.get(&self.by.key(record))?;
        let whole = self.by == By::Generation || record.as_of.is_none();
        (whole && part.fingerprint == record.fingerprint).then(|| part.clone())
    }

    /// The graph of what answers; while nothing is known of generations, the only one there is.
    pub fn active(&self, view: &View) -> Option<ImagePart> {
        match view.generations.get(&view.active_id()) {
            Some(record) => self.of(record),
            None => self.all().values().next().cloned(),
        }
    }

    /// Whether reads of a generation need not wait for its graph in memory: it is there, or will never be.
    pub fn is_ready(&self, record: &Record) -> bool {
        let refused = || {
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.contains(&self.by.key(record))
        };
        let remote = self.by == By::Projection && record.as_of.is_some();
        match self.of(record) {
            Some(image) => image.status.caught_up.load(Ordering::Acquire),
            None => remote || refused(),
        }
    }

    fn refuse(&self, key: String) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    }

    fn put(&self, key: String, part: ImagePart) {
        self.held.send_modify(|held| _ = Arc::make_mut(held).insert(key, part));
    }

    fn remove(&self, key: &str) {
        self.held.send_modify(|held| _ = Arc::make_mut(held).remove(key));
    }
}

impl ImageKeeper {
    /// Builds the graphs of the generations as they were seen last, each from its snapshot if there is one.
    pub async fn build(
        settings: &Settings,
        layout: &Layout,
        rules: &Rules,
        wire: &Wire,
        generations: Generations,
        tending: Option<Tending>,
    ) -> anyhow::Result<Self> {
        let by = if settings.arango.url.is_some() { By::Projection } else { By::Generation };
        let part = Images { by, held: watch::channel(Arc::default()).0, refused: Arc::default() };
        let mut keeper = Self {
            part,
            settings: settings.clone(),
            layout: Arc::new(layout.clone()),
            rules: rules.clone(),
            wire: wire.clone(),
            generations,
            tending,
            built: BTreeMap::new(),
            running: BTreeMap::new(),
        };
        for (key, record) in keeper.wanted() {
            let built = keeper.make(&record).await?;
            if let Some(built) = built {
                keeper.part.put(key.clone(), built.part.clone());
                keeper.built.insert(key, built);
            }
        }
        Ok(keeper)
    }

    /// Which graphs there are to be, by key. What lives in memory is made anew for another projection.
    fn wanted(&self) -> BTreeMap<String, Record> {
        let own = Record { created_ms: 0, ..self.rules.record(GenerationId::FIRST) };
        let mut view = (*self.generations.view()).clone();
        if self.tending.is_some()
            && let Some(id) = view.adopting(&own.fingerprint).map(|record| record.id)
            && let Some(record) = view.generations.get_mut(&id)
        {
            record.fingerprint.clone_from(&own.fingerprint);
            record.event_types.clone_from(&own.event_types);
        }
        self.part.by.wanted(&view, &own)
    }

    /// Loads or begins a graph; `None` if this process cannot make it.
    async fn make(&self, record: &Record) -> anyhow::Result<Option<Built>> {
        let rules = match self.rules.of_record(record) {
            Ok(rules) => rules,
            Err(why) => {
                tracing::warn!(generation = %record.id, "no graph in memory: {why}");
                self.part.refuse(self.part.by.key(record));
                return Ok(None);
            }
        };
        let own = record.fingerprint == self.rules.fingerprint();
        let name = match self.part.by {
            By::Generation => record.id.to_string(),
            // The name that it had when there was no other.
            By::Projection if own => "g1".to_owned(),
            By::Projection => record.fingerprint.chars().take(12).collect(),
        };
        let mut options = options::image(&self.settings, &self.layout, &rules, &name)?;
        options.until = record.as_of;
        let snapshot = options.snapshot.clone();
        let log = self.wire.open("image").await?;
        let Rules { types, parser, upcasters } = rules.clone();
        let (decoder, projection) = (Decoder::new(parser), Projection::new(types));
        let building = tokio::task::spawn_blocking(move || {
            // Left behind by another one of this name, that held more.
            let build = |options| {
                let (decoder, projection) = (decoder.clone(), projection.clone());
                MemoryProjector::build(log.clone(), decoder, projection, &upcasters, options)
            };
            let built = build(options.clone())?;
            let beyond =
                options.until.is_some_and(|until| built.graph().applied_through() >= until);
            if !beyond {
                return Ok(built);
            }
            std::fs::remove_file(&options.snapshot).ok();
            build(options)
        });
        let mut projector = building.await??;
        let graph = projector.graph();
        if let Some(tending) = &self.tending {
            projector = projector.parking(tending.parker(record.id));
            if record.building.is_some() {
                graph.follow_from(record.as_of.or(record.follows_from).unwrap_or(1));
            }
        }
        let part = ImagePart {
            graph,
            status: projector.status(),
            pulse: projector.pulse(),
            fingerprint: projector.fingerprint().to_string(),
            rules,
        };
        Ok(Some(Built { record: record.clone(), part, projector, snapshot }))
    }

    /// Keeps them true to the log until told to stop, then writes their last snapshots.
    pub async fn run(mut self, stop: CancellationToken) {
        for (key, built) in std::mem::take(&mut self.built) {
            self.start(key, built, &stop);
        }
        let mut views = self.generations.watch();
        loop {
            views.borrow_and_update();
            self.adjust(&stop).await;
            tokio::select! {
                () = stop.cancelled() => break,
                changed = views.changed() => if changed.is_err() { break },
                // A graph that nobody feeds would go on answering.
                () = self.ended() => return,
            }
        }
        let tasks = std::mem::take(&mut self.running).into_values().flat_map(|one| one.tasks);
        join_all(tasks).await;
    }

    /// Waits until a task ends that nobody has told to.
    async fn ended(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            for (key, running) in &self.running {
                if running.tasks.iter().any(JoinHandle::is_finished) && !running.stop.is_cancelled()
                {
                    tracing::error!(graph = key, "what feeds a graph in memory has ended");
                    return;
                }
            }
        }
    }

    fn start(&mut self, key: String, built: Built, stop: &CancellationToken) {
        let Built { record, part, projector, snapshot } = built;
        let stop = stop.child_token();
        let mut tasks = vec![tokio::spawn(projector.run(stop.clone()))];
        if let Some(tending) = &self.tending {
            let again = tending.again(record.id, &part);
            tasks.push(tokio::spawn(again.run_again(stop.clone())));
        }
        let graph = part.graph.clone();
        self.part.put(key.clone(), part);
        self.running.insert(key, Running { record, graph, snapshot, stop, tasks });
    }

    /// Ends what is not wanted any more, and begins what is.
    async fn adjust(&mut self, stop: &CancellationToken) {
        let wanted = self.wanted();
        let by = self.part.by;
        let stays = |key: &str, running: &Running| {
            wanted.get(key).is_some_and(|record| {
                record.fingerprint == running.record.fingerprint
                    && (by == By::Projection || is_same(record, &running.record))
            })
        };
        let gone: Vec<String> = self
            .running
            .iter()
            .filter(|(key, running)| !stays(key, running))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            let adopted = wanted.get(&key).is_some_and(|record| {
                self.running.get(&key).is_some_and(|running| is_same(record, &running.record))
            });
            self.end(&key, !adopted).await;
        }
        for (key, record) in wanted {
            if let Some(running) = self.running.get_mut(&key) {
                // Whatever the job has not applied here, as after a crash, is live's to read.
                if running.record.building.is_some() && record.building.is_none() {
                    running.graph.follow_from(1);
                }
                running.record = record;
                continue;
            }
            match self.make(&record).await {
                Ok(Some(built)) => self.start(key, built, stop),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(generation = %record.id, error = format!("{error:#}"), "no graph in memory");
                }
            }
        }
    }

    async fn end(&mut self, key: &str, for_good: bool) {
        let Some(running) = self.running.remove(key) else { return };
        self.part.remove(key);
        running.stop.cancel();
        join_all(running.tasks).await;
        if for_good {
            tracing::info!(generation = %running.record.id, "its graph in memory is given up");
            std::fs::remove_file(&running.snapshot).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: &str, fingerprint: &str) -> Record {
        Record::new(GenerationId::parse(number).expect("valid"), fingerprint, 0)
    }

    fn view(records: Vec<Record>) -> View {
        let generations = records.into_iter().map(|record| (record.id, record)).collect();
        View { generations, active: None }
    }

    fn keys(by: By, view: &View) -> Vec<String> {
        by.wanted(view, &record("g1", "own")).into_keys().collect()
    }

    #[test]
    fn every_generation_has_a_graph_here_and_every_projection_one_before_a_database() {
        let frozen = Record { as_of: Some(9), ..record("g4", "b") };
        let going = Record { retiring: true, ..record("g5", "c") };
        let view =
            view(vec![record("g1", "a"), record("g2", "b"), record("g3", "a"), frozen, going]);
        assert_eq!(keys(By::Generation, &view), ["g1", "g2", "g3", "g4"]);
        assert_eq!(keys(By::Projection, &view), ["a", "b"]);
    }

    #[test]
    fn while_nothing_is_known_there_is_one_graph() {
        assert_eq!(keys(By::Generation, &View::default()), ["g1"]);
        assert_eq!(keys(By::Projection, &View::default()), ["own"]);
    }
}
