//! A log with a graph that follows it, and verifications of one against the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use weir::event::{Event, EventTypes, Parser, Upcasters, write_event};
use weir::generation::{GenerationId, Generations, Record};
use weir::graph::{Put, coalesce};
use weir::projection::Projection;
use weir::projector::{Decoder, MemoryGraph, Progress, Recorded};
use weir::replay::{
    Aside, Control, Graph, Ground, Job, JobId, Live, Range, Report, Request, State, Target,
    Unready, Verb, VerifyError, verify,
};
use weir::store::Store;
use weir::store::memory::MemoryStore;
use weir::stream::{
    EventLog, KvStore, LogOptions, Nats, NatsOptions, Outcome, Outgoing, Parked, RetryOptions,
    RetryQueue, StoredMessage, StreamBounds,
};

use super::nats::NatsServer;
use super::{Waiting, eventually};

const DEADLINE: Duration = Duration::from_secs(20);

/// A log, what lies beside it, and how far its graph is.
#[derive(Clone)]
pub struct Proof {
    pub log: EventLog,
    pub aside: Aside,
    pub graph: Graph,
    generations: Generations,
    kv: KvStore,
    epoch: String,
    applied: Arc<AtomicU64>,
    published: Arc<AtomicU64>,
}

impl Proof {
    pub async fn memory(server: &NatsServer) -> (Self, MemoryStore) {
        let store = MemoryStore::new(Arc::new(EventTypes::builtin()));
        let graph = MemoryGraph::new(store.clone(), Progress::default(), 1);
        (Self::of(server, Target::Memory(graph)).await, store)
    }

    /// The first generation, made, with nothing in it.
    pub async fn of(server: &NatsServer, target: Target) -> Self {
        Box::pin(Self::made(server, target)).await
    }

    async fn made(server: &NatsServer, target: Target) -> Self {
        let options = NatsOptions { url: server.url(), name: "test".into(), ..Default::default() };
        let nats = Nats::connect(options).await.unwrap();
        let options = LogOptions { max_bytes: Some(1 << 30), ..Default::default() };
        let log = EventLog::new(nats.clone(), options).await;
        let ensured = async || log.ensure().await.ok();
        let epoch = eventually("the log is made", DEADLINE, ensured).await.epoch.0;
        let bounds = StreamBounds { max_bytes: Some(64 << 20), replicas: 1 };
        let aside = Aside {
            retry: RetryQueue::new(nats.clone(), RetryOptions::default()).await,
            parked: Parked::new(nats.clone(), bounds).await,
        };
        let types = Arc::new(EventTypes::builtin());
        let decoder = Decoder::new(Parser::new(types.clone(), Upcasters::shipped()));
        let projection = Projection::new(types);
        let id = GenerationId::FIRST;
        let kv = KvStore::new(nats, 1).await;
        let generations = Generations::new(kv.clone(), None);
        generations.create(&Record::new(id, "f", 0)).await.unwrap();
        let graph = Graph { id, target, decoder, projection };
        let (applied, published) = (Arc::default(), Arc::default());
        Self { log, aside, graph, generations, kv, epoch, applied, published }
    }

    /// Has the generation hold the log below a sequence alone.
    pub async fn end_at(&self, as_of: u64) {
        let view = self.generations.read().await.unwrap();
        let record = view.generations[&GenerationId::FIRST].clone();
        let key = format!("generation.{}", record.id);
        let (_, revision) = self.kv.get(&key).await.unwrap().expect("its record");
        let record = serde_json::to_vec(&Record { as_of: Some(as_of), ..record }).unwrap();
        self.kv.update(&key, record.into(), revision).await.unwrap();
    }

