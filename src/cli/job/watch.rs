//! Follows a job to its end, also over a restart of the process that is asked.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

use super::screen::Screen;
use crate::cli::admin::{AdminClient, AdminError};
use crate::replay::{Job, JobId, State, Verb};

/// How often is asked, and how long is waited for what does not come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub every: Duration,
    /// For a process that does not answer.
    pub away: Duration,
    /// For the promotion of a rebuild that is done.
    pub promotion: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            away: Duration::from_mins(1),
            promotion: Duration::from_mins(1),
        }
    }
}

/// How a job stands for somebody who waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    GoesOn,
    /// A rebuild that is done and that somebody wanted promoted.
    WaitsForPromotion,
    /// Over, as it was wanted.
    Well,
    /// Over, and not as it was wanted.
    Ill,
}

/// Says how a job stands.
pub(super) fn standing(job: &Job) -> Standing {
    let same = job.report.as_ref().is_none_or(|report| report.differences() == 0);
    match job.state {
        State::Done if job.verb == Verb::Rebuild && job.request.promote && same => {
            Standing::WaitsForPromotion
        }
        State::Done | State::Promoted if same => Standing::Well,
        State::Done | State::Promoted | State::Failed | State::Cancelled => Standing::Ill,
        State::Planned | State::Running | State::Paused | State::CatchingUp => Standing::GoesOn,
    }
}

/// The path of a job, or of a part of its name that only it has.
pub(super) fn path_of(id: &JobId) -> String {
    format!("/admin/jobs/{id}")
}

/// Shows a job until it is over, and returns it as it is then.
pub(super) async fn watch(
    client: &AdminClient,
    id: &JobId,
    screen: &mut dyn Screen,
    patience: Patience,
) -> Result<Job> {
    let mut away = Away { since: None, patience };
    let mut done_since = None;
    let mut shown = None;
    loop {
        if let Some(job) = away.ask(client, id, screen).await? {
            if shown.as_ref() != Some(&job) {
                screen.show(&job)?;
            }
            match standing(&job) {
                Standing::Well | Standing::Ill => return Ok(job),
                Standing::WaitsForPromotion => {
                    let since = *done_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= patience.promotion {
                        return Ok(job);
                    }
                }
                Standing::GoesOn => done_since = None,
            }
            shown = Some(job);
        }
        tokio::time::sleep(patience.every).await;
    }
}

/// Waits for a process that does not answer.
struct Away {
    since: Option<Instant>,
    patience: Patience,
}

impl Away {
    /// Asks for the job; none while nobody answers and that is not for too long.
    async fn ask(
        &mut self,
        client: &AdminClient,
        id: &JobId,
        screen: &mut dyn Screen,
    ) -> Result<Option<Job>> {
        match client.get(&path_of(id)).await {
            Ok(job) => {
                if self.since.take().is_some() {
                    screen.say("it answers again");
                }
                Ok(Some(job))
            }
            Err(error) if error.may_pass() => {
                self.note(&error, screen);
                self.bear(id).with_context(|| error.to_string())?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn note(&mut self, error: &AdminError, screen: &mut dyn Screen) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            let seconds = self.patience.away.as_secs();
            screen.say(&format!("{error}\nwaiting for it, for up to {seconds} s"));
        }
    }

    fn bear(&self, id: &JobId) -> Result<()> {
        if self.since.is_some_and(|since| since.elapsed() >= self.patience.away) {
            bail!("the job may go on all the same: weir job watch {id}");
        }
        Ok(())
    }
}
