//! The tasks of a process: each has a name, and none may end before it is told to.

use std::future::Future;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Named tasks that stop in groups.
#[derive(Default)]
pub(super) struct Tasks {
    running: JoinSet<&'static str>,
}

impl Tasks {
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits for the first task that ends, and says which and how.
    pub async fn first_ended(&mut self) -> String {
        match self.running.join_next().await {
            Some(Ok(name)) => format!("{name} has ended"),
            Some(Err(error)) if error.is_panic() => {
                "a component has panicked; the log above says where".to_owned()
            }
            Some(Err(error)) => error.to_string(),
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended.
    pub async fn all_ended(&mut self) {
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
