//! The copies of streams in a cluster: which server has one, whether it is whole, and what that means.
//!
//! A stream takes and gives nothing without a leader, and has one only while more than half of its copies
//! are there. What follows from a state is decided here without I/O.

use async_nats::jetstream::stream::{ClusterInfo, Info};
use futures_util::future::join_all;
use serde::Serialize;

use crate::stream::connection::Nats;
use crate::stream::findings::{Finding, Severity};
use crate::stream::handle::{GetError, StreamHandle};
use crate::stream::server::{Server, SyncPolicy};

/// All streams that weir keeps, the log first.
pub const STREAMS: [&str; 6] =
    ["EVENTS", "RETRY", "PARKED", "KV_WEIR", "KV_WEIR_JOBS", "KV_WEIR_KEYS"];

/// One server's copy beside the leader's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Follower {
    pub server: String,
    /// Whether it holds all that the leader has acknowledged.
    pub current: bool,
    /// Whether the leader has given it up for now.
    pub offline: bool,
    /// Operations that it has not got yet.
    pub behind: u64,
    /// Since when the leader has not heard of it.
    pub silent_ms: u64,
}

/// The copies of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Copies {
    pub stream: String,
    /// How many there are to be by the stream's settings; 0 if it does not answer.
    pub replicas: usize,
    /// Whether its server is one of a cluster.
    pub clustered: bool,
    /// The server that takes what is written; `None` while one is chosen, or while too few are there.
    pub leader: Option<String>,
    pub followers: Vec<Follower>,
}

/// How many copies must have a message before it is acknowledged.
pub fn quorum(replicas: usize) -> usize {
    replicas / 2 + 1
}

impl Copies {
    fn of(info: &Info) -> Self {
        let replicas = info.config.num_replicas.max(1);
        let none = ClusterInfo::default();
        let cluster = info.cluster.as_ref().unwrap_or(&none);
        let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        let followers = cluster.replicas.iter().map(|peer| Follower {
            server: peer.name.clone(),
            current: peer.current,
            offline: peer.offline,
            behind: peer.lag.unwrap_or(0),
            silent_ms: u64::try_from(peer.active.as_millis()).unwrap_or(u64::MAX),
        });
        let mut followers: Vec<_> = followers.collect();
        followers.sort_by(|one, other| one.server.cmp(&other.server));
        Self {
            stream: info.config.name.clone(),
            replicas,
            clustered: named(&cluster.name).is_some(),
            leader: named(&cluster.leader),
            followers,
        }
    }

    /// One of which nothing can be told.
    fn silent(stream: &str) -> Self {
        let (stream, followers) = (stream.to_owned(), Vec::new());
        Self { stream, replicas: 0, clustered: true, leader: None, followers }
    }

