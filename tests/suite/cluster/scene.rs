//! What goes on while something happens to a cluster, and what must hold afterwards.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE};
use crate::support::cluster::{Cluster, Watch};
use crate::support::jobs::{account_closes, digest_of};
use crate::support::load::{Load, numbered};
use crate::support::nats::{patient, stored};
use crate::support::seed::Seed;
use crate::support::site::{Site, documents, graph_below, is_drained};
use crate::support::weir::{Builder, Weir};

/// Events in the log before anything happens, so that a rebuild has something to read.
const BEFORE: u64 = 3_000;
/// Between two requests of a producer.
const PAUSE: Duration = Duration::from_millis(20);

/// A cluster with a weir on it, producers over HTTP and past weir, and a rebuild that is slow enough to be met.
pub struct Scene {
    pub cluster: Cluster,
    pub client: Client,
    pub load: Load,
    weir: Weir,
    site: Option<Site>,
    watch: Watch,
    rebuild: String,
    begun: Instant,
}

impl Scene {
    /// Begins; says so, and returns none, where there can be no networks.
    pub async fn begin(name: &'static str) -> Option<Self> {
        let cluster = Cluster::start().await?;
        let weir = cluster.on(Weir::dev());
        Some(Self::begin_on(name, cluster, weir, None).await)
    }

    /// The same with every connection of weir to the server that leads the log. It is told of no other, and has to
    /// learn of them from that one.
    pub async fn begin_at_the_leader(name: &'static str) -> Option<Self> {
        let cluster = Cluster::start().await?;
        let leader = cluster.leader(None).await;
        let weir = cluster.on_one(Weir::dev(), leader);
        Some(Self::begin_on(name, cluster, weir, None).await)
    }

    /// The same with graphs in a database, so that workers share the log and acknowledge what they have applied.
    pub async fn begin_with_database(name: &'static str) -> Option<Self> {
        let mut site = Site::bare();
        // Its one server is not the log here.
        site.nats.kill();
        let cluster = Cluster::start().await?;
        let set = |weir: Builder, (name, value): (&str, String)| weir.variable(name, &value);
        let weir = site.variables().into_iter().fold(cluster.on(Weir::dev()), set);
        Some(Self::begin_on(name, cluster, weir, Some(site)).await)
    }

    async fn begin_on(
        name: &'static str,
        cluster: Cluster,
        weir: Builder,
        site: Option<Site>,
    ) -> Self {
        let weir = weir.start().await;
        let client = weir.client();
        client.settled().await;
        let events: Vec<Value> = (0..BEFORE).map(|number| numbered("before", number)).collect();
        for part in events.chunks(1_000) {
            client.post_ndjson(part).await.ok();
        }
        client.settled().await;
        let rebuild = client.begin_job(&json!({ "verb": "rebuild", "rate": 150 })).await;
        client.job_when(&rebuild, "the rebuild runs", |job| job["state"] == "running").await;
        let mut load = Load::start_gently(name, &client, 2, &Arc::new(Seed::new()), PAUSE);
        load.publish_directly(cluster.context("producer").await);
        let watch = Watch::start(&client);
        load.grows_by(100).await;
        let begun = Instant::now();
        Self { cluster, client, load, weir, site, watch, rebuild, begun }
    }

    /// Waits until what is accepted by the gateway from now on is in the stream and in the graph.
    pub async fn flows(&self) {
        let accepted = self.client.status().await["wal"]["highWater"].as_u64();
        let flows = |status: &Value| {
            let graph = &status["generations"][0];
            status["relay"]["cursor"].as_u64() > accepted
                && graph["appliedThrough"] == status["nats"]["lastSeq"]
        };
        self.client.status_within(2 * PATIENCE, "events flow into the graph", flows).await;
    }

    /// Ends, and holds that nothing is lost, nothing is doubled, and every graph is what the log says; prints what it
    /// took.
    pub async fn end(self, what: &str) {
        let Self { cluster, client, load, weir, site, watch, rebuild, begun } = self;
        load.grows_by(50).await;
        let lasted = begun.elapsed();
        let slowest = (load.slowest_post(), load.slowest_publish());
        let (republished, accepted) = (load.republished(), load.accepted());
        assert_eq!(load.refused(), 0, "the gateway takes events whatever happens to NATS");
        let produced = load.stop().await;
        let standstills = watch.stop().await;
        client.limit_job(&rebuild, &json!({ "rate": null })).await;
        let job = client.job_is(&rebuild, "done").await;
        account_closes(&job);
        let status = client.settled().await;
        for producer in &produced {
            producer.is_in_history_once(&client).await;
        }

        cluster.whole().await;
        let context = patient(&cluster.context("control").await);
        let messages = stored(&context).await;
        let ids: HashSet<String> = messages
            .iter()
            .filter_map(|message| serde_json::from_str::<Value>(&message.payload).ok())
            .filter_map(|event| event["eventId"].as_str().map(str::to_owned))
            .collect();
        let promised = produced.iter().flat_map(|producer| &producer.accepted);
        let lost: Vec<_> = promised.filter(|id| !ids.contains(*id)).collect();
        assert!(lost.is_empty(), "{} promised events are not in the log: {lost:?}", lost.len());
        let truth = graph_below(&context, u64::MAX).await;
        match &site {
            None => {
                let wanted = truth.read().digest().to_string();
                for id in ["g1", "g2"] {
                    assert_eq!(digest_of(&status, id), wanted, "{id}");
                }
            }
            Some(site) => {
                let drained = |status: &Value| ["g1", "g2"].iter().all(|id| is_drained(status, id));
                client.status_within(3 * PATIENCE, "the databases have everything", drained).await;
                let truth = documents(&truth).await;
                for id in ["g1", "g2"] {
                    site.holds(id, &truth).await;
                }
            }
        }
        client.verified("g1").await;
        drop(weir);

        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        println!(
            "| {what} | lasted {} | publishes stalled {} | slowest POST {} ms | gateway to stream stood {} | \
             stream to graph stood {} | accepted {accepted} | publishes sent again {republished} | relay tried \
             again {} | copies in the log {} | lost 0 |",
            seconds(lasted),
            seconds(slowest.1),
            slowest.0.as_millis(),
            seconds(standstills.relay),
            seconds(standstills.graph),
            status["relay"]["retries"],
            messages.len() - ids.len(),
        );
    }
}
