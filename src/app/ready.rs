//! Readiness: whether a role can do its own duty, and what is degraded.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::following::Followed;
use super::graphs::GraphsPart;
use super::roles::Role;
use super::status::Parts;
use crate::http::json;
use crate::projector::Phase;
use crate::query::Database;

/// What decides on readiness, at one moment; what a process has not is absent.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub draining: bool,
    pub nats_connected: bool,
    pub wal: Option<WalFacts>,
    pub image: Option<ImageFacts>,
    pub database: Option<DatabaseFacts>,
}

#[derive(Debug, Clone)]
pub(super) struct WalFacts {
    pub full: bool,
    pub degraded: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct ImageFacts {
    pub phase: Phase,
    pub applied_through: u64,
}

/// What is known of ArangoDB.
#[derive(Debug, Clone, Default)]
pub(super) struct DatabaseFacts {
    /// Why the active generation is not written to by this process.
    pub waiting: Option<String>,
    /// The active generation holds the log below this sequence alone, as somebody wanted.
    pub frozen: Option<u64>,
    /// Whether its breaker for writes is open.
    pub writes_fail: bool,
    /// What failed at the latest attempt.
    pub failing: Option<String>,
    /// Whether reads fail so often that they are not tried.
    pub reads_fail: bool,
}

/// What is told of one role.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = RoleReadiness)]
pub(super) struct Verdict {
    pub role: Role,
    pub ready: bool,
    /// What is not as it should be, though the duty may be done.
    pub degraded: Vec<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Readiness)]
pub(super) struct Answer {
    status: &'static str,
    roles: Vec<Verdict>,
}

impl Facts {
    pub fn of(parts: &Parts, draining: &CancellationToken) -> Self {
        let wal = parts.inlet.as_ref().map(|inlet| inlet.wal.status());
        let graphs = parts.graphs.as_ref();
        let image = graphs.and_then(GraphsPart::image).map(|image| ImageFacts {
            phase: image.status.phase(),
            applied_through: image.graph.applied_through(),
        });
        Self {
            draining: draining.is_cancelled(),
            nats_connected: parts.log.nats().link().borrow().connected,
            wal: wal.map(|wal| WalFacts { full: wal.full, degraded: wal.degraded }),
            image,
            database: graphs.and_then(database),
        }
    }
}

fn database(graphs: &GraphsPart) -> Option<DatabaseFacts> {
    graphs.databases.as_ref()?;
    let mut facts = DatabaseFacts::default();
    if let Some(following) = &graphs.following {
        match following.all().remove(&graphs.generations.view().active_id()) {
            Some(Followed::Working(handle)) => {
                facts.writes_fail = handle.gate.is_open();
                facts.failing = handle.status.failing().map(|failure| failure.error);
            }
            Some(Followed::Waiting(why)) => facts.waiting = Some(why),
            Some(Followed::Frozen(until)) => facts.frozen = Some(until),
            None => facts.waiting = Some("the generations are not known yet".to_owned()),
        }
    }
    if let Some(served) = &graphs.served {
        facts.reads_fail = served.borrow().database().as_ref().is_some_and(Database::is_away);
    }
    Some(facts)
}

/// Judges one role by the parts that do its duty.
pub(super) fn judge(role: Role, facts: &Facts) -> Verdict {
    let mut degraded = Vec::new();
    let ready = match role {
        Role::Gateway => gateway(facts, &mut degraded),
        Role::Projector => projector(facts, &mut degraded),
        Role::Api => api(facts, &mut degraded),
    };
    if facts.draining {
        degraded.push("stopping".to_owned());
    }
    Verdict { role, ready: ready && !facts.draining, degraded }
}

/// Ready when its log takes writes.
fn gateway(facts: &Facts, degraded: &mut Vec<String>) -> bool {
    let Some(wal) = &facts.wal else { return false };
    degraded.extend(wal.degraded.clone());
    if !facts.nats_connected {
        degraded.push("NATS is away: events wait in the write-ahead log".to_owned());
    }
    !wal.full
}

/// Ready when it can advance.
fn projector(facts: &Facts, degraded: &mut Vec<String>) -> bool {
    let log_answers = match (&facts.database, &facts.image) {
        (None, Some(image)) => image.phase != Phase::Waiting,
        _ => facts.nats_connected,
    };
    if !log_answers {
        degraded.push("the log does not answer: the graph does not advance".to_owned());
    }
    let Some(database) = &facts.database else { return log_answers };
    if let Some(why) = &database.waiting {
        degraded.push(format!("the active generation is not written to: {why}"));
    }
    if let Some(until) = database.frozen {
        degraded.push(format!("the active generation holds the log below {until} alone"));
    }
    if let Some(error) = &database.failing {
        degraded.push(format!("a part of what goes to ArangoDB fails: {error}"));
    }
    if database.writes_fail {
        degraded.push("ArangoDB does not take events: they wait in the log".to_owned());
    }
    log_answers && database.waiting.is_none() && !database.writes_fail
}

