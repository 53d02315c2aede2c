//! All graphs of a process: which generations there are, what follows the log into them, and what is served.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::databases::Databases;
use super::following::{Following, FollowingPart};
use super::ground::JobGround;
use super::images::{ImageKeeper, ImagePart, Images};
use super::jobs::JobsPart;
use super::options::{self, Layout};
use super::readers::Announcer;
use super::roles::{Role, Roles};
use super::rules::Rules;
use super::serving::Servant;
use super::tasks::Stage;
use super::tending::Tending;
use super::wire::Wire;
use crate::clock;
use crate::config::Settings;
use crate::generation::{GenerationId, Generations, Record};
use crate::limits::LOG_RETRY;
use crate::query::Served;
use crate::replay::{JobWorker, Jobs, Planner, WorkerOptions};
use crate::stream::{EventLog, KvStore};

/// What can be asked of the graphs while they run.
#[derive(Clone)]
pub(super) struct GraphsPart {
    pub generations: Generations,
    pub beside: Beside,
    pub databases: Option<Databases>,
    pub following: Option<FollowingPart>,
    pub images: Option<Images>,
    pub served: Option<watch::Receiver<Arc<Served>>>,
    pub rules: Rules,
    /// Whether events are applied here for all, and not for this process's own reads alone.
    pub projects: bool,
}

/// Jobs of a process that applies the log.
struct Working {
    part: JobsPart,
    worker: JobWorker<JobGround>,
}

impl GraphsPart {
    /// The graph in memory of what answers.
    pub fn image(&self) -> Option<ImagePart> {
        self.images.as_ref()?.active(&self.generations.view())
    }
}

/// Graphs that were built and do not run.
pub(super) struct Graphs {
    pub part: GraphsPart,
    /// Where the generations are remembered, for reads without NATS.
    remembered: Option<std::path::PathBuf>,
    images: Option<ImageKeeper>,
    following: Option<Following>,
    servant: Option<Servant>,
    working: Option<Working>,
    announcer: Option<Announcer>,
}

impl Graphs {
    /// Builds what these roles need of graphs; `None` if that is nothing.
    pub async fn build(
        settings: &Settings,
        layout: &Layout,
        roles: Roles,
        rules: &Rules,
        wire: &Wire,
    ) -> anyhow::Result<Option<Self>> {
        let (projects, serves) = (roles.has(Role::Projector), roles.has(Role::Api));
        if !projects && !serves {
            return Ok(None);
        }
        let beside = Beside::open(settings, wire).await?;
        let databases = Databases::of(settings)?;
        let remembered = serves.then(|| layout.generations());
        let generations = Generations::new(beside.kv.clone(), remembered.as_deref());
        let part = GraphsPart {
            generations,
            beside,
            databases,
            following: None,
            images: None,
            served: None,
            rules: rules.clone(),
            projects,
        };
        let mut graphs = Self {
            part,
            remembered,
            images: None,
            following: None,
            servant: None,
            working: None,
            announcer: None,
        };
        let tending = if projects { graphs.project(settings, roles, wire).await? } else { None };
        if serves {
            Box::pin(graphs.serve(settings, layout, wire, tending)).await?;
        }
        let control = wire.open("jobs control").await?;
        let shelf = KvStore::jobs(control.nats().clone(), settings.nats.replicas).await;
        let name = worker_name(settings);
        if let Some(images) = graphs.part.images.clone().filter(|_| !graphs.owns_graphs()) {
            let generations = graphs.part.generations.clone();
            let (kv, name) = (shelf.clone(), name.clone());
            graphs.announcer = Some(Announcer { kv, name, images, generations });
        }
        if projects {
            let log = wire.open("jobs").await?;
            graphs.working = Some(graphs.working(name, log, control, shelf));
        }
        Ok(Some(graphs))
    }

    /// Whether the graphs in this process's memory are what there is.
    fn owns_graphs(&self) -> bool {
        self.part.projects && self.part.databases.is_none()
    }

    /// What answers about jobs, if this process runs any.
    pub fn jobs(&self) -> Option<JobsPart> {
        self.working.as_ref().map(|working| working.part.clone())
    }

