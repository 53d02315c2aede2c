//! A process that is no more than graphs in memory, a log with events, and workers to run jobs on them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use weir::event::{EventTypes, Parser, Upcasters, write_event};
use weir::generation::{ChangeError, GenerationId, Generations, Record};
use weir::projection::Projection;
use weir::projector::{Decoder, MemoryGraph, Progress, Recorded};
use weir::replay::{
    Control, Graph, Ground, Job, JobWorker, Jobs, Live, Range, Request, State, Target, Unready,
    WorkerOptions,
};
use weir::store::arango::ArangoStore;
use weir::store::memory::MemoryStore;
use weir::stream::{
    EventLog, KvStore, LogOptions, Nats, NatsOptions, Outcome, Outgoing, Parked, RetryOptions,
    RetryQueue, StreamBounds,
};

use crate::support::events::events;
use crate::support::eventually;
use crate::support::nats::NatsServer;
use crate::support::seed::Seed;

pub const DEADLINE: Duration = Duration::from_mins(1);

/// What a job needs, as simple as it can be: graphs in memory, and a live flow that lags as it is told.
#[derive(Clone)]
pub struct Plain {
    pub generations: Generations,
    graphs: Arc<Mutex<BTreeMap<GenerationId, Graph>>>,
    pub lag_ms: Arc<Mutex<f64>>,
    pub jumps: Arc<Mutex<Vec<u64>>>,
    /// Where live stands until it is moved; absent while it follows the log.
    pub stands: Arc<Mutex<Option<u64>>>,
    log: EventLog,
}

impl Plain {
    /// A graph of this generation without anything in it, in the place of the one there is.
    pub fn renew(&self, id: GenerationId, instance: u64) -> MemoryGraph {
        let types = Arc::new(EventTypes::builtin());
        let memory =
            MemoryGraph::new(MemoryStore::new(types.clone()), Progress::default(), instance);
        let graph = Graph {
            id,
            target: Target::Memory(memory.clone()),
            decoder: decoder(),
            projection: Projection::new(types),
        };
        self.graphs.lock().unwrap().insert(id, graph);
        memory
    }

    /// Has a generation live in a database.
    pub fn put_database(&self, id: GenerationId, store: ArangoStore) {
        self.renew(id, 0);
        let target = Target::Database(store);
        self.graphs.lock().unwrap().get_mut(&id).expect("just put there").target = target;
    }

    pub fn memory(&self, id: GenerationId) -> MemoryGraph {
        match &self.graphs.lock().unwrap()[&id].target {
            Target::Memory(memory) => memory.clone(),
            Target::Database(_) => panic!("a graph in memory"),
        }
    }
}

impl Ground for Plain {
    fn generations(&self) -> &Generations {
        &self.generations
    }

    fn has_databases(&self) -> bool {
        false
    }

    async fn graph(&self, id: GenerationId) -> Result<Graph, Unready> {
        let graph = self.graphs.lock().unwrap().get(&id).cloned();
        graph.ok_or_else(|| Unready::Elsewhere(format!("{id} is not here")))
    }

    async fn make(&self, record: &Record) -> Result<(), Unready> {
        if !self.graphs.lock().unwrap().contains_key(&record.id) {
            self.renew(record.id, record.id.number());
        }
        let later = |error: ChangeError| Unready::Later(error.to_string());
        match self.generations.create(record).await {
            Ok(()) | Err(ChangeError::Refused(_)) => Ok(()),
            Err(error) => Err(later(error)),
        }
    }

    async fn remove(&self, id: GenerationId) -> Result<(), Unready> {
        self.graphs.lock().unwrap().remove(&id);
        Ok(())
    }

    async fn live(&self, _: GenerationId) -> Result<Live, Unready> {
        let state = self.log.state().await.map_err(|error| Unready::Later(error.to_string()))?;
        let lag_ms = *self.lag_ms.lock().unwrap();
        let through = self.stands.lock().unwrap().unwrap_or(state.last_sequence);
        Ok(Live { lag_ms, through, behind: state.last_sequence.saturating_sub(through) })
    }

    async fn jump(&self, _: GenerationId, to: u64) -> Result<(), Unready> {
        self.jumps.lock().unwrap().push(to);
        *self.stands.lock().unwrap() = None;
        Ok(())
    }

    async fn unready_readers(&self, _: GenerationId) -> Result<Vec<String>, Unready> {
        Ok(Vec::new())
    }
}

/// A server with a log, and all that jobs need.
pub struct Site {
    pub server: NatsServer,
    pub log: EventLog,
    pub jobs: Jobs,
    pub kv: KvStore,
    pub parked: Parked,
    pub retry: RetryQueue,
    pub ground: Plain,
    pub epoch: String,
}

pub const G1: GenerationId = GenerationId::FIRST;

impl Site {
    pub async fn start() -> Self {
        Box::pin(Self::begin()).await
    }

