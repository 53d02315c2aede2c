//! The three servers together: started, asked who leads, killed, emptied, restarted and cut off.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::Context;
use async_nats::jetstream::stream::Config;
use futures_util::TryStreamExt;
use tempfile::TempDir;

use super::network::Network;
use super::node::Node;
use crate::support::eventually;
use crate::support::nats::binary;
use crate::support::site::Ended;
use crate::support::tls::Authority;
use crate::support::weir::{Builder, command};

/// How many there are.
pub const NODES: u8 = 3;
/// How long a cluster may take to be whole, on a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(40);
/// How long copies may take to be whole: one that came back sometimes waits for its leader's next snapshot.
const WHOLE_DEADLINE: Duration = Duration::from_mins(2);
const USERS: [&str; 4] = ["producer", "weir", "control", "sys"];
/// As `mkpasswd -m bcrypt` gives it for the producer's password; the others are told as they are.
const PRODUCERS_HASH: &str = "$2b$05$5cvMhbEf0hv46Q3pA4xQouSvvSEOyRfDJ31PXakdoITCGLYIekmhC";
/// What the repository has for each node.
const FILES: [&str; 2] = ["node.conf", "common.conf"];

/// A cluster with three copies of everything; nodes are counted from 1.
pub struct Cluster {
    // Servers end before the network that they are on.
    nodes: Vec<Node>,
    network: Network,
    authority: Authority,
    folder: TempDir,
    http: reqwest::Client,
}

impl Cluster {
    /// Starts one and makes its streams; says so, and returns none, where there can be no networks.
    pub async fn start() -> Option<Self> {
        let cluster = Self::without_streams().await?;
        cluster.weir("control", "streams apply").await.ok();
        Some(cluster)
    }

    /// The same with nothing on it.
    pub async fn without_streams() -> Option<Self> {
        let mut cluster = Self::configured(Network::make(NODES)?);
        for node in 1..=NODES {
            cluster.restart(node);
        }
        for node in 1..=NODES {
            cluster.healthy(node).await;
        }
        Some(cluster)
    }

