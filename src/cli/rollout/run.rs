//! Does what `weir rollout` is asked for.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::admins::Admins;
use super::arguments::{Asked, Far, ProviderName, RolloutCommand};
use super::file::{Chosen, File};
use super::text::{entry_text, plan_json, plan_text, pretty, print, status_json, status_text};
use crate::clock;
use crate::config::{Problem, Problems, read_other};
use crate::event::format_ms;
use crate::limits::ROLLOUT_TICK;
use crate::rollout::aws::{Aws, Cli};
use crate::rollout::local::Local;
use crate::rollout::{
    Begun, Engine, Entry, Journal, JournalError, Provider, Record, State, latest, request_abort,
};

/// Of a new version that was sent back.
const ROLLED_BACK: u8 = 3;
/// Of a process that somebody interrupted, by custom.
const INTERRUPTED: u8 = 130;

impl RolloutCommand {
    /// Does it, and says how it ended.
    pub(in crate::cli) async fn run(&self) -> Result<ExitCode> {
        match self {
            Self::Start { to, far, asked } => start(to, *far, asked).await,
            Self::Resume { far, asked } => resume(*far, asked).await,
            Self::Abort { why, asked } => abort(why, asked).await,
            Self::Status(asked) => status(asked),
            Self::Plan(asked) => plan(asked).await,
        }
    }
}

/// What a command works with.
struct Bench {
    file: File,
    name: ProviderName,
    provider: Box<dyn Provider>,
    admins: Arc<Admins>,
}

impl Bench {
    fn of(asked: &Asked) -> Result<Self> {
        Self::with(asked, asked.provider)
    }

    fn with(asked: &Asked, provider: Option<ProviderName>) -> Result<Self> {
        let file: File = read_other(&asked.config)?;
        let (name, chosen) = mistaken(asked, file.provider(provider))?;
        let admins = Arc::new(Admins::default());
        let provider: Box<dyn Provider> = match chosen {
            Chosen::Local(options) => Box::new(Local::new(options, admins.clone())),
            Chosen::Aws(options) => {
                let cli = Cli::new("aws", &options);
                Box::new(Aws::new(options, cli))
            }
        };
        Ok(Self { file, name, provider, admins })
    }

    /// The one that the latest rollout began with.
    fn of_latest(asked: &Asked) -> Result<(Self, Record)> {
        let file: File = read_other(&asked.config)?;
        let record = current(&file.dir)?;
        let name = match &*record.begun.provider {
            "aws" => ProviderName::Aws,
            _ => ProviderName::Local,
        };
        Ok((Self::with(asked, Some(name))?, record))
    }
}

/// A value of the file that cannot be is a mistake like any other of a configuration.
fn mistaken<T>(asked: &Asked, read: Result<T>) -> Result<T> {
    read.map_err(|error| {
        let source = asked.config.display().to_string();
        let (wrong, advice) = ("is not valid".to_owned(), error.to_string());
        Problems(vec![Problem { key: None, source, wrong, advice }]).into()
    })
}

fn current(dir: &Path) -> Result<Record> {
    let found = latest(dir)?;
    Ok(found.ok_or_else(|| JournalError::None(dir.to_owned()))?.2)
}

async fn start(to: &str, far: Far, asked: &Asked) -> Result<ExitCode> {
    let bench = Bench::of(asked)?;
    let plan = mistaken(asked, bench.file.plan())?;
    let judgement = mistaken(asked, bench.file.judgement())?;
    let to = match bench.name {
        ProviderName::Local => {
            let path = std::fs::canonicalize(to).with_context(|| format!("cannot find {to}"))?;
            path.to_str().context("the path of the new version is no text")?.to_owned()
        }
        ProviderName::Aws => to.to_owned(),
    };
    let sides = bench.provider.sides().await?;
    let plan = if sides.live.is_some() { plan } else { plan.alone() };
    if let (Some(until), Some(first)) = (far.until, plan.percents.first())
        && *first > until
    {
        bail!(
            "the first step gives the new version {first} % of the traffic, more than --until {until}"
        );
    }
    let now_ms = clock::now_ms();
    let when: String = format_ms(now_ms).chars().filter(char::is_ascii_alphanumeric).collect();
    let begun = Begun {
        id: format!("rollout-{}", when.trim_end_matches('Z')),
        provider: bench.name.name().to_owned(),
        to,
        sides,
        plan,
        judgement,
        jobs_url: bench.file.jobs_url.clone(),
    };
    let (journal, record) = Journal::begin(&bench.file.dir, begun, now_ms)?;
    go_on(&bench, (journal, record), far, asked).await
}