    async fn begin() -> Self {
        let server = NatsServer::with_sync("\"2m\"");
        let nats = connect(&server).await;
        let log = EventLog::new(
            nats.clone(),
            LogOptions { max_bytes: Some(1 << 30), ..LogOptions::default() },
        )
        .await;
        let ensured =
            eventually("the log is there", DEADLINE, async || log.ensure().await.ok()).await;
        let generations = Generations::new(KvStore::new(nats.clone(), 1).await, None);
        generations
            .ensure_first(&Record::new(G1, "f", 0))
            .await
            .expect("the first generation is made");
        let kv = KvStore::jobs(nats.clone(), 1).await;
        let jobs = Jobs::new(kv.clone());
        jobs.ensure().await.expect("the bucket is made");
        let parked =
            Parked::new(nats.clone(), StreamBounds { max_bytes: Some(1 << 28), replicas: 1 }).await;
        parked.ensure().await.expect("the stream is made");
        let retry = RetryQueue::new(nats, RetryOptions::default()).await;
        let ground = Plain {
            generations,
            graphs: Arc::default(),
            lag_ms: Arc::new(Mutex::new(1.0)),
            jumps: Arc::default(),
            stands: Arc::default(),
            log: log.clone(),
        };
        ground.renew(G1, 1);
        let epoch = ensured.epoch.as_str().to_owned();
        Self { server, log, jobs, kv, parked, retry, ground, epoch }
    }

    /// Publishes so many random events.
    pub async fn publish(&self, count: usize) {
        let seed = Seed::new();
        let types = EventTypes::builtin();
        let messages: Vec<(String, Bytes)> = events(&seed, count)
            .iter()
            .map(|event| {
                let mut json = Vec::new();
                write_event(event, &types, &mut json);
                (format!("events.{}", types.spec(event.event_type).name), json.into())
            })
            .collect();
        self.publish_all(&messages).await;
    }

    pub async fn publish_all(&self, messages: &[(String, Bytes)]) {
        let begun = self.log.state().await.expect("the log answers").last_sequence;
        let ids: Vec<String> =
            (0..messages.len()).map(|n| format!("m{}", begun + n as u64)).collect();
        let all: Vec<Outgoing<'_>> = messages
            .iter()
            .zip(&ids)
            .map(|((subject, payload), id)| Outgoing {
                subject,
                message_id: id,
                payload: payload.clone(),
            })
            .collect();
        for batch in all.chunks(500) {
            let stored = self.log.publish_atomic(batch).await;
            assert!(matches!(stored, Outcome::Stored { .. }), "{stored:?}");
        }
    }

    /// A job over a range of the log.
    pub async fn asked(&self, request: Request, generation: GenerationId, range: Range) -> Job {
        let job = Job::of(request, generation, range, &self.epoch, weir::clock::now_ms());
        self.jobs.create(&job).await.expect("nothing is in its way");
        job
    }

    pub async fn whole(&self) -> Range {
        let last = self.log.state().await.expect("the log answers").last_sequence;
        Range { from: 1, to: last + 1 }
    }

    /// A worker over a connection of its own.
    pub async fn worker(&self, name: &str) -> JobWorker<Plain> {
        let nats = connect(&self.server).await;
        nats.connected().await;
        let jobs = Jobs::new(KvStore::jobs(nats.clone(), 1).await);
        let log = EventLog::new(nats, LogOptions::default()).await;
        let options = WorkerOptions { name: name.to_owned(), upcasters: Upcasters::shipped() };
        let (parked, retry) = (self.parked.clone(), self.retry.clone());
        JobWorker::build(self.ground.clone(), log, jobs, parked, retry, options)
    }

    /// A worker that runs until the guard is dropped, which kills it.
    pub async fn running(&self, name: &str) -> Running {
        let stop = CancellationToken::new();
        let task = tokio::spawn(self.worker(name).await.run(stop.clone()));
        Running { task, stop }
    }

    pub async fn reaches(&self, job: &Job, state: State) -> Job {
        let what = format!("the job is {state}");
        let there = async || {
            let now = self.jobs.get(job.id.as_str()).await.ok()?;
            assert!(
                now.state == state || !now.state.is_over(),
                "it is {}: {:?}",
                now.state,
                now.note
            );
            (now.state == state).then_some(now)
        };
        eventually(&what, DEADLINE, there).await
    }

    /// What the log says by itself: events, what is no event, and the graph.
    pub async fn expected(&self, range: Range) -> (u64, MemoryStore) {
        let types = Arc::new(EventTypes::builtin());
        let (projection, decoder) = (Projection::new(types.clone()), decoder());
        let (store, mut events) = (MemoryStore::new(types), 0);
        let mut at = range.from;
        while let Some(message) = self.log.next_from(at).await.expect("the log answers") {
            if message.sequence >= range.to {
                break;
            }
            at = message.sequence + 1;
            let recorded = Recorded {
                subject: message.subject(),
                message_id: message.message_id(),
                payload: &message.payload,
                sequence: message.sequence,
                time_ms: message.time_ms,
            };
            let Ok(event) = decoder.decode(&self.epoch, &recorded) else { continue };
            let mut puts = Vec::new();
            projection.project(&event, &mut puts);
            store.apply(&puts);
            events += 1;
        }
        (events, store)
    }

    pub fn same_graph(&self, store: &MemoryStore, id: GenerationId) -> bool {
        self.ground.memory(id).store.read().digest() == store.read().digest()
    }
}

/// A worker that is killed with this.
pub struct Running {
    task: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    /// Has it stop in good order.
    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.expect("it ends");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn decoder() -> Decoder {
    Decoder::new(parser())
}

pub fn parser() -> Parser {
    Parser::new(Arc::new(EventTypes::builtin()), Upcasters::shipped())
}

pub fn at_rate(rate: u64) -> Control {
    Control { live_lag_ms: 200, rate: Some(rate) }
}

async fn connect(server: &NatsServer) -> Nats {
    Nats::connect(NatsOptions { url: server.url(), name: "test".into(), ..NatsOptions::default() })
        .await
        .expect("begun")
}
