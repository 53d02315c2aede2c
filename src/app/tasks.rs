//! The tasks of a process: each has a name, and none may end before it is told to.

use std::future::Future;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// All tasks of a process, in the order in which they stop.
#[derive(Default)]
pub(super) struct Stages {
    /// Take new work.
    pub listeners: Stage,
    /// Bring work that was taken where it belongs.
    pub movers: Stage,
    /// Tell about the others to the end.
    pub watchers: Stage,
}

impl Stages {
    /// Waits for the first task that ends, and says which and how.
    pub async fn first_ended(&mut self) -> String {
        tokio::select! {
            ended = self.listeners.first_ended() => ended,
            ended = self.movers.first_ended() => ended,
            ended = self.watchers.first_ended() => ended,
        }
    }
}

/// Named tasks that stop together.
#[derive(Default)]
pub(super) struct Stage {
    token: CancellationToken,
    running: JoinSet<&'static str>,
}

impl Stage {
    /// Returns the token that tells the tasks to stop.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            task.await;
            name
        });
    }

    async fn first_ended(&mut self) -> String {
        match self.running.join_next().await {
            Some(Ok(name)) => format!("{name} has ended"),
            Some(Err(error)) if error.is_panic() => {
                "a component has panicked; the log above says where".to_owned()
            }
            Some(Err(error)) => error.to_string(),
            None => std::future::pending().await,
        }
    }

    /// Tells all to stop and waits until they have.
    pub async fn stop(&mut self) {
        self.token.cancel();
        while self.running.join_next().await.is_some() {}
    }
}

/// Runs `tick` every `period` until told to stop.
pub(super) async fn every(
    period: std::time::Duration,
    stop: CancellationToken,
    mut tick: impl FnMut(),
) {
    let mut clock = tokio::time::interval(period);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => tick(),
        }
    }
}
