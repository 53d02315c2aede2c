//! The generations as an operator sees and changes them.

use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::beside::Beside;
use super::databases::Databases;
use super::options;
use super::rules::Rules;
use crate::config::Settings;
use crate::generation::{Active, GenerationId, Generations, Record};
use crate::limits::PROMOTE_LAG_EVENTS;
use crate::stream::{EventLog, Nats, WorkOptions};

/// How long a server that does not answer is waited for.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// The generations at one server.
pub struct Registry {
    settings: Settings,
    rules: Rules,
    log: EventLog,
    beside: Beside,
    generations: Generations,
}

/// One generation, and how far it is.
#[derive(Debug, Clone)]
pub struct Listed {
    pub record: Record,
    pub active: bool,
    pub database: Option<String>,
    /// Events of the log that are not applied yet; absent while nothing follows the log for it.
    pub lag: Option<u64>,
    pub retrying: Option<u64>,
    pub parked: Option<u64>,
}

impl Registry {
    /// Connects to the server at `url` with the login that is set.
    pub async fn open(settings: &Settings, url: &str) -> anyhow::Result<Self> {
        let nats = Nats::connect(options::nats(settings, url, "generation")).await?;
        tokio::time::timeout(CONNECT_DEADLINE, nats.connected()).await.with_context(|| {
            format!("no NATS server at {url} lets us in: is it running, and is the login right?")
        })?;
        nats.check_server()?;
        let beside = Beside::over(settings, nats.clone()).await;
        Ok(Self {
            settings: settings.clone(),
            rules: Rules::new(settings)?,
            log: EventLog::new(nats, options::log(settings, None)).await,
            generations: Generations::new(beside.kv.clone(), None),
            beside,
        })
    }

    /// Returns all generations, in the order of their numbers.
    pub async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let view = self.generations.read().await?;
        let mut listed = Vec::new();
        for record in view.generations.values() {
            listed.push(self.listed(record, view.active.as_ref()).await);
        }
        Ok(listed)
    }

    async fn listed(&self, record: &Record, active: Option<&Active>) -> Listed {
        let number = record.id.number();
        let database = self.settings.arango.url.is_some();
        Listed {
            record: record.clone(),
            active: active.is_some_and(|active| active.id == record.id),
            database: database.then(|| options::database(&self.settings, number)),
            lag: self.lag(record.id).await,
            retrying: self.beside.retry.count(number).await.ok(),
            parked: self.beside.parked.count(number).await.ok(),
        }
    }

    async fn lag(&self, id: GenerationId) -> Option<u64> {
        let consumer = WorkOptions::events(format!("projector-{id}"));
        let state = self.log.work(consumer).state().await.ok()?;
        Some(state.pending + state.ack_pending)
    }

    /// Makes a generation: first its database, then the record that has projectors follow the log into it.
    pub async fn create(&self, id: GenerationId) -> anyhow::Result<Listed> {
        self.generations.read().await?.may_create(id)?;
        let Some(databases) = Databases::of(&self.settings)? else {
            bail!(
                "a generation needs a database of its own: set arango.url (a graph in memory is made anew \
                 by every start with another projection)"
            )
        };
        databases
            .migrate(id, &self.rules)
            .await
            .context("the database of the generation cannot be made")?;
        self.generations.create(&self.rules.record(id)).await?;
        self.one(id).await
    }

    /// Has a generation answer. Refused while it is behind the log or has much to try again, unless forced.
    pub async fn promote(&self, id: GenerationId, force: bool) -> anyhow::Result<Listed> {
        // Asked first: no such generation, or active already.
        self.generations.read().await?.promoted(id, 0)?;
        if !force {
            let retrying = self.beside.retry.count(id.number()).await.unwrap_or(0);
            match self.lag(id).await {
                Some(lag) => ensure!(
                    lag + retrying <= PROMOTE_LAG_EVENTS,
                    "{id} is {lag} events behind the log, and {retrying} wait to be tried again: wait until \
                     it has caught up, or use --force"
                ),
                None => bail!(
                    "nothing follows the log into {id} yet: start weir projector, or use --force"
                ),
            }
        }
        self.generations.promote(id).await?;
        self.one(id).await
    }

    async fn one(&self, id: GenerationId) -> anyhow::Result<Listed> {
        let view = self.generations.read().await?;
        let record = view.generations.get(&id).context("the generation is gone again")?;
        Ok(self.listed(record, view.active.as_ref()).await)
    }
}
