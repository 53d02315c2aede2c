//! Tells systemd how the process does: a look every moment, from before anything is built to the end.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::following::Followed;
use super::ready::{Facts, Verdict, judge};
use super::status::Parts;
use crate::limits::{STOP_SPARE, VIGIL_PERIOD};
use crate::pulse::{Pulse, Sign, silent};
use crate::systemd::{Manager, News, Seen, Vigil};

/// Looks until it is dropped. Without systemd it does nothing.
pub(super) struct Herald {
    shared: Arc<Shared>,
    _looking: Option<AbortOnDropHandle<()>>,
}

struct Shared {
    manager: Manager,
    vigil: Mutex<Vigil>,
    watched: OnceLock<Watched>,
}

/// What is looked at once everything is built.
struct Watched {
    parts: Parts,
    draining: CancellationToken,
    listeners: Vec<Pulse>,
}

impl Herald {
    /// Begins to tell of a start.
    pub fn begin(manager: Manager) -> Self {
        let vigil = Mutex::new(Vigil::new(manager.watchdog()));
        let looks = manager.is_there();
        let shared = Arc::new(Shared { manager, vigil, watched: OnceLock::new() });
        let looking = looks.then(|| AbortOnDropHandle::new(tokio::spawn(shared.clone().look())));
        Self { shared, _looking: looking }
    }

    /// Tells of these parts from now on, and of the loops that accept connections.
    pub fn watch(&self, parts: Parts, draining: CancellationToken, listeners: Vec<Pulse>) {
        // There is one process, and it is built once.
        self.shared.watched.set(Watched { parts, draining, listeners }).ok();
    }

    /// Tells that the end has begun, which may take two drains and some more.
    pub fn stopping(&self, drain: Duration) {
        let news = self.shared.vigil().stop(2 * drain + STOP_SPARE);
        self.shared.manager.tell(&news);
    }
}

impl Shared {
    fn vigil(&self) -> std::sync::MutexGuard<'_, Vigil> {
        self.vigil.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(self: Arc<Self>) {
        let began = Instant::now();
        let patience = self.vigil().patience();
        let mut clock = tokio::time::interval(VIGIL_PERIOD);
        let mut told = false;
        loop {
            clock.tick().await;
            let seen = self.watched.get().map_or_else(starting, |watched| watched.seen(patience));
            if !seen.silent.is_empty() && !told {
                tracing::error!(loops = seen.silent.join(", "), "no sign of life");
            }
            told = !seen.silent.is_empty();
            let news = self.vigil().look(began.elapsed(), &seen);
            self.manager.tell(&news);
            if news.contains(&News::Ready) {
                tracing::debug!("systemd was told that weir is ready");
            }
        }
    }
}

fn starting() -> Seen {
    let status = "starting: reading what is on disk".to_owned();
    Seen { status, ..Seen::default() }
}

impl Watched {
    fn seen(&self, patience: Duration) -> Seen {
        let facts = Facts::of(&self.parts, &self.draining);
        let verdicts: Vec<Verdict> =
            self.parts.roles.all().iter().map(|role| judge(*role, &facts)).collect();
        Seen {
            built: true,
            ready: verdicts.iter().all(|verdict| verdict.ready),
            silent: silent(&self.signs(), patience),
            status: status(&verdicts),
        }
    }

    /// The signs of every loop that there is at this moment.
    fn signs(&self) -> Vec<Sign> {
        let mut pulses = self.listeners.clone();
        if let Some(inlet) = &self.parts.inlet {
            pulses.extend(inlet.wal.pulses());
            pulses.push(inlet.relay.pulse());
        }
        if let Some(graphs) = &self.parts.graphs {
            if let Some(images) = &graphs.images {
                pulses.extend(images.all().values().map(|image| image.pulse.clone()));
            }
            if let Some(following) = &graphs.following {
                for followed in following.all().into_values() {
                    if let Followed::Working(handle) = followed {
                        pulses.extend(handle.pulses);
                    }
                }
            }
        }
        pulses.iter().map(Pulse::sign).collect()
    }
}

/// One line for people: each role, and what is not as it should be.
fn status(verdicts: &[Verdict]) -> String {
    let role = |verdict: &Verdict| {
        let ready = if verdict.ready { "ready" } else { "not ready" };
        let degraded: String = verdict.degraded.iter().map(|why| format!("; {why}")).collect();
        format!("{} {ready}{degraded}", verdict.role.name())
    };
    verdicts.iter().map(role).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Role;

    #[test]
    fn a_line_tells_of_each_role_and_of_what_is_wrong() {
        let verdict = |role, ready, degraded: &[&str]| Verdict {
            role,
            ready,
            degraded: degraded.iter().map(|text| (*text).to_owned()).collect(),
        };
        let verdicts = [
            verdict(Role::Gateway, true, &["NATS is away"]),
            verdict(Role::Projector, false, &["the log does not answer", "stopping"]),
            verdict(Role::Api, true, &[]),
        ];
        assert_eq!(
            status(&verdicts),
            "gateway ready; NATS is away | projector not ready; the log does not answer; stopping | api ready"
        );
    }
}