    /// Puts events into the log, in one go.
    pub async fn publish(&self, events: &[Event<'static>]) {
        let types = self.graph.projection.types();
        let written: Vec<_> = events.iter().map(|event| self.written(event, types)).collect();
        let batch: Vec<_> = written
            .iter()
            .map(|(subject, id, payload)| Outgoing {
                subject,
                message_id: id,
                payload: payload.clone(),
            })
            .collect();
        let waiting = Waiting::until("the events are stored", DEADLINE);
        while !matches!(self.log.publish_atomic(&batch).await, Outcome::Stored { .. }) {
            waiting.look_again().await;
        }
    }

    /// Its id is one of its own, so that the broker takes every copy.
    fn written(&self, event: &Event<'_>, types: &EventTypes) -> (String, String, Bytes) {
        let mut payload = Vec::new();
        write_event(event, types, &mut payload);
        let number = self.published.fetch_add(1, Ordering::Relaxed);
        let subject = format!("events.{}", types.spec(event.event_type).name);
        (subject, format!("message-{number}"), payload.into())
    }

    /// Applies everything that the log holds now and that was not applied yet.
    pub async fn catch_up(&self) {
        self.catch_up_but(&[]).await;
    }

    /// The same, but for some sequences.
    pub async fn catch_up_but(&self, left_out: &[u64]) {
        let last = self.log.state().await.unwrap().last_sequence;
        let mut reader = self.log.reader(self.applied.load(Ordering::Acquire) + 1);
        while self.applied.load(Ordering::Acquire) < last {
            let mut messages = reader.next().await.unwrap().messages;
            let through = messages.last().unwrap().sequence;
            messages.retain(|message| !left_out.contains(&message.sequence));
            self.apply(&messages).await;
            self.applied.store(through, Ordering::Release);
        }
    }

    /// Applies messages; the later ones first, since order does not matter.
    async fn apply(&self, messages: &[StoredMessage]) {
        let decode = |message| self.graph.decoder.decode(&self.epoch, &recorded(message)).ok();
        let events: Vec<_> = messages.iter().rev().filter_map(decode).collect();
        let mut puts = Vec::new();
        events.iter().for_each(|event| self.graph.projection.project(event, &mut puts));
        for part in coalesce(&puts).puts.chunks(100) {
            self.put(part).await;
        }
    }

    /// Applies puts, whether an event says so or not.
    pub async fn put(&self, puts: &[Put<'_>]) {
        let verdicts = match &self.graph.target {
            Target::Memory(graph) => Store::apply(&graph.store, puts).await,
            Target::Database(store) => store.apply(puts).await,
        };
        assert!(verdicts.iter().all(weir::store::Verdict::holds), "{verdicts:?}");
    }

    /// Verifies the generation as a job does, in a task of its own.
    pub async fn verify(&self) -> Report {
        let proof = self.clone();
        let verifying = tokio::spawn(async move { proof.try_verify(&proof.epoch).await });
        verifying.await.expect("it does not panic").unwrap()
    }

    /// The same for a job that was planned for the log of an epoch.
    pub async fn try_verify(&self, epoch: &str) -> Result<Report, VerifyError> {
        let mut told = Vec::new();
        let mut progress = |done, total| told.push((done, total));
        let job = job(epoch);
        let report = verify(&self.log, self, &job, &self.graph, &self.aside, &mut progress).await?;
        assert!(told.is_sorted() && told.iter().all(|(done, total)| done <= total), "{told:?}");
        Ok(report)
    }
}

pub fn recorded(message: &StoredMessage) -> Recorded<'_> {
    Recorded {
        subject: message.subject(),
        message_id: message.message_id(),
        payload: &message.payload,
        sequence: message.sequence,
        time_ms: message.time_ms,
    }
}

fn job(epoch: &str) -> Job {
    Job {
        id: JobId("verify-1".into()),
        verb: Verb::Verify,
        generation: GenerationId::FIRST,
        state: State::Running,
        note: None,
        epoch: epoch.to_owned(),
        fingerprint: None,
        range: Range { from: 1, to: 1 },
        control: Control { live_lag_ms: 200, rate: None },
        request: Request::new(Verb::Verify),
        created_ms: 0,
        changed_ms: 0,
        run: weir::replay::Run::default(),
        pace: weir::replay::Pace::default(),
        chunks: Vec::new(),
        tally: weir::replay::Tally::default(),
        missing: Vec::new(),
        report: None,
        redriven: None,
    }
}

impl Ground for Proof {
    fn generations(&self) -> &Generations {
        &self.generations
    }

    fn has_databases(&self) -> bool {
        matches!(self.graph.target, Target::Database(_))
    }

    async fn graph(&self, _: GenerationId) -> Result<Graph, Unready> {
        Ok(self.graph.clone())
    }

    async fn make(&self, _: &Record) -> Result<(), Unready> {
        Err(Unready::Never("not of this test".into()))
    }

    async fn remove(&self, _: GenerationId) -> Result<(), Unready> {
        Err(Unready::Never("not of this test".into()))
    }

    async fn live(&self, _: GenerationId) -> Result<Live, Unready> {
        let through = self.applied.load(Ordering::Acquire);
        Ok(Live { lag_ms: 0.0, through, behind: 0 })
    }

    async fn jump(&self, _: GenerationId, _: u64) -> Result<(), Unready> {
        Err(Unready::Never("not of this test".into()))
    }

    async fn unready_readers(&self, _: GenerationId) -> Result<Vec<String>, Unready> {
        Ok(Vec::new())
    }
}
