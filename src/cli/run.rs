//! Runs one command and turns its end into an exit code.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;

use super::arguments::{Arguments, Command, ConfigCommand, Given, SettingsArguments, WalCommand};
use super::{doctor, fleet, job, reconcile, status, wal};
use crate::app::{self, Reconciling, Roles};
use crate::broker::exec_with_parent;
use crate::config::{Effective, Problems, Settings, Sources, load};
use crate::systemd::Sockets;
use crate::telemetry::{LogOptions, init_logs};

const FAILED: u8 = 1;
const MISTAKE: u8 = 2;
/// What is left of blocking work after the drain may take this long.
const RUNTIME_DEADLINE: Duration = Duration::from_secs(5);

/// Reads the process's arguments, runs the command, and prints an error as one chain of causes.
pub fn run() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir: {}", chain(&error));
            let mistake = error.downcast_ref::<Problems>().is_some();
            ExitCode::from(if mistake { MISTAKE } else { FAILED })
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Dev(arguments) => run_roles(&arguments, Roles::DEV),
        Command::Gateway(arguments) => run_roles(&arguments, Roles::GATEWAY),
        Command::Projector(arguments) => run_roles(&arguments, Roles::PROJECTOR),
        Command::Api(arguments) => run_roles(&arguments, Roles::API),
        Command::Status { admin_url, json } => {
            print(&block_on(status::fetch(&admin_url, json))?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor { settings, fleet, json } => {
            let settings = effective(&settings)?.settings;
            let (text, all_well) = if fleet {
                block_on(fleet::examine(&settings, json))?
            } else {
                block_on(doctor::examine(&settings, json))?
            };
            print(&text)?;
            Ok(well(all_well))
        }
        Command::Streams(command) => {
            let settings = effective(command.settings())?.settings;
            print(&block_on(command.run(&settings))?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate(command) => {
            let settings = effective(command.settings())?.settings;
            let (text, all_well) = block_on(command.run(&settings))?;
            print(&text)?;
            Ok(well(all_well))
        }
        Command::Generation(command) => {
            let settings = effective(command.settings())?.settings;
            print(&block_on(command.run(&settings))?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(command) => {
            let settings = effective(command.settings())?.settings;
            print(&block_on(command.run(&settings))?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Explain(command) => {
            let settings = effective(command.settings())?.settings;
            let (text, found) = block_on(command.run(&settings))?;
            print(&text)?;
            Ok(well(found))
        }
        Command::Replay(verb) => block_on(job::start(&verb)),
        Command::Rebuild(verb) => block_on(job::start(&verb)),
        Command::Jump(verb) => block_on(job::start(&verb)),
        Command::Verify(verb) => block_on(job::start(&verb)),
        Command::Promote(verb) => block_on(job::start(&verb)),
        Command::Rollback(verb) => block_on(job::start(&verb)),
        Command::Retire(verb) => block_on(job::start(&verb)),
        Command::Redrive(verb) => block_on(job::start(&verb)),
        Command::Job(command) => block_on(command.run()),
        Command::Rollout(command) => block_on(command.run()),
        Command::Parked(command) => {
            let settings = effective(command.settings())?.settings;
            print(&block_on(command.run(&settings))?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Wal(WalCommand::Status { settings, json }) => {
            wal::status(&effective(&settings)?.settings, json)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Wal(WalCommand::Verify { settings, json }) => {
            Ok(well(wal::verify(&effective(&settings)?.settings, json)?))
        }
        Command::Wal(WalCommand::Export { settings, from }) => {
            wal::export(&effective(&settings)?.settings, from)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Wal(WalCommand::Reconcile { settings, plan, include_erased, json }) => {
            let settings = effective(&settings)?.settings;
            let how = Reconciling { plan, include_erased };
            Ok(well(block_on(reconcile::reconcile(&settings, how, json))?))
        }
        Command::Secrets(command) => {
            let (text, code) = block_on(command.run())?;
            print(&text)?;
            Ok(code)
        }
        Command::Config(ConfigCommand::Show { settings, json }) => {
            let effective = effective(&settings)?;
            if json {
                print(&pretty(&effective.to_json()))?;
            } else {
                print(&effective.to_text())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Config(ConfigCommand::Check { settings, json }) => check(&settings, json),
        Command::ExecWithParent { parent, program } => {
            let (program, arguments) = program.split_first().context("no program is named")?;
            match exec_with_parent(parent, program, arguments)
                .with_context(|| format!("cannot become {}", program.display()))? {}
        }
    }
}

fn run_roles(arguments: &impl Given, roles: Roles) -> Result<ExitCode> {
    let settings = prepare(arguments)?;
    // Before there are threads: it changes the environment.
    let sockets = Sockets::from_env()?;
    block_on(app::run(settings, roles, sockets))?;
    Ok(ExitCode::SUCCESS)
}

/// Checks the settings, and that the files they name can be read.
fn check(arguments: &SettingsArguments, json: bool) -> Result<ExitCode> {
    let unreadable = |effective: Effective| match effective.unreadable() {
        files if files.is_empty() => None,
        files => Some(Problems(files)),
    };
    let problems = effective(arguments).map_or_else(Some, unreadable);
    if !json {
        if let Some(problems) = problems {
            return Err(problems.into());
        }
        print("the configuration is valid\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let list = problems.map(|problems| problems.0).unwrap_or_default();
    print(&pretty(&json!({ "valid": list.is_empty(), "problems": list })))?;
    Ok(if list.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(MISTAKE) })
}

fn effective(arguments: &impl Given) -> Result<Effective, Problems> {
    let environment = env::vars_os()
        .map(|(name, value)| {
            let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
            (text(name), text(value))
        })
        .collect();
    load(&Sources { file: arguments.file(), environment, flags: arguments.flags() })
}

/// Loads the settings and begins to log as they say.
fn prepare(arguments: &impl Given) -> Result<Settings> {
    let settings = effective(arguments)?.settings;
    init_logs(&LogOptions {
        format: settings.log.format.parse()?,
        filter: settings.log.filter.clone(),
    })?;
    Ok(settings)
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("weir")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(RUNTIME_DEADLINE);
    result
}

fn well(all: bool) -> ExitCode {
    if all { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// A reader like `head` that has seen enough is no failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Joins an error and its causes; a cause that the line before already tells is left out.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_chain_without_repetition() {
        let disk = io::Error::other("disk full");
        let error =
            anyhow::Error::new(disk).context("cannot write: disk full").context("cannot start");
        assert_eq!(chain(&error), "cannot start: cannot write: disk full");
    }
}
