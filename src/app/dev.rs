//! Everything in one process: gateway, relay, projector, reads, and a NATS server of its own.

use std::fs::File;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::fill;
use super::options::{self, Layout};
use super::signals::stop_on_signals;
use super::status::Parts;
use super::tasks::{Tasks, every};
use crate::broker::Broker;
use crate::clock;
use crate::config::Settings;
use crate::event::{Parser, Upcasters};
use crate::gateway::Gateway;
use crate::http::{App, Bound, bind, serve};
use crate::projection::Projection;
use crate::projector::{Decoder, MemoryProjector};
use crate::query::{self, Query};
use crate::relay::Relay;
use crate::stream::{EventLog, Nats, NatsOptions};
use crate::telemetry::{Metrics, UPKEEP};
use crate::wal::Wal;

/// The type that counts as a purchase for reads.
const PURCHASE_TYPE: &str = "purchased";

/// Runs until a signal or until a component fails, then drains under the configured deadline.
pub async fn dev(settings: Settings) -> anyhow::Result<()> {
    let stop = stop_on_signals()?;
    let layout = Layout::new(&settings);
    let _lock = lock(&layout)?;
    let public = bind(&settings.gateway.listen).await?;
    let admin = bind(&settings.admin.listen).await?;
    let broker = start_broker(&settings, &layout).await?;
    let result = run(&settings, &layout, broker.as_ref(), (public, admin), stop).await;
    if let Some(broker) = broker {
        broker.stop().await;
    }
    result
}