    /// The names of all servers that have a copy.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        self.leader.iter().chain(self.followers.iter().map(|one| &one.server)).map(String::as_str)
    }

    /// Copies that are there, whole or not.
    pub fn reachable(&self) -> usize {
        let leader = usize::from(self.leader.is_some());
        leader + self.followers.iter().filter(|one| !one.offline).count()
    }

    /// Copies whose loss stops nothing and loses nothing.
    pub fn spare(&self) -> usize {
        self.reachable().saturating_sub(quorum(self.replicas))
    }

    /// Names everything about the copies that is not as `wanted` of them need it.
    pub fn findings(&self, wanted: usize) -> Vec<Finding> {
        let mut findings: Vec<_> = self.few(wanted).into_iter().collect();
        if self.clustered && self.leader.is_none() {
            let remedy = "it passes within ten seconds if more than half of the servers are there: look at \
                          them, and at /healthz of each";
            findings.push(self.finding("leader", "none", "one of its servers", remedy));
        }
        findings.extend(self.followers.iter().filter_map(|one| self.of_follower(one)));
        findings
    }

    /// The log itself is told of by its declaration, as long as there is a cluster to speak of.
    fn few(&self, wanted: usize) -> Option<Finding> {
        let found = self.replicas.to_string();
        if self.clustered && wanted == 1 && self.replicas == 1 {
            let remedy = "the loss of one disk loses it: set nats.replicas = 3, and run `weir streams apply`";
            return Some(self.finding("num_replicas", &found, "3", remedy));
        }
        let remedy = "`weir streams apply` while as many servers are up: it makes more copies";
        (self.replicas < wanted && self.replicas > 0 && self.stream != STREAMS[0])
            .then(|| self.finding("num_replicas", &found, &wanted.to_string(), remedy))
    }

    fn of_follower(&self, one: &Follower) -> Option<Finding> {
        let setting = format!("the copy on {}", one.server);
        if one.offline {
            let found = format!("offline for {} s", one.silent_ms / 1_000);
            let remedy = match self.spare() {
                0 => {
                    "one more loss stops the stream: bring the server back, or replace it (nats/cluster)"
                }
                _ => "bring the server back, or replace it (nats/cluster)",
            };
            return Some(self.finding(&setting, &found, "current", remedy));
        }
        let found = format!("{} behind", one.behind);
        let remedy = "it catches up by itself: do not stop another server before it has";
        (!one.current).then(|| self.finding(&setting, &found, "current", remedy))
    }

    fn finding(&self, setting: &str, found: &str, expected: &str, remedy: &str) -> Finding {
        Finding {
            severity: Severity::Warning,
            setting: format!("{}: {setting}", self.stream),
            found: found.to_owned(),
            expected: expected.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// Names the servers with a copy whose settings nobody can tell.
pub fn unasked(copies: &[Copies], servers: &[Server]) -> Vec<Finding> {
    let known = |name: &str| servers.iter().any(|server| server.name.as_deref() == Some(name));
    let mut missing: Vec<&str> =
        copies.iter().flat_map(Copies::servers).filter(|name| !known(name)).collect();
    missing.sort_unstable();
    missing.dedup();
    let clustered = copies.iter().any(|one| one.clustered);
    let finding = |name: &str| Finding {
        severity: Severity::Notice,
        setting: format!("jetstream.sync_interval of {name}"),
        found: "unknown".into(),
        expected: "always".into(),
        remedy:
            "name the monitoring address of every server in nats.monitor_url, with commas between"
                .into(),
    };
    missing.into_iter().filter(|_| clustered).map(finding).collect()
}

/// What an acknowledged publish can rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Promise {
    /// Whether it is on this many disks before it is acknowledged; `None` if nobody can tell.
    pub holds: Option<bool>,
    /// Disks that have it, synced or not, before it is acknowledged.
    pub disks: usize,
    /// Of these, copies there can be at most.
    pub replicas: usize,
    /// Servers that may be lost now without a stop.
    pub spare: usize,
}

impl Promise {
    /// Judges the log's copies by what their servers say of themselves.
    pub fn of(log: &Copies, servers: &[Server]) -> Self {
        let syncs = |name: &str| {
            let told = servers.iter().find(|server| server.name.as_deref() == Some(name));
            told.map(|server| &server.sync)
        };
        let policies: Vec<_> = log.servers().map(syncs).collect();
        // A server alone need not tell its name.
        let alone = servers.iter().map(|server| Some(&server.sync)).collect();
        let policies = if log.clustered { policies } else { alone };
        let late = policies.iter().any(|policy| matches!(policy, Some(SyncPolicy::Every(_))));
        let always = policies.iter().all(|policy| matches!(policy, Some(SyncPolicy::Always)));
        let holds = match (late, always && !policies.is_empty() && log.leader.is_some()) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        };
        let replicas = log.replicas;
        Self { holds, disks: quorum(replicas), replicas, spare: log.spare() }
    }
}

