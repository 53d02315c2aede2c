//! `weir job`: looks after the jobs that there are.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::arguments::Asked;
use super::point::{Cap, duration, parse_cap};
use super::request::millis;
use super::start::{follow, line, pretty, print};
use super::text::{list_text, show_text, state_line};
use super::watch::path_of;
use crate::cli::admin::AdminClient;
use crate::replay::{Job, JobId};

#[derive(Clone, Debug, Subcommand)]
pub enum JobCommand {
    /// List the jobs, the newest first
    #[command(after_help = "Examples:\n  \
        weir job list\n  \
        weir job list --json | jq -r '.jobs[] | select(.state == \"failed\") | .id'")]
    List {
        #[command(flatten)]
        asked: Asked,
    },
    /// Show one job: what was asked for, how it stands, and its account
    #[command(
        after_help = "Examples:\n  weir job show replay-20260504\n  weir job show 5e1f --json\n\n\
        A part of the name will do that no other job has."
    )]
    Show(Named),
    /// Watch a job to its end
    #[command(after_help = "Examples:\n  weir job watch rebuild-20260504\n  \
        weir job watch 5e1f --json | jq .pace.rate\n\n\
        Ctrl-C leaves the job running. Ends with 0 if the job is done, 1 if it failed, was cancelled, or found \
        differences.")]
    Watch(Named),
    /// Have a job stand still; nothing of it is lost
    #[command(after_help = "Example:\n  weir job pause 5e1f")]
    Pause(Named),
    /// Have a paused job go on where it stands
    #[command(after_help = "Example:\n  weir job resume 5e1f")]
    Resume(Named),
    /// End a job; what it has applied stays
    #[command(after_help = "Example:\n  weir job cancel 5e1f\n\n\
        A generation that it was building stays unfinished: weir retire removes it.")]
    Cancel(Named),
    /// Change how fast a job may go, while it runs
    #[command(after_help = "Examples:\n  \
        weir job limit 5e1f --live-lag 1s\n  \
        weir job limit 5e1f --rate 2000\n  \
        weir job limit 5e1f --rate none")]
    Limit {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        limits: Limits,
    },
}

/// One job.
#[derive(clap::Args, Clone, Debug)]
pub struct Named {
    /// Its name, or a part that no other job's name has
    #[arg(value_name = "JOB", value_parser = parse_name)]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

#[derive(clap::Args, Clone, Debug)]
#[group(required = true, multiple = true)]
pub struct Limits {
    /// Go only as fast as the live flow stays this close behind the log
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    live_lag: Option<Duration>,
    /// Most events a second, or none for no cap
    #[arg(long, value_name = "EVENTS", value_parser = parse_cap)]
    rate: Option<Cap>,
}

/// Names are part of a path.
fn parse_name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.is_empty() || !text.bytes().all(fits) {
        return Err("a job's name has letters, digits and - alone; weir job list tells it".into());
    }
    Ok(text.to_owned())
}

#[derive(Deserialize)]
struct Listed {
    jobs: Vec<Job>,
}

impl Limits {
    /// What is absent stays as it is; a rate of null is no cap.
    fn body(&self) -> Value {
        let mut body = Map::new();
        if let Some(lag) = self.live_lag {
            body.insert("liveLagMs".into(), json!(millis(lag)));
        }
        if let Some(Cap(rate)) = self.rate {
            body.insert("rate".into(), json!(rate));
        }
        Value::Object(body)
    }
}

impl JobCommand {
    /// Does it, and says how it ended.
    pub(in crate::cli) async fn run(&self) -> Result<ExitCode> {
        match self {
            Self::List { asked } => {
                let client = AdminClient::from_environment(&asked.admin_url)?;
                let answer: Value = client.get("/admin/jobs").await?;
                if asked.json {
                    print(&pretty(&answer))?;
                } else {
                    print(&list_text(&serde_json::from_value::<Listed>(answer)?.jobs))?;
                }
            }
            Self::Show(named) => {
                let job = named.job(&named.client()?).await?;
                let whole = || Ok::<_, anyhow::Error>(pretty(&serde_json::to_value(&job)?));
                print(&if named.asked.json { whole()? } else { show_text(&job) })?;
            }
            Self::Watch(named) => {
                let client = named.client()?;
                let job = named.job(&client).await?;
                return follow(&client, &job, &named.asked).await;
            }
            Self::Pause(named) => named.have("pause", &json!({})).await?,
            Self::Resume(named) => named.have("resume", &json!({})).await?,
            Self::Cancel(named) => named.have("cancel", &json!({})).await?,
            Self::Limit { named, limits } => named.have("limit", &limits.body()).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Named {
    fn client(&self) -> Result<AdminClient> {
        Ok(AdminClient::from_environment(&self.asked.admin_url)?)
    }

    fn path(&self) -> String {
        path_of(&JobId(self.id.clone()))
    }

    async fn job(&self, client: &AdminClient) -> Result<Job> {
        Ok(client.get(&self.path()).await?)
    }

    /// Has something done to the job, and prints how it stands then.
    async fn have(&self, what: &str, body: &Value) -> Result<()> {
        let job: Job = self.client()?.post(&format!("{}/{what}", self.path()), body).await?;
        print(&if self.asked.json { line(&job)? } else { state_line(&job) })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        let limits = |live_lag, rate| Limits { live_lag, rate }.body();
        assert_eq!(limits(Some(Duration::from_secs(1)), None), json!({"liveLagMs": 1000}));
        assert_eq!(limits(None, Some(Cap(Some(5000)))), json!({"rate": 5000}));
        assert_eq!(limits(None, Some(Cap(None))), json!({"rate": null}));
    }

    #[test]
    fn a_name_cannot_leave_its_path() {
        assert_eq!(parse_name("replay-20260504-5e1f"), Ok("replay-20260504-5e1f".into()));
        for bad in ["", "a/b", "..", "a b", "a?b"] {
            assert!(parse_name(bad).is_err(), "{bad}");
        }
    }
}
