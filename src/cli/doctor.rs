//! `weir doctor`: what of a server and its stream does not keep the promises.

use anyhow::Result;

use super::doctor_copies::copies_text;
use super::status;
use crate::app::{self, Report};
use crate::config::Settings;
use crate::stream::{Finding, Severity};

/// Looks, and returns what to print and whether all is well.
pub(super) async fn examine(settings: &Settings, json: bool) -> Result<(String, bool)> {
    let (url, monitor_url) = nats_of(settings).await?;
    let report = app::doctor(settings, &url, monitor_url).await?;
    let well = report.findings.iter().all(|finding| finding.severity != Severity::Broken);
    Ok((if json { format!("{:#}\n", serde_json::to_value(&report)?) } else { text(&report) }, well))
}

/// The server that is configured, with where it tells of itself; else the one that the running weir has.
pub(super) async fn nats_of(settings: &Settings) -> Result<(String, Option<String>)> {
    match &settings.nats.url {
        Some(url) => Ok((url.clone(), settings.nats.monitor_url.clone())),
        None => status::nats_of(&format!("http://{}", settings.admin.listen)).await,
    }
}

/// Renders findings, each with what to do; says so if there is none.
pub(super) fn findings_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        text.push_str(&format!(
            "\n{}: {} is {}, it should be {}\n  {}\n",
            if finding.severity == Severity::Broken { "BROKEN PROMISE" } else { "note" },
            finding.setting,
            finding.found,
            finding.expected,
            finding.remedy
        ));
    }
    if findings.is_empty() {
        text.push_str("\nall is as the promises need it\n");
    }
    text
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "nats-server {} at {}\nsyncs       {}\n",
        report.server_version, report.url, report.sync
    );
    text.push_str(&copies_text(&report.copies, report.promise.as_ref()));
    if let Some(version) = &report.arango_version {
        text.push_str(&format!("ArangoDB    {version}\n"));
    }
    text + &findings_text(&report.findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_says_what_to_do() {
        let finding = Finding {
            severity: Severity::Broken,
            setting: "sync_interval".to_owned(),
            found: "2m0s".to_owned(),
            expected: "always".to_owned(),
            remedy: "set it in the jetstream block of the server's configuration".to_owned(),
        };
        let report = Report {
            url: "nats://127.0.0.1:4222".to_owned(),
            server_version: "2.15.1".to_owned(),
            sync: "every 2m0s".to_owned(),
            copies: Vec::new(),
            promise: None,
            arango_version: Some("3.12.7-2".to_owned()),
            findings: vec![finding],
        };
        let well =
            Report { sync: "always".to_owned(), findings: Vec::new(), ..report_copy(&report) };
        insta::assert_snapshot!(format!("{}----\n{}", text(&report), text(&well)));
    }

    fn report_copy(report: &Report) -> Report {
        Report {
            url: report.url.clone(),
            server_version: report.server_version.clone(),
            sync: report.sync.clone(),
            copies: Vec::new(),
            promise: None,
            arango_version: None,
            findings: Vec::new(),
        }
    }
}
