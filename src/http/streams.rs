//! The streams of one HTTP/2 connection, each a task: they end with their connection.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hyper::rt::Executor;
use metrics::counter;
use tokio::task::{JoinError, JoinSet};

use crate::telemetry::names;

/// Owns the tasks of one connection's streams; dropping it ends them.
pub(super) struct Streams {
    tasks: Arc<Mutex<JoinSet<()>>>,
    listener: &'static str,
}

/// Spawns a connection's streams as long as their owner lives.
#[derive(Clone)]
pub(super) struct Spawner {
    // The streams hold spawners themselves, so these must not keep the streams alive.
    tasks: Weak<Mutex<JoinSet<()>>>,
    listener: &'static str,
}

impl Streams {
    pub fn new(listener: &'static str) -> Self {
        Self { tasks: Arc::default(), listener }
    }

    pub fn spawner(&self) -> Spawner {
        Spawner { tasks: Arc::downgrade(&self.tasks), listener: self.listener }
    }
}

impl<F> Executor<F> for Spawner
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let Some(tasks) = self.tasks.upgrade() else { return };
        let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(ended) = tasks.try_join_next() {
            note_panic(self.listener, ended);
        }
        tasks.spawn(async move { drop(stream.await) });
    }
}

/// Counts and tells a panic of a handler.
pub(super) fn note_panic(listener: &'static str, ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        counter!(names::HTTP_PANICS, "listener" => listener).increment(1);
        tracing::error!(%error, listener, "a request handler panicked");
    }
}