    fn configured(network: Network) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the cluster");
        for user in USERS {
            fs::write(folder.path().join(user), format!("secret-of-{user}")).expect("written");
        }
        let authority = Authority::new();
        let nodes = (1..=NODES).map(|node| {
            let name = format!("n{node}");
            let own = folder.path().join(&name);
            fs::create_dir(&own).expect("a folder for a node");
            place_configuration(&own);
            authority
                .issue_for(&name, &[network.client_address(node), network.route_address(node)]);
            Node::new(name, own)
        });
        let nodes = nodes.collect();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build();
        Self { nodes, network, authority, folder, http: http.expect("a client can be made") }
    }

    /// Starts a node that does not run, on the files it has.
    pub fn restart(&mut self, node: u8) {
        let mut command = self.network.command(node, &binary());
        command.arg("-c").arg(self.node(node).folder().join("node.conf"));
        let folder = self.authority.ca_file().parent().expect("a file is in a folder").to_owned();
        let addresses = |of: &dyn Fn(u8) -> Ipv4Addr| (1..=NODES).map(of).collect::<Vec<_>>();
        let routes = addresses(&|node| self.network.route_address(node));
        let (name, store) = (self.node(node).name.clone(), self.node(node).store());
        let address = self.network.client_address(node);
        command.envs(environment(&name, address, self.network.route_address(node), &routes));
        command.envs(files(&name, &folder, &store));
        self.node_mut(node).start(command);
    }

    pub fn kill(&mut self, node: u8) {
        self.node_mut(node).kill();
    }

    /// Has a node hand over and end by itself.
    pub fn lame_duck(&mut self, node: u8) {
        self.node_mut(node).lame_duck();
    }

    /// Loses the disk of a node that was killed.
    pub fn wipe(&self, node: u8) {
        self.node(node).wipe();
    }

    /// Has a node reach no other one; clients still reach it.
    pub fn cut_from_others(&self, node: u8) {
        self.network.cut_from_others(node);
    }

    /// Has nobody reach a node.
    pub fn cut_from_all(&self, node: u8) {
        self.network.cut_from_all(node);
    }

    pub fn heal(&self, node: u8) {
        self.network.heal(node);
    }

    /// Waits until a node says that it is well.
    pub async fn healthy(&self, node: u8) {
        let url = format!("{}/healthz", self.monitor_url(node));
        let what = format!("n{node} is healthy");
        let asked = async || {
            let answer = self.http.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        };
        eventually(&what, DEADLINE, asked).await;
    }

    /// Waits until every stream has a leader and all copies hold everything.
    pub async fn whole(&self) {
        for node in 1..=NODES {
            self.healthy(node).await;
        }
        let context = self.context("control").await;
        eventually("every copy is current", WHOLE_DEADLINE, async || {
            let streams: Vec<_> = context.streams().try_collect().await.ok()?;
            let is_whole = |info: &async_nats::jetstream::stream::Info| {
                let cluster = info.cluster.as_ref();
                cluster.is_some_and(|cluster| {
                    let copies = &cluster.replicas;
                    cluster.leader.is_some()
                        && copies.len() + 1 == usize::from(NODES)
                        && copies.iter().all(|copy| copy.current && !copy.offline)
                })
            };
            (streams.len() == 6 && streams.iter().all(is_whole)).then_some(())
        })
        .await;
    }

    /// Waits until the stream of events has a leader that is not `but`; returns it.
    pub async fn leader(&self, but: Option<u8>) -> u8 {
        let context = self.context("control").await;
        eventually("EVENTS has a leader", DEADLINE, async || {
            let mut stream = context.get_stream("EVENTS").await.ok()?;
            let leader = stream.info().await.ok()?.cluster.as_ref()?.leader.clone()?;
            let found = (1..=NODES).find(|node| self.node(*node).name == leader)?;
            (Some(found) != but).then_some(found)
        })
        .await
    }

    /// Takes all copies but one away, as somebody who does not know better might.
    pub async fn shrink_to_one_copy(&self) {
        let context = self.context("control").await;
        let streams: Vec<_> = context.streams().try_collect().await.expect("it answers");
        for info in streams {
            let config = Config { num_replicas: 1, ..info.config };
            context.update_stream(config).await.expect("it can be changed");
        }
    }

    /// Connects to whichever server answers; a publish that is not acknowledged within a second has failed.
    pub async fn context(&self, user: &str) -> Context {
        self.connect(user, self.urls(), false).await
    }

    /// Connects to one server and to no other.
    pub async fn context_at(&self, user: &str, node: u8) -> Context {
        self.connect(user, self.url(node), true).await
    }

    async fn connect(&self, user: &str, urls: String, alone: bool) -> Context {
        let connect = async || {
            let mut options = ConnectOptions::with_user_and_password(
                user.to_owned(),
                format!("secret-of-{user}"),
            )
            .add_root_certificates(self.authority.ca_file())
            .require_tls(true)
            .connection_timeout(Duration::from_secs(1))
            .ping_interval(Duration::from_secs(1));
            if alone {
                options = options.ignore_discovered_servers();
            }
            options.connect(urls.split(',').collect::<Vec<_>>().as_slice()).await.ok()
        };
        let client = eventually("a server of the cluster can be reached", DEADLINE, connect).await;
        let mut context = async_nats::jetstream::new(client);
        context.set_timeout(Duration::from_secs(1));
        context
    }

    fn url(&self, node: u8) -> String {
        format!("tls://{}:4222", self.network.client_address(node))
    }

    /// All servers, as clients are given them.
    pub fn urls(&self) -> String {
        (1..=NODES).map(|node| self.url(node)).collect::<Vec<_>>().join(",")
    }

    fn monitor_url(&self, node: u8) -> String {
        format!("http://{}:8222", self.network.client_address(node))
    }

    fn variables(&self, user: &str) -> Vec<(&'static str, String)> {
        let monitors: Vec<_> = (1..=NODES).map(|node| self.monitor_url(node)).collect();
        vec![
            ("WEIR_NATS__USER", user.to_owned()),
            ("WEIR_NATS__PASSWORD_FILE", self.folder.path().join(user).display().to_string()),
            ("WEIR_NATS__CA_FILE", self.authority.ca_file().display().to_string()),
            ("WEIR_NATS__REPLICAS", NODES.to_string()),
            ("WEIR_NATS__MONITOR_URL", monitors.join(",")),
        ]
    }

    /// Has a weir use the cluster, with the rights that weir's processes have.
    pub fn on(&self, weir: Builder) -> Builder {
        self.on_urls(weir, &self.urls())
    }

    /// The same, told of one server alone.
    pub fn on_one(&self, weir: Builder, node: u8) -> Builder {
        self.on_urls(weir, &self.url(node))
    }

    fn on_urls(&self, weir: Builder, urls: &str) -> Builder {
        let variables = self.variables("weir").into_iter();
        variables.fold(weir.nats_urls(urls), |weir, (name, value)| weir.variable(name, &value))
    }

    /// Runs a command of weir's as a user.
    pub async fn weir(&self, user: &str, line: &str) -> Ended {
        self.weir_with(user, line, &[]).await
    }

    /// The same with other settings.
    pub async fn weir_with(&self, user: &str, line: &str, others: &[(&str, &str)]) -> Ended {
        let mut command = command();
        command.args(line.split_whitespace()).envs(self.variables(user));
        command.env("WEIR_NATS__URL", self.urls()).env("WEIR_NATS__MAX_BYTES", "512MiB");
        command.env("WEIR_RETRY__MAX_BYTES", "64MiB").env("WEIR_PARKED__MAX_BYTES", "64MiB");
        command.envs(others.iter().copied());
        let ending = tokio::task::spawn_blocking(move || command.output());
        let output = ending.await.expect("it does not panic").expect("weir runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let (printed, said) = (text(output.stdout), text(output.stderr));
        Ended { code: output.status.code(), printed, said }
    }

    fn node(&self, node: u8) -> &Node {
        &self.nodes[usize::from(node) - 1]
    }

    fn node_mut(&mut self, node: u8) -> &mut Node {
        &mut self.nodes[usize::from(node) - 1]
    }
}