/// Asks for the copies of all streams that there are. One that does not answer has no leader.
pub async fn copies(nats: &Nats) -> Vec<Copies> {
    let asked = STREAMS.map(async |name| {
        match StreamHandle::new(nats.clone(), name).await.info().await {
            Ok(info) => Some(Copies::of(&info)),
            // It is made when it is needed.
            Err(GetError::Gone) => None,
            Err(GetError::Unavailable(_)) => Some(Copies::silent(name)),
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn follower(server: &str) -> Follower {
        Follower { server: server.into(), current: true, offline: false, behind: 0, silent_ms: 5 }
    }

    fn three() -> Copies {
        Copies {
            stream: "EVENTS".into(),
            replicas: 3,
            clustered: true,
            leader: Some("n1".into()),
            followers: vec![follower("n2"), follower("n3")],
        }
    }

    fn told(copies: &Copies, wanted: usize) -> Vec<(String, String)> {
        let findings = copies.findings(wanted).into_iter();
        findings.map(|finding| (finding.setting, finding.found)).collect()
    }

    fn server(name: &str, sync: SyncPolicy) -> Server {
        Server { url: None, name: Some(name.into()), sync }
    }

    #[test]
    fn three_whole_copies_are_without_a_finding_and_one_is_to_spare() {
        assert_eq!(told(&three(), 3), []);
        assert_eq!((three().reachable(), three().spare(), quorum(3), quorum(5)), (3, 1, 2, 3));
    }

    #[test]
    fn a_copy_that_is_behind_or_away_is_named() {
        let behind = Follower { current: false, behind: 42, ..follower("n2") };
        let away = Follower { offline: true, silent_ms: 9_400, ..follower("n3") };
        let copies = Copies { followers: vec![behind, away], ..three() };
        let wanted = [
            ("EVENTS: the copy on n2".to_owned(), "42 behind".to_owned()),
            ("EVENTS: the copy on n3".to_owned(), "offline for 9 s".to_owned()),
        ];
        assert_eq!(told(&copies, 3), wanted);
        assert_eq!(copies.spare(), 0);
        assert!(copies.findings(3)[1].remedy.contains("one more loss stops"));
    }

    #[test]
    fn a_stream_without_a_leader_or_with_too_few_copies_is_told() {
        let leaderless = Copies { leader: None, ..three() };
        assert_eq!(told(&leaderless, 3), [("EVENTS: leader".into(), "none".into())]);
        let lonely = Copies { replicas: 1, followers: Vec::new(), ..three() };
        assert_eq!(told(&lonely, 1), [("EVENTS: num_replicas".into(), "1".into())]);
        assert_eq!(told(&lonely, 3), [], "the declaration tells of the log");
        let beside = Copies { stream: "RETRY".into(), ..lonely.clone() };
        assert_eq!(told(&beside, 3), [("RETRY: num_replicas".into(), "1".into())]);
        let single = Copies { clustered: false, ..lonely };
        assert_eq!(told(&single, 1), []);
        let silent = Copies::silent("RETRY");
        assert_eq!(told(&silent, 3), [("RETRY: leader".into(), "none".into())]);
        assert_eq!(silent.spare(), 0);
    }

    #[test]
    fn the_promise_holds_only_if_every_server_with_a_copy_syncs() {
        let all = |third: SyncPolicy| {
            let always = || SyncPolicy::Always;
            [server("n1", always()), server("n2", always()), server("n3", third)]
        };
        let judged = |servers: &[Server]| Promise::of(&three(), servers).holds;
        assert_eq!(judged(&all(SyncPolicy::Always)), Some(true));
        assert_eq!(judged(&all(SyncPolicy::Every(Duration::from_mins(2)))), Some(false));
        assert_eq!(judged(&all(SyncPolicy::Unknown(String::new()))), None);
        assert_eq!(judged(&all(SyncPolicy::Always)[..2]), None);
        let missing = unasked(&[three()], &all(SyncPolicy::Always)[..2]);
        assert_eq!(missing[0].setting, "jetstream.sync_interval of n3");
        let promise = Promise::of(&three(), &all(SyncPolicy::Always));
        assert_eq!((promise.disks, promise.replicas, promise.spare), (2, 3, 1));
    }

    #[test]
    fn a_server_alone_is_judged_by_itself_whatever_its_name() {
        let single = Copies { clustered: false, replicas: 1, followers: Vec::new(), ..three() };
        let nameless = |sync| Server { url: None, name: None, sync };
        let judged = |server| Promise::of(&single, &[server]).holds;
        assert_eq!(judged(nameless(SyncPolicy::Always)), Some(true));
        assert_eq!(judged(nameless(SyncPolicy::Unknown(String::new()))), None);
        assert_eq!(unasked(std::slice::from_ref(&single), &[]), []);
    }
}
