//! What one process tells of itself.

use serde::{Deserialize, Serialize};

use crate::app::ready::{Facts, judge};
use crate::app::roles::Role;
use crate::app::status::Parts;
use crate::{clock, limits};

/// One process, as it was when it last told of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub host: String,
    pub pid: u32,
    pub version: String,
    /// Of the projection that it makes by its own configuration.
    pub fingerprint: String,
    /// Where it listens to operators.
    pub admin: String,
    pub started_ms: i64,
    /// Its clock, when it told this.
    pub now_ms: i64,
    pub roles: Vec<Standing>,
    /// Events that it has accepted and that are not in the log yet; only of a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpublished: Option<u64>,
    /// Entries that it had promised and lost; only of a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

/// One duty of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub role: String,
    pub ready: bool,
    /// What is not as it should be, though the duty may be done.
    pub degraded: Vec<String>,
}

/// What does not change while a process runs.
#[derive(Debug, Clone)]
pub(in crate::app) struct Identity {
    pub host: String,
    pub fingerprint: String,
    pub admin: String,
    pub started_ms: i64,
}

impl Member {
    pub(super) fn of(identity: &Identity, parts: &Parts, facts: &Facts) -> Self {
        let inlet = parts.inlet.as_ref();
        Self {
            host: identity.host.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint: identity.fingerprint.clone(),
            admin: identity.admin.clone(),
            started_ms: identity.started_ms,
            now_ms: clock::now_ms(),
            roles: parts.roles.all().iter().map(|role| standing(*role, facts)).collect(),
            unpublished: inlet.map(|inlet| inlet.relay.status().lag),
            lost: inlet.map(|inlet| inlet.wal.status().lost_entries),
        }
    }

    /// Whether it does this duty.
    pub fn has(&self, role: Role) -> bool {
        self.roles.iter().any(|standing| standing.role == role.name())
    }
}

fn standing(role: Role, facts: &Facts) -> Standing {
    let verdict = judge(role, facts);
    let mut degraded = verdict.degraded;
    degraded.truncate(limits::MEMBER_REASONS);
    Standing { role: role.name().to_owned(), ready: verdict.ready, degraded }
}
