//! The workers of one generation in this process. Others may have more; none knows of another.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::aside::{Aside, AsideTask};
use super::attempt::Shared;
use super::decode::Decoder;
use super::gate::Gate;
use super::place::Place;
use super::revive::revive;
use super::worker::{Source, Worker};
use super::worker_status::WorkerStatus;
use crate::projection::Projection;
use crate::pulse::Pulse;
use crate::store::Store;
use crate::stream::{EventLog, KvStore, OpenIds, Parked, RetryQueue, WorkOptions};

/// What a worker's sign of life is called.
const NAME: &str = "a worker";

/// How workers share the work of a generation.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Workers of this process, from 1.
    pub workers: usize,
    /// Most messages in one worker's hands.
    pub batch: usize,
    /// After which an unacknowledged message is given to somebody else.
    pub ack_wait: Duration,
    /// Where the generation's consumer begins if there is none yet (inclusive).
    pub begins: Option<u64>,
}

/// Where messages come from and where they go that are not applied.
#[derive(Clone)]
pub struct Queues {
    /// A connection for what is read.
    pub reading: EventLog,
    /// Another for what is written and asked.
    pub control: EventLog,
    pub kv: KvStore,
    pub retry: RetryQueue,
    pub parked: Parked,
    pub open: OpenIds,
}

/// Keeps one generation's store true to the log, with any number of others.
pub struct Workers<S> {
    shared: Arc<Shared<S>>,
    place: Arc<Place>,
    queues: Queues,
    options: WorkerOptions,
    aside_task: AsideTask,
    /// One a worker, that of RETRY last.
    pulses: Vec<Pulse>,
}

/// Tells of workers while they run, and after.
#[derive(Clone)]
pub struct WorkersHandle {
    pub status: Arc<WorkerStatus>,
    pub gate: Arc<Gate>,
    pub place: Arc<Place>,
    /// What each worker shows of being alive.
    pub pulses: Vec<Pulse>,
}

impl<S: Store> Workers<S> {
    /// Prepares workers for a generation; nothing is sent.
    pub fn build(
        generation: u64,
        store: S,
        (decoder, projection): (Decoder, Projection),
        queues: Queues,
        options: WorkerOptions,
    ) -> (Self, WorkersHandle) {
        let status = Arc::new(WorkerStatus::default());
        let gate = Arc::new(Gate::default());
        let (aside, aside_task) =
            Aside::new(queues.retry.clone(), queues.parked.clone(), queues.open.clone());
        let place = Arc::new(Place::new(
            queues.control.clone(),
            queues.kv.clone(),
            generation,
            log_consumer(generation, &options),
            status.clone(),
        ));
        let pulses = pulses_of(options.workers);
        let handle = WorkersHandle {
            status: status.clone(),
            gate: gate.clone(),
            place: place.clone(),
            pulses: pulses.clone(),
        };
        let shared = Arc::new(Shared {
            generation,
            store,
            decoder,
            projection,
            gate,
            aside,
            status,
            ack_wait: options.ack_wait,
        });
        (Self { shared, place, queues, options, aside_task, pulses }, handle)
    }

    /// Only takes what comes back from RETRY, for a store that is fed from the log in another way.
    pub async fn run_again(self, stop: CancellationToken) {
        let Self { shared, queues, options, aside_task, .. } = self;
        let aside = tokio::spawn(aside_task.run(stop.clone()));
        let reviver = tokio::spawn(queues.revive(shared.generation, stop.clone()));
        let (source, most) = (Source::Retry(Box::new(queues.retry)), options.batch);
        Worker { shared, source, most, pulse: Pulse::new(NAME) }.run(stop).await;
        aside.await.ok();
        reviver.await.ok();
    }

    /// Works until told to stop. What is then in hand goes back, for others to take at once.
    pub async fn run(self, stop: CancellationToken) {
        let Self { shared, place, queues, options, aside_task, pulses } = self;
        let aside = tokio::spawn(aside_task.run(stop.clone()));
        let keeper = tokio::spawn(place.clone().keep(stop.clone()));
        let reviver = tokio::spawn(queues.revive(shared.generation, stop.clone()));
        let consumer = log_consumer(shared.generation, &options);
        let fresh = (0..options.workers).map(|_| {
            let (log, consumer) = (queues.reading.clone(), consumer.clone());
            Source::Log { log, consumer, place: place.clone() }
        });
        let again = Source::Retry(Box::new(queues.retry.clone()));
        let running = fresh.chain([again]).zip(pulses).map(|(source, pulse)| {
            let worker = Worker { shared: shared.clone(), source, most: options.batch, pulse };
            tokio::spawn(worker.run(stop.clone()))
        });
        join_all(running.collect::<Vec<_>>()).await;
        // The last sender goes with the last worker; what was handed over is still set aside.
        drop(shared);
        aside.await.ok();
        keeper.await.ok();
        reviver.await.ok();
    }
}

impl Queues {
    fn revive(&self, generation: u64, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
        revive(self.retry.clone(), self.control.nats().clone(), generation, stop)
    }
}

/// One for each worker of fresh events, and one for the worker of RETRY.
fn pulses_of(workers: usize) -> Vec<Pulse> {
    (0..=workers).map(|_| Pulse::new(NAME)).collect()
}

fn log_consumer(generation: u64, options: &WorkerOptions) -> WorkOptions {
    let ack_wait = options.ack_wait;
    WorkOptions {
        ack_wait,
        begins: options.begins,
        ..WorkOptions::events(format!("projector-g{generation}"))
    }
}
