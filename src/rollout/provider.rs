//! What a rollout needs of the place where both versions run, and of their admin listeners.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::replay::{Job, Request};

/// The two places that versions take turns in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sides {
    /// Where the old version runs; none if nothing does.
    pub live: Option<String>,
    /// Where the new version goes.
    pub next: String,
}

/// Whether a version is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Up {
    /// All of it runs; the addresses of the admin listeners.
    Answers(Vec<String>),
    /// It is not there yet, and why.
    NotYet(String),
    /// It was there and is gone, or will never come.
    Gone(String),
}

/// Why a provider could not do something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct ProviderError {
    pub detail: String,
    /// Whether the same may work in a moment.
    pub may_pass: bool,
}

/// Where versions run. Everything may be asked for again after a crash in the middle of it, and then comes to the
/// same: a provider looks at what there is, and does what is missing.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Which place is live.
    async fn sides(&self) -> Result<Sides, ProviderError>;

    /// Has the new version run, without traffic. Returns before it is ready.
    async fn start(&self, sides: &Sides, to: &str) -> Result<(), ProviderError>;

    /// Tells whether a place has its version running.
    async fn up(&self, place: &str) -> Result<Up, ProviderError>;

    /// Why the version in a place is gone, as far as that is cheap to tell: it is asked all the time.
    async fn gone(&self, _place: &str) -> Option<String> {
        None
    }

    /// Has the new version get so many percent of the traffic from now on, and the old one the rest.
    async fn split(&self, sides: &Sides, percent: u8) -> Result<(), ProviderError>;

    /// Remembers that the new version is the live one.
    async fn settle(&self, sides: &Sides, to: &str) -> Result<(), ProviderError>;

    /// Ends what runs in a place without traffic; returns once it has ended and everything that it answered is in
    /// the stream. `drained` says that its metrics have told so already; `keeper` is the other place.
    async fn stop(
        &self,
        place: &str,
        keeper: Option<&str>,
        drained: bool,
    ) -> Result<(), ProviderError>;
}

/// Why an admin listener did not answer as wanted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct AdminFailure {
    pub detail: String,
    pub may_pass: bool,
}

/// The admin listeners of both versions.
#[async_trait]
pub trait Admin: Send + Sync {
    /// The text of `/metrics`.
    async fn metrics(&self, url: &str) -> Result<String, AdminFailure>;

    /// Why the process is not ready; none if it is.
    async fn unready(&self, url: &str) -> Result<Option<String>, AdminFailure>;

    async fn jobs(&self, url: &str) -> Result<Vec<Job>, AdminFailure>;

    async fn begin_job(&self, url: &str, request: &Request) -> Result<Job, AdminFailure>;
}

impl ProviderError {
    /// Nothing but a person can change it.
    pub fn last(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), may_pass: false }
    }

    /// It may work in a moment.
    pub fn passing(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), may_pass: true }
    }
}

impl From<AdminFailure> for ProviderError {
    fn from(failure: AdminFailure) -> Self {
        Self { detail: failure.detail, may_pass: failure.may_pass }
    }
}
