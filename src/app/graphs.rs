//! All graphs of a process: which generations there are, what follows the log into them, and what is served.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::databases::Databases;
use super::following::{Following, FollowingPart};
use super::image::{Image, ImagePart};
use super::options::{self, Layout};
use super::roles::{Role, Roles};
use super::rules::Rules;
use super::serving::Servant;
use super::tasks::Stage;
use super::wire::Wire;
use crate::config::Settings;
use crate::generation::{GenerationId, Generations};
use crate::limits::LOG_RETRY;
use crate::projection::Projection;
use crate::projector::{Decoder, MemoryProjector, Parker, Queues, Workers};
use crate::query::Serving;

/// What can be asked of the graphs while they run.
#[derive(Clone)]
pub(super) struct GraphsPart {
    pub generations: Generations,
    pub beside: Beside,
    pub databases: Option<Databases>,
    pub following: Option<FollowingPart>,
    pub image: Option<ImagePart>,
    pub served: Option<watch::Receiver<Arc<Serving>>>,
}

/// Graphs that were built and do not run.
pub(super) struct Graphs {
    pub part: GraphsPart,
    /// Where the generations are remembered, for reads without NATS.
    remembered: Option<std::path::PathBuf>,
    fingerprint: String,
    makes_first: bool,
    projector: Option<MemoryProjector>,
    again: Option<Workers<crate::store::memory::MemoryStore>>,
    following: Option<Following>,
    servant: Option<Servant>,
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
        let databases = Databases::of(settings, rules)?;
        let remembered = serves.then(|| layout.generations());
        let generations = Generations::new(beside.kv.clone(), remembered.as_deref());
        let mut image = None;
        if serves {
            image = Some(Image::build(settings, layout, rules, wire).await?);
        }
        let part = image.as_ref().map(|image| image.part.clone());
        let mut graphs = Self {
            remembered,
            fingerprint: rules.fingerprint(),
            makes_first: projects,
            projector: image.map(|image| image.projector),
            again: None,
            following: None,
            servant: None,
            part: GraphsPart {
                generations,
                beside,
                databases,
                following: None,
                image: part,
                served: None,
            },
        };
        graphs.serve();
        if projects {
            graphs.project(settings, roles, rules, wire).await?;
        }
        Ok(Some(graphs))
    }

    fn serve(&mut self) {
        let part = &mut self.part;
        if let Some(image) = &part.image {
            let (servant, served) =
                Servant::new(part.generations.clone(), image.clone(), part.databases.clone());
            self.servant = Some(servant);
            part.served = Some(served);
        }
    }

    /// Follows the log into databases; without any, the image is the graph, and parks what is no event.
    async fn project(
        &mut self,
        settings: &Settings,
        roles: Roles,
        rules: &Rules,
        wire: &Wire,
    ) -> anyhow::Result<()> {
        let logs = (wire.open("projector").await?, wire.open("projector control").await?);
        let options = options::workers(settings);
        let beside = self.part.beside.clone();
        if let Some(databases) = self.part.databases.clone() {
            let part = FollowingPart::default();
            self.part.following = Some(part.clone());
            self.following = Some(Following {
                generations: self.part.generations.clone(),
                databases,
                beside,
                rules: rules.clone(),
                logs,
                options,
                migrates: roles == Roles::DEV,
                part,
            });
        } else if let Some(projector) = self.projector.take() {
            let generation = GenerationId::FIRST.number();
            let open = beside.parked.open_ids(generation);
            let parker = Parker::new(generation, beside.parked.clone(), open.clone());
            let queues = Queues {
                reading: logs.0,
                control: logs.1,
                kv: beside.kv,
                retry: beside.retry,
                parked: beside.parked,
                open,
            };
            let reads = (Decoder::new(rules.parser.clone()), Projection::new(rules.types.clone()));
            let (again, _) = Workers::build(generation, projector.store(), reads, queues, options);
            self.again = Some(again);
            self.projector = Some(projector.parking(parker));
        }
        Ok(())
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
        if self.makes_first {
            // A graph in memory is made anew by another projection; a database never is.
            let in_memory = self.part.databases.is_none();
            let first = make_first(generations, self.fingerprint, in_memory, watchers.token());
            watchers.spawn("the first generation", first);
        }
        if let Some(projector) = self.projector {
            movers.spawn("the image", projector.run(movers.token()));
        }
        if let Some(again) = self.again {
            movers.spawn("what is tried again", again.run_again(movers.token()));
        }
        if let Some(following) = self.following {
            movers.spawn("the projector", following.run(movers.token()));
        }
    }
}

/// Makes the first generation if there is none, as soon as that can be done; then waits for the end.
async fn make_first(
    generations: Generations,
    fingerprint: String,
    in_memory: bool,
    stop: CancellationToken,
) {
    let making = async {
        while let Err(error) = generations.ensure_first(&fingerprint, in_memory).await {
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