/// Ready when there is something to answer from.
fn api(facts: &Facts, degraded: &mut Vec<String>) -> bool {
    let database_answers = facts.database.as_ref().is_some_and(|database| !database.reads_fail);
    let Some(image) = &facts.image else {
        degraded.push("there is no graph in memory of what answers".to_owned());
        return database_answers;
    };
    if image.phase != Phase::Live {
        degraded.push("the graph in memory is behind the log".to_owned());
    }
    let database = facts.database.as_ref();
    if database.is_some_and(|database| database.reads_fail) {
        degraded
            .push("ArangoDB does not answer: what the graph in memory lacks is missing".to_owned());
    }
    image.phase == Phase::Live || image.applied_through > 0 || database_answers
}

/// 200 when all the roles asked for are ready, else 503; the body names what is degraded.
pub(super) fn answer(roles: Vec<Verdict>) -> Response {
    let ready = roles.iter().all(|role| role.ready);
    let body = Answer { status: if ready { "ready" } else { "unready" }, roles };
    json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Roles;

    const FULL: WalFacts = WalFacts { full: true, degraded: None };
    const SOUND: WalFacts = WalFacts { full: false, degraded: None };

    fn fine() -> Facts {
        Facts {
            draining: false,
            nats_connected: true,
            wal: Some(SOUND),
            image: Some(ImageFacts { phase: Phase::Live, applied_through: 9 }),
            database: None,
        }
    }

    fn ready(facts: &Facts) -> Vec<bool> {
        Roles::DEV.all().iter().map(|role| judge(*role, facts).ready).collect()
    }

    #[test]
    fn each_role_answers_for_its_own_duty() {
        assert_eq!(ready(&fine()), [true, true, true]);
        assert_eq!(ready(&Facts { draining: true, ..fine() }), [false, false, false]);
        assert_eq!(ready(&Facts { wal: Some(FULL), ..fine() }), [false, true, true]);
        let waiting = |applied_through| Some(ImageFacts { phase: Phase::Waiting, applied_through });
        let away = Facts { nats_connected: false, image: waiting(9), ..fine() };
        assert_eq!(ready(&away), [true, false, true]);
        assert_eq!(ready(&Facts { image: waiting(0), ..away.clone() }), [true, false, false]);
        assert_eq!(judge(Role::Gateway, &away).degraded.len(), 1);
    }

    #[test]
    fn a_role_alone_is_judged_without_the_parts_of_others() {
        let gateway = Facts { image: None, ..fine() };
        assert!(judge(Role::Gateway, &gateway).ready);
        let api = Facts { wal: None, ..fine() };
        assert!(judge(Role::Api, &api).ready);
        let projector = Facts { wal: None, image: None, ..fine() };
        assert!(judge(Role::Projector, &projector).ready);
        let away = Facts { nats_connected: false, ..projector };
        assert_eq!(judge(Role::Projector, &away).degraded.len(), 1);
        assert!(!judge(Role::Projector, &away).ready);
    }

    #[test]
    fn a_database_decides_on_writing_and_helps_with_reading() {
        let with = |database| Facts { database: Some(database), ..fine() };
        assert_eq!(ready(&with(DatabaseFacts::default())), [true, true, true]);
        let writes = DatabaseFacts { writes_fail: true, ..DatabaseFacts::default() };
        assert_eq!(ready(&with(writes)), [true, false, true]);
        let failing =
            DatabaseFacts { failing: Some("a timeout".into()), ..DatabaseFacts::default() };
        assert_eq!(ready(&with(failing.clone())), [true, true, true]);
        assert_eq!(judge(Role::Projector, &with(failing)).degraded.len(), 1);
        let waiting =
            DatabaseFacts { waiting: Some("no database".into()), ..DatabaseFacts::default() };
        assert_eq!(ready(&with(waiting)), [true, false, true]);
        let cold = Some(ImageFacts { phase: Phase::CatchingUp, applied_through: 0 });
        let reads = DatabaseFacts { reads_fail: true, ..DatabaseFacts::default() };
        assert_eq!(ready(&Facts { image: cold.clone(), ..with(reads) }), [true, true, false]);
        let reads = DatabaseFacts::default();
        assert_eq!(ready(&Facts { image: cold, ..with(reads) }), [true, true, true]);
    }
}