/// One process a data directory.
fn lock(layout: &Layout) -> anyhow::Result<File> {
    std::fs::create_dir_all(layout.root())
        .with_context(|| format!("cannot make the data directory {}", layout.root().display()))?;
    let path = layout.lock();
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!(
                "another weir uses the data directory {}: stop it, or choose another with --data-dir",
                layout.root().display()
            )
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

async fn start_broker(settings: &Settings, layout: &Layout) -> anyhow::Result<Option<Broker>> {
    if settings.nats.url.is_some() {
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
    gateway: Gateway,
    query: Query,
    relay: Relay,
    projector: MemoryProjector,
}

async fn run(
    settings: &Settings,
    layout: &Layout,
    broker: Option<&Broker>,
    (public, admin): (Bound, Bound),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let metrics = Metrics::install()?;
    let built = build(settings, layout, broker).await?;
    let parts = built.parts.clone();
    let (serving, moving, watching) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let console =
        Admin { parts: parts.clone(), metrics: metrics.clone(), draining: serving.clone() };

    let mut tasks = Tasks::default();
    let (public_address, admin_address) = (public.address(), admin.address());
    let public_app = public_app(built.gateway, built.query, &console);
    let admin_app = App::new(console.admin_routes());
    let mut listeners = Tasks::default();
    let public_options = options::serve(settings, "public");
    let token = serving.clone();
    listeners.spawn("the gateway's listener", async move {
        serve(public, public_app, public_options, token).await;
    });
    let (admin_options, token) = (options::serve(settings, "admin"), watching.clone());
    tasks.spawn("the admin listener", async move {
        serve(admin, admin_app, admin_options, token).await;
    });
    let mut movers = Tasks::default();
    movers.spawn("the relay", built.relay.run(moving.clone()));
    movers.spawn("the projector", built.projector.run(moving.clone()));
    tasks.spawn("metrics", every(UPKEEP, watching.clone(), move || metrics.upkeep()));
    tasks.spawn(
        "the watch over the stream's room",
        fill::watch(parts.log.clone(), watching.clone()),
    );
    tasks.spawn(
        "the examination of NATS",
        examine(parts.nats.clone(), parts.log.clone(), watching.clone()),
    );
    tracing::info!(listen = %public_address, admin = %admin_address, nats = parts.nats_url, "weir is up");

    let ended = tokio::select! {
        () = stop.cancelled() => None,
        ended = tasks.first_ended() => Some(ended),
        ended = movers.first_ended() => Some(ended),
        ended = listeners.first_ended() => Some(ended),
    };
    let began = clock::now_ms();
    tracing::info!("stopping: no new requests, then what is accepted goes to the log");
    serving.cancel();
    listeners.all_ended().await;
    moving.cancel();
    movers.all_ended().await;
    parts.wal.close().await;
    watching.cancel();
    tasks.all_ended().await;
    tracing::info!(
        took_ms = clock::now_ms() - began,
        "weir has stopped; nothing that was accepted is lost"
    );
    match ended {
        None => Ok(()),
        Some(ended) => bail!("{ended}, so weir stops"),
    }
}

async fn build(
    settings: &Settings,
    layout: &Layout,
    broker: Option<&Broker>,
) -> anyhow::Result<Built> {
    let types = Arc::new(options::event_types(settings)?);
    let upcasters = Upcasters::shipped();
    let parser = Parser::new(types.clone(), upcasters.clone());
    let wal_options = options::wal(settings, layout);
    let wal = tokio::task::spawn_blocking(move || Wal::open(wal_options)).await??;
    let monitor_url = broker.map_or_else(
        || settings.nats.monitor_url.clone(),
        |broker| Some(broker.monitor_url.clone()),
    );
    let nats_url = broker
        .map_or_else(|| settings.nats.url.clone().unwrap_or_default(), |broker| broker.url.clone());
    let log = async |name: &str| {
        let nats = Nats::connect(NatsOptions {
            url: nats_url.clone(),
            name: format!("weir {name}"),
            ..Default::default()
        })
        .await?;
        let log = EventLog::new(nats.clone(), options::log(settings, monitor_url.clone())).await;
        anyhow::Ok((nats, log))
    };
    let (nats, control) = log("control").await?;
    let (_, publishing) = log("relay").await?;
    let (_, reading) = log("projector").await?;
    let (relay, handle) = Relay::build(options::relay(settings, layout), wal.clone(), publishing)?;
    let projector = build_projector(reading, &parser, &upcasters, layout).await?;
    let store = projector.store();
    let parts = Parts {
        nats_url,
        monitor_url,
        nats,
        log: control,
        wal: wal.clone(),
        relay: handle,
        store: store.clone(),
        projector: projector.status(),
        fingerprint: projector.fingerprint().to_string(),
    };
    let query_options = query::Options {
        generation: super::GENERATION.to_owned(),
        purchase_type: PURCHASE_TYPE.to_owned(),
    };
    Ok(Built {
        parts,
        gateway: Gateway::new(wal, parser, options::gateway(settings)),
        query: Query::new(store, types, query_options),
        relay,
        projector,
    })
}

async fn build_projector(
    log: EventLog,
    parser: &Parser,
    upcasters: &Upcasters,
    layout: &Layout,
) -> anyhow::Result<MemoryProjector> {
    let options = options::projector(layout)?;
    let (decoder, projection) =
        (Decoder::new(parser.clone()), Projection::new(parser.types().clone()));
    let upcasters = upcasters.clone();
    let building = tokio::task::spawn_blocking(move || {
        MemoryProjector::build(log, decoder, projection, &upcasters, options)
    });
    Ok(building.await??)
}

fn public_app(gateway: Gateway, query: Query, console: &Admin) -> App {
    App::new(query.routes().merge(console.health_routes())).fast_path(
        |request| request.uri().path() == "/ingest",
        move |request| Box::pin(gateway.clone().handle(request)),
    )
}

/// Tells once a connection what of the server or the stream does not keep the promises.
async fn examine(nats: Nats, log: EventLog, stop: CancellationToken) {
    let mut link = nats.link();
    let mut examined = 0;
    loop {
        let times = tokio::select! {
            () = stop.cancelled() => return,
            link = link.wait_for(|link| link.connected && link.times != examined) => match link {
                Ok(link) => link.times,
                Err(_) => return,
            },
        };
        examined = times;
        if let Err(error) = nats.check_server() {
            tracing::error!(%error, "the NATS server is too old to keep the promises");
        }
        let findings = log.inspect().await.unwrap_or_default();
        for finding in findings {
            finding.log();
        }
    }
}
