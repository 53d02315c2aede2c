//! Three nats-servers that keep three copies, all on this machine; each syncs before it acknowledges.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bench::Bench;
use crate::client::{Client, get};
use crate::process::{Server, free_port};

const NAMES: [&str; 3] = ["nats-1", "nats-2", "nats-3"];
const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running cluster; dropping it ends it.
pub struct NatsCluster {
    _servers: Vec<Server>,
    pub urls: String,
    dir: TempDir,
}

struct Ports {
    client: u16,
    monitor: u16,
    route: u16,
}

impl NatsCluster {
    /// Starts it and returns once every server is well.
    pub fn start(bench: &Bench, runtime: &Runtime) -> anyhow::Result<Self> {
        let dir = bench.folder()?;
        let named = std::env::var_os("WEIR_NATS_SERVER").map(PathBuf::from);
        let found = runtime.block_on(weir::broker::find_server(named.as_deref()))?;
        let ports = NAMES
            .iter()
            .map(|_| Ok(Ports { client: free_port()?, monitor: free_port()?, route: free_port()? }))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut servers = Vec::new();
        for (name, own) in NAMES.into_iter().zip(&ports) {
            let config = dir.path().join(format!("{name}.conf"));
            std::fs::write(&config, configuration(name, own, &ports, dir.path()))?;
            let arguments = ["-c".as_ref(), config.as_os_str()];
            servers.push(Server::start(name, &bench.weir, &found.path, &arguments, dir.path())?);
        }
        for (server, own) in servers.iter_mut().zip(&ports) {
            let address = format!("127.0.0.1:{}", own.monitor);
            server.wait_for("it is well", START_DEADLINE, || is_well(&address).ok().flatten())?;
        }
        let urls = ports.iter().map(|own| format!("nats://127.0.0.1:{}", own.client));
        Ok(Self { _servers: servers, urls: urls.collect::<Vec<_>>().join(","), dir })
    }

    /// Writes a configuration for weirs on it.
    pub fn weir_configuration(&self) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join("weir.toml");
        std::fs::write(&path, "[nats]\nreplicas = 3\n").context("weir.toml")?;
        Ok(path)
    }
}

fn configuration(name: &str, own: &Ports, all: &[Ports], dir: &Path) -> String {
    let routes: Vec<_> =
        all.iter().map(|ports| format!("nats://127.0.0.1:{}", ports.route)).collect();
    format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{}\"\nhttp: \"127.0.0.1:{}\"\n\
         jetstream {{ store_dir: \"{}\", sync_interval: always, max_file_store: 100GB }}\n\
         cluster {{ name: bench, listen: \"127.0.0.1:{}\", routes: [{}] }}\n",
        own.client,
        own.monitor,
        dir.join(name).display(),
        own.route,
        routes.join(", ")
    )
}

fn is_well(address: &str) -> anyhow::Result<Option<()>> {
    let mut client = Client::connect(address)?;
    Ok((client.send(&get("/healthz"))?.status == 200).then_some(()))
}
