//! `weir secrets`: what would be fetched, fetching it once, and keeping it true.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::table::table;
use crate::app::{self, Folder};
use crate::config::{Problem, Problems, parse_duration};
use crate::limits::SECRETS_PLAN_BYTES;
use crate::secrets::{EXAMPLE, Plan, Surroundings, VaultAuth, read_plan};
use crate::telemetry::{LogFormat, LogOptions, init_logs};

/// What `weir secrets` does.
#[derive(Clone, Debug, Subcommand)]
pub enum SecretsCommand {
    /// Fetch all secrets of a plan once, and write them into a folder in memory
    #[command(
        long_about = "Fetch all secrets of a plan once, and write them into a folder in memory.\n\n\
            It waits until all are there, tries again what fails, and then writes them as one set: a file each, of \
            mode 0440 and with the folder's group, that no reader ever meets half written. A failure is told once.",
        after_help = "Examples:\n  \
            weir secrets fetch\n  \
            weir secrets fetch --config secrets.toml --to /run/weir/secrets --deadline 2min\n  \
            weir secrets fetch --config secrets.toml --to ./secrets --allow-disk\n\n\
            Ends with 1 if the deadline has passed, 2 if the plan is wrong; what was written before stays."
    )]
    Fetch {
        #[command(flatten)]
        plan: PlanArguments,
        #[command(flatten)]
        into: IntoArguments,
        /// Give up after this time, as 2min [default: never]
        #[arg(long, value_name = "TIME", value_parser = duration)]
        deadline: Option<Duration>,
    },
    /// Keep the files true: renew what ends, and rewrite what has changed
    #[command(
        long_about = "Keep the files true: renew what ends, and rewrite what has changed.\n\n\
            Each secret is looked at as often as the plan says, and before it ends. When one has changed, the set is \
            replaced at once. A secret that is wrong, gone or out of reach is told once and tried again; its last \
            good value stays. It ends with a signal alone.",
        after_help = "Examples:\n  \
            weir secrets follow --config /etc/weir/secrets.toml --to /run/weir/secrets\n  \
            kill -HUP PID          # look at all of them now"
    )]
    Follow {
        #[command(flatten)]
        plan: PlanArguments,
        #[command(flatten)]
        into: IntoArguments,
    },
    /// Tell what would be fetched from where, and never a value; ends with 2 if the plan is wrong
    #[command(after_help = "Examples:\n  \
        weir secrets check --config secrets.toml\n  \
        weir secrets check --json | jq -r '.secrets[].name'")]
    Check {
        #[command(flatten)]
        plan: PlanArguments,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a plan to begin with
    #[command(after_help = "Example:\n  weir secrets example > secrets.toml")]
    Example,
}

/// The file of a plan.
#[derive(Args, Clone, Debug)]
pub struct PlanArguments {
    /// Which secrets come from where; it holds none
    #[arg(long, value_name = "FILE", default_value = "/etc/weir/secrets.toml")]
    config: PathBuf,
}

/// Where they go, and how that is logged.
#[derive(Args, Clone, Debug)]
pub struct IntoArguments {
    /// The folder for the files, on a tmpfs
    #[arg(long, value_name = "DIR", default_value = "/run/weir/secrets")]
    to: PathBuf,
    /// Take a folder that is on a disk
    #[arg(long)]
    allow_disk: bool,
    /// text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write it with its unit, as 2min or 30s".to_owned())
}

impl SecretsCommand {
    /// Runs the command; what is printed comes back.
    pub async fn run(self) -> Result<(String, ExitCode)> {
        let around = Surroundings::new(environment());
        match self {
            Self::Fetch { plan, into, deadline } => {
                let plan = plan.read(&around)?;
                app::fetch_secrets(&plan, &around, &into.begin()?, deadline).await?;
            }
            Self::Follow { plan, into } => {
                let plan = plan.read(&around)?;
                app::follow_secrets(&plan, &around, &into.begin()?).await?;
            }
            Self::Check { plan, json } => return check(&plan, &around, json),
            Self::Example => return Ok((EXAMPLE.to_owned(), ExitCode::SUCCESS)),
        }
        Ok((String::new(), ExitCode::SUCCESS))
    }
}

impl PlanArguments {
    fn read(&self, around: &Surroundings) -> Result<Plan, Problems> {
        let file = self.config.display().to_string();
        let text = read_file(&self.config).map_err(|wrong| {
            let advice = "check the path; weir secrets example prints a plan to begin with".into();
            Problems(vec![Problem { key: None, source: file.clone(), wrong, advice }])
        })?;
        read_plan(&text, &file, around.credentials().as_deref())
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > SECRETS_PLAN_BYTES as u64 {
        return Err(format!("has more than {SECRETS_PLAN_BYTES} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

impl IntoArguments {
    /// Begins to log.
    fn begin(self) -> Result<Folder> {
        init_logs(&LogOptions { format: self.log_format, filter: "info".to_owned() })?;
        Ok(Folder { path: self.to, allow_disk: self.allow_disk })
    }
}

fn environment() -> Vec<(String, String)> {
    let text = |part: std::ffi::OsString| part.into_string().ok();
    std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}

fn check(
    arguments: &PlanArguments,
    around: &Surroundings,
    as_json: bool,
) -> Result<(String, ExitCode)> {
    let plan = match arguments.read(around) {
        Ok(plan) => plan,
        Err(problems) if as_json => {
            let text =
                format!("{:#}\n", json!({ "valid": false, "problems": problems.0, "secrets": [] }));
            return Ok((text, ExitCode::from(2)));
        }
        Err(problems) => return Err(problems.into()),
    };
    Ok((if as_json { shown_json(&plan) } else { shown(&plan) }, ExitCode::SUCCESS))
}

fn shown(plan: &Plan) -> String {
    let head = ["NAME", "FROM", "WHERE"].map(str::to_owned);
    let rows = plan.secrets.iter().map(|wanted| {
        let place = &wanted.place;
        [wanted.name.clone(), place.provider().to_owned(), place.to_string()]
    });
    let rows: Vec<[String; 3]> = std::iter::once(head).chain(rows).collect();
    let login = login(plan).map_or_else(String::new, |login| format!("\nVault: {login}\n"));
    format!("{}{login}", table(&rows, &(0..0)))
}

fn shown_json(plan: &Plan) -> String {
    let secrets: Vec<_> = plan
        .secrets
        .iter()
        .map(|wanted| {
            let place = &wanted.place;
            json!({ "name": wanted.name, "from": place.provider(), "where": place.to_string() })
        })
        .collect();
    let every = plan.every.as_secs();
    let all = json!({ "valid": true, "problems": [], "everySeconds": every, "vault": login(plan), "secrets": secrets });
    format!("{all:#}\n")
}

/// How a plan logs in at its Vault.
fn login(plan: &Plan) -> Option<String> {
    let vault = plan.vault.as_ref()?;
    let how = match &vault.auth {
        VaultAuth::AppRole { mount, role_id, .. } => format!("AppRole {role_id} at auth/{mount}"),
        VaultAuth::Aws { mount, role, .. } => format!("AWS role {role} at auth/{mount}"),
    };
    let space =
        vault.namespace.as_ref().map_or_else(String::new, |name| format!(", namespace {name}"));
    Some(format!("{}, {how}{space}", vault.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_fetched_is_a_table_and_json() {
        let plan = read_plan(EXAMPLE, "secrets.toml", None).expect("the example is right");
        insta::assert_snapshot!(format!("{}----\n{}", shown(&plan), shown_json(&plan)));
    }
}
