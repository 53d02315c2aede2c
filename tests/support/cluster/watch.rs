//! Looks at a weir all the time, and measures how long nothing went on although there was something to do.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::client::Client;

const EVERY: Duration = Duration::from_millis(50);

/// The longest standstills.
#[derive(Debug, Default, Clone, Copy)]
pub struct Standstills {
    /// From the gateway's disk to the stream.
    pub relay: Duration,
    /// From the stream to the graph.
    pub graph: Duration,
}

/// Watches until it is stopped.
pub struct Watch {
    stop: CancellationToken,
    task: JoinHandle<Standstills>,
}

impl Watch {
    pub fn start(client: &Client) -> Self {
        let (stop, client) = (CancellationToken::new(), client.clone());
        let task = tokio::spawn(watch(client, stop.clone()));
        Self { stop, task }
    }

    pub async fn stop(self) -> Standstills {
        self.stop.cancel();
        self.task.await.expect("it does not panic")
    }
}

async fn watch(client: Client, stop: CancellationToken) -> Standstills {
    let (mut relay, mut graph) = (Progress::new(), Progress::new());
    while !stop.is_cancelled() {
        tokio::time::sleep(EVERY).await;
        let asked = client.admin_request("GET", "/admin/status");
        let Ok(answer) = client.send(asked).await else { continue };
        let status = answer.body;
        relay.look(&status["wal"]["highWater"], &status["relay"]["cursor"]);
        let active = &status["generations"][0];
        // While the stream does not answer, the graph has nothing to do that it could know of.
        graph.look(&status["nats"]["lastSeq"], &active["appliedThrough"]);
    }
    Standstills { relay: relay.longest, graph: graph.longest }
}

struct Progress {
    at: u64,
    moved: Instant,
    longest: Duration,
}

impl Progress {
    fn new() -> Self {
        Self { at: 0, moved: Instant::now(), longest: Duration::ZERO }
    }

    fn look(&mut self, wanted: &Value, at: &Value) {
        let (Some(wanted), Some(at)) = (wanted.as_u64(), at.as_u64()) else { return };
        // A status takes seconds while NATS is silent: what stood still before it is in its time.
        self.longest = self.longest.max(self.moved.elapsed());
        if at != self.at || at >= wanted {
            (self.at, self.moved) = (at, Instant::now());
        }
    }
}
