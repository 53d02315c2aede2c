//! One process of any roles: builds its parts, serves until told to stop, and drains them in order.
//!
//! All roles are this code with more or fewer parts. Ports are bound before anything is built, so that a
//! mistake is told before anything has happened.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::bail;
use axum::Router;
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::documents::Described;
use super::doors::Doors;
use super::fleet::{Identity, announce};
use super::graphs::{Graphs, host_name, worker_name};
use super::guard::Guard;
use super::herald::Herald;
use super::inlet::Inlet;
use super::lock::lock;
use super::options::{self, Layout};
use super::ports::Ports;
use super::roles::{Role, Roles};
use super::rules::Rules;
use super::signals::stop_on_signals;
use super::status::Parts;
use super::tasks::{Stages, every};
use super::wire::Wire;
use super::{files, fill, jobs, watch};
use crate::access::Access;
use crate::broker::Broker;
use crate::clock;
use crate::config::Settings;
use crate::event::EventTypes;
use crate::gateway::Gateway;
use crate::http::{App, Cors, serve};
use crate::query::Query;
use crate::stream::KvStore;
use crate::systemd::{Manager, Sockets};
use crate::telemetry::{Metrics, UPKEEP};

/// Runs roles until a signal or until a component fails, then drains under the configured deadline.
///
/// `sockets` are those that systemd hands over; other ports are bound here.
pub async fn run(mut settings: Settings, roles: Roles, sockets: Sockets) -> anyhow::Result<()> {
    let herald = Herald::begin(Manager::from_env());
    roles.check(&settings)?;
    files::raise_limit(&settings);
    let stop = stop_on_signals()?;
    let layout = Layout::new(&settings);
    let _lock = lock(&layout, roles)?;
    let ports = Ports::bind(&mut settings, roles, sockets).await?;
    let broker = start_broker(&settings, &layout, roles).await?;
    let wire = Wire::new(&settings, broker.as_ref());
    let result = match Box::pin(Built::build(&settings, &layout, roles, wire)).await {
        Ok(built) => Box::pin(built.serve(&settings, ports, stop, &herald)).await,
        Err(error) => Err(error),
    };
    if let Some(broker) = broker {
        broker.stop().await;
    }
    result
}

async fn start_broker(
    settings: &Settings,
    layout: &Layout,
    roles: Roles,
) -> anyhow::Result<Option<Broker>> {
    if settings.nats.url.is_some() || !roles.brings_nats() {
        return Ok(None);
    }
    let (free, bound) = (layout.free_bytes().unwrap_or(u64::MAX), settings.nats.max_bytes);
    if free < bound {
        tracing::warn!(
            free,
            bound,
            "the disk has less room than the stream may take: lower nats.max_bytes, or watch the disk"
        );
    }
    let broker = Broker::start(options::broker(settings, layout)).await?;
    tracing::info!(url = broker.url, monitor = broker.monitor_url, "nats-server runs as a child");
    Ok(Some(broker))
}

/// Everything that was built, before any of it runs.
struct Built {
    parts: Parts,
    doors: Doors,
    inlet: Option<Inlet>,
    graphs: Option<Graphs>,
    types: Arc<EventTypes>,
    fingerprint: String,
}

impl Built {
    async fn build(
        settings: &Settings,
        layout: &Layout,
        roles: Roles,
        wire: Wire,
    ) -> anyhow::Result<Self> {
        let rules = Rules::new(settings)?;
        let log = wire.open("control").await?;
        let doors = Doors::build(settings, layout, roles, log.nats().clone()).await?;
        let mut inlet = None;
        if roles.has(Role::Gateway) {
            inlet = Some(Inlet::build(settings, layout, &rules, &wire, &doors.public).await?);
        }
        let graphs = Box::pin(Graphs::build(settings, layout, roles, &rules, &wire)).await?;
        let parts = Parts {
            roles,
            projection: rules.fingerprint(),
            wire,
            log,
            inlet: inlet.as_ref().map(|inlet| inlet.part.clone()),
            graphs: graphs.as_ref().map(|graphs| graphs.part.clone()),
        };
        let fingerprint = rules.fingerprint();
        Ok(Self { parts, doors, inlet, graphs, types: rules.types, fingerprint })
    }

