//! Readiness: whether a role can do its own duty, and what is degraded.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::status::Parts;
use crate::http::json;
use crate::projector::Phase;

/// The roles of `weir dev`, all in one process.
pub(super) const ROLES: [&str; 3] = ["gateway", "projector", "api"];

/// What decides on readiness, at one moment.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub draining: bool,
    pub log_full: bool,
    pub log_degraded: Option<String>,
    pub nats_connected: bool,
    pub phase: Phase,
    pub applied_through: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Role {
    pub role: &'static str,
    pub ready: bool,
    /// What is not as it should be, though the duty may be done.
    pub degraded: Vec<String>,
}

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    roles: Vec<Role>,
}

impl Facts {
    pub fn of(parts: &Parts, draining: &CancellationToken) -> Self {
        let wal = parts.wal.status();
        Self {
            draining: draining.is_cancelled(),
            log_full: wal.full,
            log_degraded: wal.degraded,
            nats_connected: parts.nats.link().borrow().connected,
            phase: parts.projector.phase(),
            applied_through: parts
                .projector
                .applied_through
                .load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}

/// Judges one role; `None` for a name that is none.
pub(super) fn judge(role: &str, facts: &Facts) -> Option<Role> {
    let role = ROLES.into_iter().find(|known| *known == role)?;
    let mut degraded = Vec::new();
    let ready = match role {
        "gateway" => {
            degraded.extend(facts.log_degraded.clone());
            if !facts.nats_connected {
                degraded.push("NATS is away: events wait in the write-ahead log".to_owned());
            }
            !facts.log_full
        }
        "projector" => {
            if facts.phase == Phase::Waiting {
                degraded.push("the log does not answer: the graph does not advance".to_owned());
            }
            facts.phase != Phase::Waiting
        }
        _ => {
            if facts.phase != Phase::Live {
                degraded.push("the graph is behind the log".to_owned());
            }
            facts.phase == Phase::Live || facts.applied_through > 0
        }
    };
    if facts.draining {
        degraded.push("stopping".to_owned());
    }
    Some(Role { role, ready: ready && !facts.draining, degraded })
}

/// 200 when all the roles asked for are ready, else 503; the body names what is degraded.
pub(super) fn answer(roles: Vec<Role>) -> Response {
    let ready = roles.iter().all(|role| role.ready);
    let body = Answer { status: if ready { "ready" } else { "unready" }, roles };
    json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Facts {
        Facts {
            draining: false,
            log_full: false,
            log_degraded: None,
            nats_connected: true,
            phase: Phase::Live,
            applied_through: 9,
        }
    }

    fn ready(facts: &Facts) -> [bool; 3] {
        ROLES.map(|role| judge(role, facts).expect("a role").ready)
    }

    #[test]
    fn each_role_answers_for_its_own_duty() {
        assert_eq!(ready(&fine()), [true, true, true]);
        assert_eq!(ready(&Facts { draining: true, ..fine() }), [false, false, false]);
        assert_eq!(ready(&Facts { log_full: true, ..fine() }), [false, true, true]);
        let away = Facts { nats_connected: false, phase: Phase::Waiting, ..fine() };
        assert_eq!(ready(&away), [true, false, true]);
        assert_eq!(ready(&Facts { applied_through: 0, ..away.clone() }), [true, false, false]);
        assert_eq!(judge("gateway", &away).expect("a role").degraded.len(), 1);
        assert_eq!(judge("barista", &fine()), None);
    }
}
