//! From what is typed to what is asked for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::arguments::{
    Begin, JumpArguments, Pace, RebuildArguments, ReplayArguments, VerifyArguments,
};
use super::lifecycle::{PromoteArguments, RedriveArguments, RetireArguments, RollbackArguments};
use crate::config::{EventTypeSettings, Problems, Sources, load};
use crate::generation::EventTypeSpec;
use crate::replay::{Filter, Request, Verb};

/// Whether somebody has to say yes before the job is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Consent {
    Given,
    /// A terminal is asked, with the plan before its eyes.
    Asked,
}

/// A verb as it is typed.
pub(in crate::cli) trait Verbed {
    /// Returns what is asked for, but for who asks.
    fn request(&self) -> Result<Request>;
    fn begin(&self) -> &Begin;
    fn consent(&self) -> Consent {
        Consent::Given
    }
}

impl Begin {
    fn request(&self, verb: Verb) -> Request {
        Request { plan: self.plan, why: self.why.clone(), ..Request::new(verb) }
    }

    fn paced(&self, verb: Verb, pace: &Pace) -> Request {
        let live_lag_ms = pace.live_lag.map(millis);
        Request { live_lag_ms, rate: pace.rate, ..self.request(verb) }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Verbed for ReplayArguments {
    fn request(&self) -> Result<Request> {
        Ok(Request {
            generation: self.generation,
            from: self.from.clone(),
            to: self.to.clone(),
            filter: Filter {
                types: self.types.clone(),
                users: self.users.clone(),
                items: self.items.clone(),
                sources: self.sources.clone(),
                ..Filter::default()
            },
            allow_truncated: self.allow_truncated,
            ..self.begin.paced(Verb::Replay, &self.pace)
        })
    }

    fn begin(&self) -> &Begin {
        &self.begin
    }
}

impl Verbed for RebuildArguments {
    fn request(&self) -> Result<Request> {
        Ok(Request {
            generation: self.generation,
            as_of: self.as_of.clone(),
            allow_truncated: self.allow_truncated,
            unverified: self.unverified,
            promote: self.promote,
            event_types: self.config.as_deref().map(event_types).transpose()?,
            ..self.begin.paced(Verb::Rebuild, &self.pace)
        })
    }

    fn begin(&self) -> &Begin {
        &self.begin
    }
}

impl Verbed for JumpArguments {
    fn request(&self) -> Result<Request> {
        let generation = self.generation;
        Ok(Request { generation, ..self.begin.paced(Verb::Jump, &self.pace) })
    }

    fn begin(&self) -> &Begin {
        &self.begin
    }
}

impl Verbed for VerifyArguments {
    fn request(&self) -> Result<Request> {
        let generation = self.generation;
        Ok(Request { generation, ..self.begin.paced(Verb::Verify, &self.pace) })
    }

    fn begin(&self) -> &Begin {
        &self.begin
    }
}

impl Verbed for PromoteArguments {
    fn request(&self) -> Result<Request> {
        Ok(Request {
            generation: Some(self.generation),
            force: self.force,
            unverified: self.unverified,
            ..self.begin.request(Verb::Promote)
        })
    }

    fn begin(&self) -> &Begin {
        &self.begin
    }
}

impl Verbed for RollbackArguments {
    fn request(&self) -> Result<Request> {
        Ok(Request { force: self.force, ..self.begin.request(Verb::Rollback) })
    }

    fn begin(&self) -> &Begin {
        &self.begin
    }
}

impl Verbed for RetireArguments {
    fn request(&self) -> Result<Request> {
        Ok(Request {
            generation: Some(self.generation),
            force: self.force,
            ..self.begin.request(Verb::Retire)
        })
    }

    fn begin(&self) -> &Begin {
        &self.begin
    }

    fn consent(&self) -> Consent {
        consent(self.yes)
    }
}

impl Verbed for RedriveArguments {
    fn request(&self) -> Result<Request> {
        Ok(Request {
            generation: self.generation,
            filter: Filter {
                types: self.types.clone(),
                reason: self.reason.clone(),
                older_than_ms: self.older_than.map(millis),
                id_prefix: self.id.clone(),
                error_text: self.text.clone(),
                ..Filter::default()
            },
            ..self.begin.paced(Verb::Redrive, &self.pace)
        })
    }

    fn begin(&self) -> &Begin {
        &self.begin
    }

    fn consent(&self) -> Consent {
        consent(self.yes)
    }
}

fn consent(yes: bool) -> Consent {
    if yes { Consent::Given } else { Consent::Asked }
}

/// Reads the event types that a file and the environment configure.
fn event_types(file: &Path) -> Result<BTreeMap<String, EventTypeSpec>, Problems> {
    let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let sources = Sources { file: Some(file.to_owned()), environment, flags: Vec::new() };
    let settings = load(&sources)?.settings;
    Ok(settings.event_types.iter().map(|(name, kind)| (name.clone(), spec(kind))).collect())
}

fn spec(kind: &EventTypeSettings) -> EventTypeSpec {
    match kind.clone() {
        EventTypeSettings::Interaction { collection, weight, aliases } => {
            EventTypeSpec::Interaction { collection, weight, aliases }
        }
        EventTypeSettings::Retraction { retracts, aliases } => {
            EventTypeSpec::Retraction { retracts, aliases }
        }
        EventTypeSettings::UserProfile { aliases } => EventTypeSpec::UserProfile { aliases },
        EventTypeSettings::ItemProfile { aliases } => EventTypeSpec::ItemProfile { aliases },
        EventTypeSettings::UserOnly { aliases } => EventTypeSpec::UserOnly { aliases },
    }
}

/// Who asks: `user@host`, as far as the machine tells.
pub(super) fn asker() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let unknown = || "unknown".to_owned();
    let host = host.or_else(|| variable("HOSTNAME"));
    format!("{}@{}", user.unwrap_or_else(unknown), host.unwrap_or_else(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_types_of_a_file_are_those_that_count() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("weir.toml");
        std::fs::write(&file, "[event_types.hugged]\nkind = \"interaction\"\n").unwrap();
        let types = event_types(&file).unwrap();
        assert!(matches!(types["hugged"], EventTypeSpec::Interaction { .. }), "{types:?}");
        assert!(types.contains_key("viewed"), "the built-in ones are among them");
        EventTypeSpec::read(&types).expect("valid");
        std::fs::write(&file, "nonsense = [").unwrap();
        assert!(event_types(&file).is_err());
    }

    #[test]
    fn who_asks_has_a_user_and_a_host() {
        let asker = asker();
        let (user, host) = asker.split_once('@').unwrap();
        assert!(!user.is_empty() && !host.is_empty(), "{asker}");
    }
}