    async fn serve(
        self,
        settings: &Settings,
        ports: Ports,
        stop: CancellationToken,
        herald: &Herald,
    ) -> anyhow::Result<()> {
        let Self { parts, doors, inlet, graphs, types, fingerprint } = self;
        let metrics = Metrics::install()?;
        let mut stages = Stages::default();
        let mut pulses = Vec::new();
        let console = Admin {
            parts: parts.clone(),
            metrics: metrics.clone(),
            draining: stages.listeners.token(),
            started_s: clock::now_ms() as f64 / 1e3,
        };
        let admin_address = ports.admin.address();
        let listen = ports.public.as_ref().map(|bound| bound.address().to_string());

        let (gateway, relay) = inlet.map(|inlet| (inlet.gateway, inlet.relay)).unzip();
        let query = query(&parts);
        let guard =
            Guard::new(settings.admin.token.clone(), doors.admin.clone(), &settings.admin.listen)
                .certified(settings.admin.client_ca_file.is_some());
        let jobs = graphs.as_ref().and_then(Graphs::jobs);
        let described = Described {
            roles: parts.roles,
            types: &types,
            nats_url: parts.wire.url(),
            jobs: jobs.is_some(),
        };
        let admin_documents = described.admin_routes(doors.admin.is_open());
        let jobs = jobs::routes(jobs, guard.clone());
        if let Some(bound) = ports.public {
            let documents = described.public_routes(doors.public.is_open());
            let app = public_app(gateway, query, &console, documents, &doors.public)
                .cors(cors(settings, doors.public.clone()));
            let (options, token) = (options::serve(settings, "public"), stages.listeners.token());
            pulses.push(options.pulse.clone());
            stages.listeners.spawn("the public listener", async move {
                serve(bound, app, options, token).await;
            });
        }
        if let Some(relay) = relay {
            stages.movers.spawn("the relay", relay.run(stages.movers.token()));
        }
        if let Some(graphs) = graphs {
            graphs.start(&mut stages.movers, &mut stages.watchers);
        }
        let app = App::new(console.admin_routes(guard).merge(jobs).merge(admin_documents));
        let (options, token) = (options::serve(settings, "admin"), stages.watchers.token());
        pulses.push(options.pulse.clone());
        stages.watchers.spawn("the admin listener", async move {
            serve(ports.admin, app, options, token).await;
        });
        let token = stages.watchers.token();
        stages.watchers.spawn("the keys", doors.follow(token));
        let identity = Identity {
            host: host_name(),
            fingerprint,
            admin: admin_address.to_string(),
            started_ms: clock::now_ms(),
        };
        let bucket = KvStore::jobs(parts.log.nats().clone(), settings.nats.replicas).await;
        let (draining, token) = (stages.listeners.token(), stages.watchers.token());
        let name = worker_name(settings);
        let announcing = announce(bucket, name, identity, parts.clone(), draining, token);
        stages.watchers.spawn("the announcement to the fleet", announcing);
        let token = stages.watchers.token();
        stages.watchers.spawn("metrics", every(UPKEEP, token, move || metrics.upkeep()));
        if parts.roles.has(Role::Gateway) {
            let watching = fill::watch(parts.log.clone(), stages.watchers.token());
            stages.watchers.spawn("the watch over the stream's room", watching);
        }
        let examining = watch::examine(parts.log.clone(), stages.watchers.token());
        stages.watchers.spawn("the examination of NATS", examining);
        tracing::info!(
            roles = %parts.roles,
            listen = listen.as_deref().unwrap_or("nowhere"),
            admin = %admin_address,
            nats = parts.wire.url(),
            "weir is up"
        );
        herald.watch(parts.clone(), stages.listeners.token(), pulses);

        let ended = tokio::select! {
            () = stop.cancelled() => None,
            ended = stages.first_ended() => Some(ended),
        };
        herald.stopping(settings.drain_deadline);
        drain(stages, &parts).await;
        match ended {
            None => Ok(()),
            Some(ended) => bail!("{ended}, so weir stops"),
        }
    }
}

/// Ends everything in the order of the flow; each part has its deadline.
async fn drain(mut stages: Stages, parts: &Parts) {
    let began = clock::now_ms();
    tracing::info!("stopping: no new requests, then what is accepted goes to the log");
    stages.listeners.stop().await;
    stages.movers.stop().await;
    if let Some(inlet) = &parts.inlet {
        inlet.wal.close().await;
    }
    stages.watchers.stop().await;
    tracing::info!(
        took_ms = clock::now_ms() - began,
        "weir has stopped; nothing that was accepted is lost"
    );
}

/// The reads over what is served, if this process serves anything.
fn query(parts: &Parts) -> Option<Query> {
    parts.graphs.as_ref()?.served.clone().map(Query::new)
}

/// Pages of the origins that are configured, and of those that a key names.
fn cors(settings: &Settings, access: Access) -> Cors {
    let origins: HashSet<String> = settings.cors.origins.iter().cloned().collect();
    Cors::new(move |origin| origins.contains(origin) || access.allowed_origin(origin))
}

fn public_app(
    gateway: Option<Gateway>,
    query: Option<Query>,
    console: &Admin,
    documents: Router,
    access: &Access,
) -> App {
    let routes = console.health_routes().merge(documents);
    let routes = match query {
        Some(query) => routes.merge(query.routes(access.clone())),
        None => routes,
    };
    let app = App::new(routes);
    match gateway {
        Some(gateway) => app.fast_path(
            |request| Gateway::serves(request.uri().path()),
            move |request, client| Box::pin(gateway.clone().handle(request, client)),
        ),
        None => app,
    }
}