async fn resume(far: Far, asked: &Asked) -> Result<ExitCode> {
    let (bench, record) = Bench::of_latest(asked)?;
    if record.state.is_over() {
        bail!("{} is over: it was {}", record.begun.id, record.state);
    }
    let begun = Journal::resume(&bench.file.dir)?;
    go_on(&bench, begun, far, asked).await
}

/// Runs a rollout to its end, as far as it shall go, or until Ctrl-C.
async fn go_on(
    bench: &Bench,
    begun: (Journal, Record),
    far: Far,
    asked: &Asked,
) -> Result<ExitCode> {
    let state = tokio::select! {
        state = run(bench, begun, far.until, asked) => state?,
        _ = tokio::signal::ctrl_c() => {
            let told = "the rollout stands where it is: weir rollout resume goes on, weir rollout abort ends it";
            eprintln!("\n{told}");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    Ok(match state {
        State::Promoted | State::Step { .. } => ExitCode::SUCCESS,
        _ => ExitCode::from(ROLLED_BACK),
    })
}

async fn run(
    bench: &Bench,
    begun: (Journal, Record),
    until: Option<u8>,
    asked: &Asked,
) -> Result<State> {
    let json = asked.json;
    let tell = move |entry: &Entry, record: &Record| {
        // Whoever reads may be gone; the journal has it all the same.
        drop(print(&entry_text(entry, record, json)));
    };
    let engine = Engine::new(&*bench.provider, &*bench.admins, begun, tell);
    Ok(engine.until(until).run().await?)
}

async fn abort(why: &str, asked: &Asked) -> Result<ExitCode> {
    let (bench, record) = Bench::of_latest(asked)?;
    let (id, state) = (&record.begun.id, &record.state);
    if state.is_over() {
        bail!("{id} is over: it was {state}");
    }
    if *state == State::Promoting {
        bail!(
            "{id} has passed all of its steps: let weir rollout resume end it, then bring the old version out again"
        );
    }
    request_abort(&bench.file.dir, why)?;
    let state = loop {
        match Journal::resume(&bench.file.dir) {
            Ok(begun) => break run(&bench, begun, None, asked).await?,
            // Whoever runs it sees the wish within a moment, and gives the journal back at its end.
            Err(JournalError::Taken(_)) => tokio::time::sleep(ROLLOUT_TICK).await,
            Err(error) => return Err(error.into()),
        }
    };
    Ok(if matches!(state, State::RolledBack { .. }) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn status(asked: &Asked) -> Result<ExitCode> {
    let file: File = read_other(&asked.config)?;
    let record = current(&file.dir)?;
    let text = if asked.json { pretty(&status_json(&record)) } else { status_text(&record) };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn plan(asked: &Asked) -> Result<ExitCode> {
    let bench = Bench::of(asked)?;
    let plan = mistaken(asked, bench.file.plan())?;
    let judgement = mistaken(asked, bench.file.judgement())?;
    let sides = bench.provider.sides().await?;
    let plan = if sides.live.is_some() { plan } else { plan.alone() };
    let text = if asked.json {
        pretty(&plan_json(&plan, &judgement, &sides))
    } else {
        plan_text(&plan, &judgement, &sides)
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