/// Copies the repository's configuration, and adds the file that an operator generates.
pub fn place_configuration(folder: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("nats/cluster");
    for file in FILES {
        fs::copy(from.join(file), folder.join(file)).expect("the configuration can be copied");
    }
    let users = USERS.map(|user| match user {
        "producer" => format!("{user}_password: \"{PRODUCERS_HASH}\"\n"),
        _ => format!("{user}_password: \"secret-of-{user}\"\n"),
    });
    fs::write(folder.join("users.conf"), users.concat()).expect("it is written");
}

/// Where a node listens and where the others are.
pub fn environment(
    name: &str,
    client: Ipv4Addr,
    route: Ipv4Addr,
    routes: &[Ipv4Addr],
) -> Vec<(String, String)> {
    let own = [
        ("NATS_NODE", name.to_owned()),
        ("NATS_CLIENT_LISTEN", format!("{client}:4222")),
        ("NATS_ROUTE_LISTEN", format!("{route}:6222")),
        ("NATS_MONITOR_LISTEN", format!("{client}:8222")),
    ];
    let others = (1..).zip(routes);
    let others =
        others.map(|(n, address)| (format!("NATS_ROUTE_{n}"), format!("tls://{address}:6222")));
    own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(others).collect()
}

/// Where a node's files are.
pub fn files(name: &str, authority: &Path, store: &Path) -> Vec<(&'static str, PathBuf)> {
    vec![
        ("NATS_CERT_FILE", authority.join(format!("{name}.cert.pem"))),
        ("NATS_KEY_FILE", authority.join(format!("{name}.key.pem"))),
        ("NATS_CA_FILE", authority.join("ca.pem")),
        ("NATS_STORE_DIR", store.to_owned()),
        ("NATS_MAX_FILE_STORE", "50GB".into()),
    ]
}
