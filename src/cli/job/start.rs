//! Begins a job, and watches it to its end unless told otherwise.

use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;

use super::arguments::Asked;
use super::plan::{Plan, plan_text};
use super::request::{Consent, Verbed, asker};
use super::screen::screen;
use super::text::{left_running_text, show_text, state_line};
use super::watch::{Patience, Standing, standing, watch};
use crate::cli::admin::AdminClient;
use crate::replay::{Job, Request};

const JOBS: &str = "/admin/jobs";
/// Of a process that somebody interrupted, by custom.
const INTERRUPTED: u8 = 130;

/// Does what a verb asks for; says how it ended.
pub(in crate::cli) async fn start(verb: &impl Verbed) -> Result<ExitCode> {
    let begin = verb.begin();
    let asked = &begin.asked;
    let client = AdminClient::from_environment(&asked.admin_url)?;
    let request = Request { by: Some(asker()), ..verb.request()? };
    if begin.plan {
        let plan: Value = client.post(JOBS, &request).await?;
        print(&if asked.json { pretty(&plan) } else { plan_text(&read_plan(plan)?) })?;
        return Ok(ExitCode::SUCCESS);
    }
    if verb.consent() == Consent::Asked
        && let Some(code) = refused(&client, &request).await?
    {
        return Ok(code);
    }
    let job: Job = client.post(JOBS, &request).await?;
    if begin.detach {
        print(&if asked.json { line(&job)? } else { state_line(&job) + &left_running_text(&job) })?;
        return Ok(ExitCode::SUCCESS);
    }
    follow(&client, &job, asked).await
}

/// Watches a job to its end, or until Ctrl-C, and prints what it came to.
pub(super) async fn follow(client: &AdminClient, job: &Job, asked: &Asked) -> Result<ExitCode> {
    let mut shown = screen(asked.json);
    let watched = tokio::select! {
        ended = watch(client, &job.id, shown.as_mut(), Patience::default()) => Some(ended?),
        _ = tokio::signal::ctrl_c() => None,
    };
    drop(shown);
    let Some(job) = watched else {
        eprint!("\n{}", left_running_text(job));
        return Ok(ExitCode::from(INTERRUPTED));
    };
    // Where machines read the lines, the account for people stands beside them.
    match (asked.json, stdout().is_terminal()) {
        (true, _) => {}
        (false, true) => print(&show_text(&job))?,
        (false, false) => eprint!("{}", show_text(&job)),
    }
    let well = standing(&job) == Standing::Well;
    if standing(&job) == Standing::WaitsForPromotion {
        eprintln!("{} is not promoted yet: weir job watch {} waits on", job.generation, job.id);
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells the plan and asks whether to go on; returns how to end if not.
async fn refused(client: &AdminClient, request: &Request) -> Result<Option<ExitCode>> {
    let plan: Value = client.post(JOBS, &Request { plan: true, ..request.clone() }).await?;
    let plan = read_plan(plan)?;
    eprint!("{}", plan_text(&plan));
    if plan.is_empty() && request.verb == crate::replay::Verb::Redrive {
        eprintln!("nothing is parked that fits");
        return Ok(Some(ExitCode::SUCCESS));
    }
    if !stdin().is_terminal() {
        eprintln!("nothing was done: add --yes to {}", plan.question());
        return Ok(Some(ExitCode::FAILURE));
    }
    eprint!("{}? [y/N] ", plan.question());
    stderr().flush().context("cannot ask")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).context("cannot read the answer")?;
    let yes = matches!(answer.trim(), "y" | "yes");
    Ok((!yes).then_some(ExitCode::FAILURE))
}

fn read_plan(plan: Value) -> Result<Plan> {
    serde_json::from_value(plan)
        .context("the plan cannot be read: is this weir as new as that one?")
}

pub(super) fn line(job: &Job) -> Result<String> {
    Ok(serde_json::to_string(job)? + "\n")
}

pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

pub(super) fn print(text: &str) -> std::io::Result<()> {
    let mut output = stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
