//! What is wrong with the whole, given what each tells. Pure.

use std::collections::BTreeMap;

use super::member::Member;
use crate::app::roles::Role;
use crate::limits::FLEET_CLOCK_SKEW_MS;
use crate::stream::{Finding, Severity};

/// What the processes are compared with.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// Whether the graph lives in a database, which projectors write.
    pub database: bool,
    /// Of the projection of the generation that answers, if there is one.
    pub fingerprint: Option<String>,
}

/// Returns what somebody should look at; `members` have the time of the server's clock at which each was heard.
pub(super) fn judge(members: &[(Member, i64)], expected: &Expected) -> Vec<Finding> {
    let mut findings = Vec::new();
    missing(members, expected, &mut findings);
    let all = members.iter().map(|(member, _)| member);
    findings.extend(differing(
        "versions",
        all.clone().map(|member| (member.version.as_str(), member)),
        "one",
        "finish or take back the rollout; versions that apply the same projection may run side by side",
    ));
    for (member, stored_ms) in members {
        of_one(member, *stored_ms, expected, &mut findings);
    }
    findings
}

fn missing(members: &[(Member, i64)], expected: &Expected, findings: &mut Vec<Finding>) {
    let needed = [
        (Role::Gateway, "no POST is taken; producers on NATS go on"),
        (Role::Projector, "no event reaches the database: they wait in the log"),
        (Role::Api, "nobody answers reads"),
    ];
    for (role, meaning) in needed {
        let wanted = role != Role::Projector || expected.database;
        if wanted && !members.iter().any(|(member, _)| member.has(role)) {
            findings.push(Finding {
                severity: Severity::Broken,
                setting: format!("{}s", role.name()),
                found: "none that NATS reaches".to_owned(),
                expected: "at least one".to_owned(),
                remedy: format!(
                    "{meaning}; start `weir {}`, or look at its link to NATS",
                    role.name()
                ),
            });
        }
    }
}

fn differing<'a>(
    what: &str,
    each: impl Iterator<Item = (&'a str, &'a Member)>,
    expected: &str,
    remedy: &str,
) -> Option<Finding> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    each.for_each(|(value, _)| *counts.entry(value).or_default() += 1);
    (counts.len() > 1).then(|| {
        let found = counts.iter().map(|(value, count)| format!("{value} ({count} of them)"));
        warning(what.to_owned(), found.collect::<Vec<_>>().join(", "), expected, remedy)
    })
}

fn of_one(member: &Member, stored_ms: i64, expected: &Expected, findings: &mut Vec<Finding>) {
    let name = format!("{} at {}", member.host, member.admin);
    for standing in &member.roles {
        let why = standing.degraded.join("; ");
        if !standing.ready || !why.is_empty() {
            let state = if standing.ready { "ready, degraded" } else { "not ready" };
            let found = if why.is_empty() { state.to_owned() } else { format!("{state}: {why}") };
            let remedy = "ask it: weir status --admin-url, or its log";
            findings.push(warning(format!("{} {name}", standing.role), found, "ready", remedy));
        }
    }
    let skew = member.now_ms - stored_ms;
    if skew.abs() > FLEET_CLOCK_SKEW_MS {
        let found = format!(
            "{:.1} s {}",
            skew.abs() as f64 / 1000.0,
            if skew > 0 { "ahead" } else { "behind" }
        );
        let remedy = "have its clock follow others (chrony, systemd-timesyncd): receive times and ids come from it";
        findings.push(warning(format!("the clock of {name}"), found, "the NATS server's", remedy));
    }
    let projects = member.has(Role::Projector) || member.has(Role::Api);
    if let Some(active) =
        expected.fingerprint.as_ref().filter(|it| projects && **it != member.fingerprint)
    {
        let remedy = "give it the event types of the others, or take its own to a new generation: weir rebuild --promote";
        let found = format!("configured for projection {}", member.fingerprint);
        findings.push(warning(name.clone(), found, active, remedy));
    }
    if let Some(lost) = member.lost.filter(|lost| *lost > 0) {
        findings.push(Finding {
            severity: Severity::Broken,
            setting: format!("the write-ahead log of {name}"),
            found: format!("{lost} events lost that were answered"),
            expected: "0".to_owned(),
            remedy: "see weir wal status there for where they were".to_owned(),
        });
    }
}

fn warning(setting: String, found: String, expected: &str, remedy: &str) -> Finding {
    let (expected, remedy) = (expected.to_owned(), remedy.to_owned());
    Finding { severity: Severity::Warning, setting, found, expected, remedy }
}

#[cfg(test)]
mod tests {
    use super::super::member::Standing;
    use super::*;

    fn member(role: &str) -> Member {
        Member {
            host: "a".into(),
            pid: 7,
            version: "1.0.0".into(),
            fingerprint: "f00d".into(),
            admin: "10.0.0.1:8081".into(),
            started_ms: 0,
            now_ms: 100_000,
            roles: vec![Standing { role: role.into(), ready: true, degraded: Vec::new() }],
            unpublished: None,
            lost: None,
        }
    }

    fn settings(members: &[Member], expected: &Expected) -> Vec<String> {
        let heard: Vec<_> = members.iter().map(|member| (member.clone(), 100_000)).collect();
        judge(&heard, expected).into_iter().map(|finding| finding.setting).collect()
    }

    #[test]
    fn a_whole_fleet_has_nothing_to_look_at_and_an_empty_one_lacks_everything() {
        let all = ["gateway", "projector", "api"].map(member);
        let database = Expected { database: true, fingerprint: Some("f00d".into()) };
        assert_eq!(settings(&all, &database), [""; 0]);
        assert_eq!(settings(&[], &database), ["gateways", "projectors", "apis"]);
        assert_eq!(settings(&[], &Expected::default()), ["gateways", "apis"]);
    }

    #[test]
    fn what_one_has_amiss_is_told_with_its_name() {
        let mut all = ["gateway", "projector", "api"].map(member);
        all[0].version = "1.0.1".into();
        all[0].lost = Some(3);
        all[0].fingerprint = "other: a gateway projects nothing".into();
        all[1].fingerprint = "beef".into();
        all[1].now_ms += 61_000;
        all[2].roles[0].ready = false;
        let expected = Expected { database: true, fingerprint: Some("f00d".into()) };
        let heard: Vec<_> = all.iter().map(|member| (member.clone(), 100_000)).collect();
        let told = judge(&heard, &expected).into_iter().map(|finding| {
            let Finding { setting, found, expected, .. } = finding;
            format!("{setting} | {found} | {expected}")
        });
        insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
    }
}
