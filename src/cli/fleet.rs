//! `weir doctor --fleet`: everybody who works on one log, and what is wrong with the whole.

use anyhow::Result;

use super::doctor::{findings_text, nats_of};
use super::job::span;
use super::table::table;
use crate::app::{self, Census, Member};
use crate::clock;
use crate::config::Settings;
use crate::stream::Severity;

/// Asks, and returns what to print and whether all is well.
pub(super) async fn examine(settings: &Settings, json: bool) -> Result<(String, bool)> {
    let (url, _) = nats_of(settings).await?;
    let census = app::census(settings, &url).await?;
    let well = census.findings.iter().all(|finding| finding.severity != Severity::Broken);
    let text = if json {
        format!("{:#}\n", serde_json::to_value(&census)?)
    } else {
        text(&census, clock::now_ms())
    };
    Ok((text, well))
}

fn text(census: &Census, now_ms: i64) -> String {
    let head = ["ROLES", "HOST", "PID", "ADMIN", "VERSION", "UP", "READY", "UNPUBLISHED"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(census.members.iter().map(|member| row(member, now_ms)));
    let mut text = table(&rows, &(7..8));
    for key in &census.unreadable {
        text.push_str(&format!("{key}: it tells of itself in a way that this weir cannot read\n"));
    }
    text + &findings_text(&census.findings)
}

fn row(member: &Member, now_ms: i64) -> [String; 8] {
    let roles: Vec<&str> = member.roles.iter().map(|standing| standing.role.as_str()).collect();
    let ready = member.roles.iter().all(|standing| standing.ready);
    let degraded = member.roles.iter().any(|standing| !standing.degraded.is_empty());
    let up_seconds = (now_ms - member.started_ms).max(0) as f64 / 1000.0;
    [
        roles.join(","),
        member.host.clone(),
        member.pid.to_string(),
        member.admin.clone(),
        member.version.clone(),
        span(up_seconds),
        match (ready, degraded) {
            (true, false) => "yes",
            (true, true) => "degraded",
            (false, _) => "NO",
        }
        .to_owned(),
        member.unpublished.map_or_else(|| "-".to_owned(), |count| count.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Standing;

    #[test]
    fn everybody_has_a_line() {
        let member = |role: &str, ready, degraded: &[&str]| Member {
            host: "node-1".into(),
            pid: 812,
            version: "1.0.0".into(),
            fingerprint: "f00d".into(),
            admin: "127.0.0.1:8081".into(),
            started_ms: 1_000,
            now_ms: 90_000,
            roles: vec![Standing {
                role: role.into(),
                ready,
                degraded: degraded.iter().map(|why| (*why).to_owned()).collect(),
            }],
            unpublished: (role == "gateway").then_some(12),
            lost: None,
        };
        let census = Census {
            members: vec![
                member("gateway", true, &[]),
                member("projector", false, &["the log does not answer"]),
                member("api", true, &["the graph in memory is behind the log"]),
            ],
            unreadable: vec!["member.other".into()],
            findings: Vec::new(),
        };
        insta::assert_snapshot!(text(&census, 91_000));
    }
}
