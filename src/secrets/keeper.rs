//! Keeps the files of a plan's secrets true to where they come from.
//!
//! Each secret has a clock of its own. A failure touches no file: the last good values stay, it is told once, and
//! tried again for as long as anybody waits.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::contract::{Fault, Fetched, Source};
use super::plan::Plan;
use super::sources::{Surroundings, sources};
use super::target::{Target, TargetError};
use super::told::{Failing, Told};
use super::wait::{after_fault, after_good};
use crate::limits::SECRETS_RETRY;
use crate::secret::Secret;

/// What was not there in time, each with the reason of its last attempt.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error("not all secrets are there{}", list(.0))]
    Late(Vec<(String, String)>),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("stopped before all secrets were there")]
    Stopped,
}

fn list(all: &[(String, String)]) -> String {
    all.iter().map(|(name, why)| format!("\n  {name}: {why}")).collect()
}

/// A plan at work.
pub struct Keeper {
    every: Duration,
    target: Target,
    entries: Vec<Entry>,
    told: Told,
    /// Values were fetched that are not written yet.
    unwritten: bool,
}

struct Entry {
    name: String,
    source: Box<dyn Source>,
    due: Instant,
    held: Option<Secret>,
    failures: u32,
    fault: Option<Fault>,
}

impl Keeper {
    pub fn new(plan: &Plan, around: &Surroundings, target: Target) -> Self {
        let now = Instant::now();
        let entry =
            |(name, source)| Entry { name, source, due: now, held: None, failures: 0, fault: None };
        let names = plan.secrets.iter().map(|wanted| wanted.name.clone());
        let entries = names.zip(sources(plan, around)).map(entry).collect();
        Self { every: plan.every, target, entries, told: Told::default(), unwritten: false }
    }

    /// Fetches all secrets and writes them as one set, trying again until the deadline or a stop.
    pub async fn fetch(
        &mut self,
        deadline: Option<Duration>,
        stop: &CancellationToken,
    ) -> Result<usize, Missing> {
        let end = deadline.map(|deadline| Instant::now() + deadline);
        loop {
            let round = stop.run_until_cancelled(self.round());
            match within(end, round).await {
                None => return Err(Missing::Late(self.missing())),
                Some(None) => return Err(Missing::Stopped),
                Some(Some(())) => {}
            }
            if self.entries.iter().all(|entry| entry.held.is_some()) {
                self.target.write(&self.values())?;
                return Ok(self.entries.len());
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Err(Missing::Late(self.missing()));
            }
            let next = self.next();
            let next = end.map_or(next, |end| end.min(next));
            if stop.run_until_cancelled(sleep_until(next)).await.is_none() {
                return Err(Missing::Stopped);
            }
        }
    }

    /// Looks at each secret when it is due and rewrites the set when one has changed, until a stop. `hurry` has
    /// all be looked at now. It begins with what the files hold, and fails at nothing.
    pub async fn follow(&mut self, stop: &CancellationToken, mut hurry: impl AsyncFnMut()) {
        let mut kept = self.target.read();
        for entry in &mut self.entries {
            entry.held = kept.remove(&entry.name);
        }
        // What is no longer wanted goes with the first set.
        self.unwritten = !kept.is_empty();
        while stop.run_until_cancelled(self.round()).await.is_some() {
            self.write();
            let next = if self.unwritten { Instant::now() + SECRETS_RETRY.1 } else { self.next() };
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(next) => {}
                () = hurry() => {
                    tracing::info!("all secrets are looked at now");
                    self.entries.iter_mut().for_each(|entry| entry.due = Instant::now());
                }
            }
        }
    }

    /// Fetches what is due, all at once.
    async fn round(&mut self) {
        let now = Instant::now();
        let (mut places, mut fetches) = (Vec::new(), Vec::new());
        for (place, entry) in self.entries.iter().enumerate() {
            if entry.due <= now {
                places.push(place);
                fetches.push(entry.source.fetch());
            }
        }
        let outcomes = join_all(fetches).await;
        for (place, outcome) in places.into_iter().zip(outcomes) {
            let changed = self.entries[place].take(outcome, self.every);
            self.unwritten |= changed;
        }
        self.tell();
    }

    fn tell(&mut self) {
        let mut failing = Failing::new();
        for entry in &self.entries {
            if let Some(fault) = &entry.fault {
                failing.entry(fault.text.clone()).or_default().push(entry.name.clone());
            }
        }
        let news = self.told.judge(failing);
        for (text, names) in news.failing {
            let secrets = names.join(", ");
            tracing::error!(secrets, "{text}. It is tried again; what was fetched before stays");
        }
        if news.well {
            tracing::info!("all secrets can be fetched again");
        }
    }

    /// Writes the set if it has changed; what cannot be written now is written later.
    fn write(&mut self) {
        if !self.unwritten {
            return;
        }
        match self.target.write(&self.values()) {
            Ok(()) => self.unwritten = false,
            Err(error) => tracing::error!(%error, "the new secrets cannot be written yet"),
        }
    }

    fn values(&self) -> BTreeMap<String, Secret> {
        let held =
            self.entries.iter().filter_map(|entry| Some((&entry.name, entry.held.as_ref()?)));
        held.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn next(&self) -> Instant {
        self.entries.iter().map(|entry| entry.due).min().unwrap_or_else(Instant::now)
    }

    fn missing(&self) -> Vec<(String, String)> {
        let missing = self.entries.iter().filter(|entry| entry.held.is_none());
        let why = |entry: &Entry| {
            let fault = entry.fault.as_ref().map(|fault| fault.text.clone());
            (entry.name.clone(), fault.unwrap_or_else(|| "it was not answered in time".to_owned()))
        };
        missing.map(why).collect()
    }
}

impl Entry {
    /// Takes what a fetch brought; tells whether the value is another one.
    fn take(&mut self, outcome: Result<Fetched, Fault>, every: Duration) -> bool {
        match outcome {
            Ok(fetched) => {
                (self.failures, self.fault) = (0, None);
                self.due = Instant::now() + after_good(every, fetched.holds, random());
                let changed = self.held.as_ref() != Some(&fetched.value);
                if changed {
                    let (secret, version) = (&self.name, &fetched.version);
                    tracing::info!(secret, version, "the secret is new");
                    self.held = Some(fetched.value);
                }
                changed
            }
            Err(fault) => {
                self.failures = self.failures.saturating_add(1);
                self.due = Instant::now() + after_fault(fault.remedy, self.failures, random());
                self.fault = Some(fault);
                false
            }
        }
    }
}

async fn within<T>(end: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match end {
        Some(end) => tokio::time::timeout_at(end, work).await.ok(),
        None => Some(work.await),
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness all wait alike, which is no harm to one machine.
    getrandom::fill(&mut bytes).ok();
    u64::from_le_bytes(bytes)
}