    fn working(&self, name: String, log: EventLog, control: EventLog, shelf: KvStore) -> Working {
        let part = &self.part;
        let ground = JobGround::new(part.clone(), control.clone(), shelf.clone());
        let jobs = Jobs::new(shelf);
        let (parked, retry) = (part.beside.parked.clone(), part.beside.retry.clone());
        let planner = Planner {
            ground: ground.clone(),
            log: control,
            jobs: jobs.clone(),
            parked: parked.clone(),
            parser: part.rules.parser.clone(),
        };
        let options = WorkerOptions { name, upcasters: part.rules.upcasters.clone() };
        let worker = JobWorker::build(ground, log, jobs.clone(), parked, retry, options);
        Working { part: JobsPart { jobs, planner: Arc::new(planner) }, worker }
    }

    async fn serve(
        &mut self,
        settings: &Settings,
        layout: &Layout,
        wire: &Wire,
        tending: Option<Tending>,
    ) -> anyhow::Result<()> {
        let part = &mut self.part;
        let (rules, generations) = (&part.rules, part.generations.clone());
        let keeper = Box::pin(ImageKeeper::build(
            settings,
            layout,
            rules,
            wire,
            generations.clone(),
            tending,
        ))
        .await?;
        let images = keeper.part.clone();
        let (servant, served) =
            Servant::new(generations, images.clone(), part.databases.clone(), rules.clone());
        part.images = Some(images);
        part.served = Some(served);
        self.images = Some(keeper);
        self.servant = Some(servant);
        Ok(())
    }

    /// Follows the log into databases; without any, the graphs in memory are what there is, and are tended.
    async fn project(
        &mut self,
        settings: &Settings,
        roles: Roles,
        wire: &Wire,
    ) -> anyhow::Result<Option<Tending>> {
        let logs = (wire.open("projector").await?, wire.open("projector control").await?);
        let (options, beside) = (options::workers(settings), self.part.beside.clone());
        let Some(databases) = self.part.databases.clone() else {
            return Ok(Some(Tending { beside, logs, options }));
        };
        let part = FollowingPart::default();
        self.part.following = Some(part.clone());
        self.following = Some(Following {
            generations: self.part.generations.clone(),
            databases,
            beside,
            rules: self.part.rules.clone(),
            logs,
            options,
            migrates: roles == Roles::DEV,
            part,
        });
        Ok(None)
    }

    /// Starts everything.
    pub fn start(self, movers: &mut Stage, watchers: &mut Stage) {
        let generations = self.part.generations.clone();
        watchers.spawn(
            "the list of generations",
            generations.clone().follow(self.remembered, watchers.token()),
        );
        if let Some(servant) = self.servant {
            watchers.spawn("the choice of what is served", servant.run(watchers.token()));
        }
        if self.part.projects {
            // A graph in memory is made anew by another projection; a database never is.
            let in_memory = self.part.databases.is_none();
            let first = Record { in_memory, ..self.part.rules.record(GenerationId::FIRST) };
            let making = make_first(generations, first, watchers.token());
            watchers.spawn("the first generation", making);
        }
        if let Some(images) = self.images {
            movers.spawn("the graphs in memory", images.run(movers.token()));
        }
        if let Some(following) = self.following {
            movers.spawn("the projector", following.run(movers.token()));
        }
        if let Some(working) = self.working {
            movers.spawn("the jobs", working.worker.run(movers.token()));
        }
        if let Some(announcer) = self.announcer {
            watchers.spawn("readiness for generations", announcer.run(watchers.token()));
        }
    }
}

/// Tells operators which process runs a job, and differs between any two.
pub(super) fn worker_name(settings: &Settings) -> String {
    let host = host_name();
    let port = settings.admin.listen.rsplit(':').next().unwrap_or_default();
    format!("{host}-{}-{port}-{:08x}", std::process::id(), clock::now_ms() as u32)
}

/// The machine's name, of letters, digits and hyphens alone.
pub(super) fn host_name() -> String {
    let system = rustix::system::uname();
    system
        .nodename()
        .to_string_lossy()
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect()
}

/// Makes the first generation if there is none, as soon as that can be done; then waits for the end.
async fn make_first(generations: Generations, first: Record, stop: CancellationToken) {
    let making = async {
        while let Err(error) = generations.ensure_first(&first).await {
            tracing::debug!(%error, "the first generation cannot be made yet");
            tokio::time::sleep(LOG_RETRY).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = making => {}
    }
}
