//! The provider for one machine.
//!
//! A version that ends leaves its write-ahead log behind. What in it is not in the stream yet is published by the
//! other version, which is started on that log for as long as it takes: so a version that could not publish loses
//! nothing that it answered.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use tokio::process::Command;

use super::options::{LocalOptions, Place};
use super::process;
use super::remembered::Remembered;
use crate::limits::{ROLLOUT_COMMAND_DEADLINE, ROLLOUT_TICK, ROLLOUT_TOLD_BYTES};
use crate::rollout::provider::{Admin, Provider, ProviderError, Sides, Up};
use crate::rollout::reading::Instance;

/// Runs versions as processes of this machine.
pub struct Local {
    options: LocalOptions,
    admin: Arc<dyn Admin>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WalStatus {
    high_water: u64,
    published: u64,
}

impl Local {
    pub fn new(options: LocalOptions, admin: Arc<dyn Admin>) -> Self {
        Self { options, admin }
    }

    fn place(&self, name: &str) -> Result<&Place, ProviderError> {
        let unknown = || {
            ProviderError::last(format!(
                "there is no place {name} in [local]: has the file changed?"
            ))
        };
        self.options.place(name).ok_or_else(unknown)
    }

    fn role(&self) -> &str {
        self.options.command.first().map_or("", String::as_str)
    }

    fn binary(&self, place: &str) -> Result<PathBuf, ProviderError> {
        let unknown = || ProviderError::last(format!("nobody knows which binary runs as {place}"));
        Remembered::read(&self.options.dir)?.binaries.remove(place).ok_or_else(unknown)
    }

    /// How many events of a place are in its log alone.
    async fn unpublished(&self, place: &Place, binary: &PathBuf) -> Result<u64, ProviderError> {
        if !place.wal().exists() {
            return Ok(0);
        }
        let running = Command::new(binary)
            .args(["wal", "status", "--json", "--data-dir"])
            .arg(&place.data_dir)
            .envs(&self.options.env)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let told = |error: &str| {
            ProviderError::last(format!(
                "{} wal status --data-dir {}: {error}",
                binary.display(),
                place.data_dir.display()
            ))
        };
        let ended = tokio::time::timeout(ROLLOUT_COMMAND_DEADLINE, running).await;
        let output = ended.map_err(|_| told("does not end"))?.map_err(|e| told(&e.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(told(&said.trim().chars().take(ROLLOUT_TOLD_BYTES).collect::<String>()));
        }
        let status: WalStatus =
            serde_json::from_slice(&output.stdout).map_err(|error| told(&error.to_string()))?;
        Ok(status.high_water.saturating_sub(status.published))
    }

    /// Has a binary publish what is left in a place's log.
    async fn recover(&self, place: &Place, binary: &PathBuf) -> Result<(), ProviderError> {
        let left = self.unpublished(place, binary).await?;
        if left == 0 {
            return Ok(());
        }
        process::spawn(&self.options, place, binary)?;
        let end = tokio::time::Instant::now() + self.options.recover_within;
        while !self.has_published(place).await && tokio::time::Instant::now() < end {
            tokio::time::sleep(ROLLOUT_TICK).await;
        }
        process::end(self.role(), place, self.options.stop_within).await?;
        match self.unpublished(place, binary).await? {
            0 => Ok(()),
            left => Err(ProviderError::last(format!(
                "{left} events are in {} alone, and could not be published in time: is NATS well? Keep the directory",
                place.data_dir.display()
            ))),
        }
    }

    async fn has_published(&self, place: &Place) -> bool {
        let text = self.admin.metrics(&place.admin_url()).await;
        text.is_ok_and(|text| {
            let instance = Instance::parse(&text);
            instance.connected && instance.lag == 0
        })
    }
}

#[async_trait]
impl Provider for Local {
    async fn sides(&self) -> Result<Sides, ProviderError> {
        let live = Remembered::read(&self.options.dir)?.live;
        let next = match &live {
            None => self.options.places.first(),
            Some(live) => {
                let place = self.place(live)?;
                if process::find_surely(self.role(), place).await.is_none() {
                    return Err(ProviderError::last(format!(
                        "the live version ({live}) does not run: start it, as {} {}",
                        self.binary(live)?.display(),
                        shown(&self.options, place)
                    )));
                }
                self.options.other(live)
            }
        };
        let next = next.ok_or_else(|| ProviderError::last("[local] has no places"))?;
        Ok(Sides { live, next: next.name.clone() })
    }

    async fn start(&self, sides: &Sides, to: &str) -> Result<(), ProviderError> {
        let place = self.place(&sides.next)?;
        let mut remembered = Remembered::read(&self.options.dir)?;
        let binary = PathBuf::from(to);
        let is_known = remembered.binaries.get(&place.name) == Some(&binary);
        if is_known && process::find_surely(self.role(), place).await.is_some() {
            return Ok(());
        }
        if !is_known {
            // What is left there of an earlier rollout is not the new version.
            process::end(self.role(), place, self.options.stop_within).await?;
            remembered.binaries.insert(place.name.clone(), binary.clone());
            remembered.write(&self.options.dir)?;
        }
        process::spawn(&self.options, place, &binary)
    }

    async fn up(&self, place: &str) -> Result<Up, ProviderError> {
        let place = self.place(place)?;
        Ok(match process::find_surely(self.role(), place).await {
            Some(_) => Up::Answers(vec![place.admin_url()]),
            None => Up::Gone(format!(
                "no process runs in {}; see {}",
                place.name,
                self.options.log(place).display()
            )),
        })
    }

    async fn gone(&self, place: &str) -> Option<String> {
        match self.up(place).await {
            Ok(Up::Gone(detail)) => Some(detail),
            _ => None,
        }
    }

    async fn split(&self, sides: &Sides, percent: u8) -> Result<(), ProviderError> {
        let to = self.place(&sides.next)?;
        let rest = match &sides.live {
            Some(live) => self.place(live)?,
            None => to,
        };
        self.options.nginx.split(&self.options.places, (to, rest), percent).await
    }

    async fn settle(&self, sides: &Sides, to: &str) -> Result<(), ProviderError> {
        let mut remembered = Remembered::read(&self.options.dir)?;
        remembered.live = Some(sides.next.clone());
        remembered.binaries.insert(sides.next.clone(), to.into());
        remembered.write(&self.options.dir)
    }

    async fn stop(&self, name: &str, keeper: Option<&str>, _: bool) -> Result<(), ProviderError> {
        let place = self.place(name)?;
        process::end(self.role(), place, self.options.stop_within).await?;
        let Some(keeper) = keeper else { return Ok(()) };
        self.recover(place, &self.binary(keeper)?).await
    }
}

fn shown(options: &LocalOptions, place: &Place) -> String {
    let arguments = options.arguments(place);
    let parts: Vec<_> = arguments.iter().map(|part| part.to_string_lossy()).collect();
    parts.join(" ")
}
