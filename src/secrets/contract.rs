//! What every provider promises of one secret.

use std::time::Duration;

use async_trait::async_trait;

use crate::limits::SECRET_BYTES;
use crate::secret::Secret;

/// A secret as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub value: Secret,
    /// The provider's name for this state of it, for the log.
    pub version: String,
    /// For how long it holds; absent where the provider does not say.
    pub holds: Option<Duration>,
}

/// Why a secret cannot be had now. The text says what to do, is the same while the cause is the same, and tells
/// nothing of any secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    pub remedy: Remedy,
    pub text: String,
}

/// What may help against a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It may work by itself; not before `after`, if the server has said so.
    Retry { after: Option<Duration> },
    /// Somebody has to change something. It is looked at again all the same, but seldom.
    Person,
}

impl Fault {
    pub fn retry(text: impl Into<String>) -> Self {
        Self { remedy: Remedy::Retry { after: None }, text: text.into() }
    }

    pub fn person(text: impl Into<String>) -> Self {
        Self { remedy: Remedy::Person, text: text.into() }
    }

    /// Says what failed, before why.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        self.text = format!("{what}: {}", self.text);
        self
    }
}

/// One secret of a provider.
#[async_trait]
pub trait Source: Send + Sync {
    /// Fetches it as it is now, under a deadline of its own. The value is never empty and never longer than a
    /// file of a secret may be.
    async fn fetch(&self) -> Result<Fetched, Fault>;
}

/// Refuses a value that no file of a secret may hold.
pub(super) fn checked(value: &str) -> Result<Secret, Fault> {
    if value.trim().is_empty() {
        return Err(Fault::person("it is there but empty: give it a value"));
    }
    if value.len() > SECRET_BYTES {
        let text = format!("it has more than {SECRET_BYTES} bytes: is it the right one?");
        return Err(Fault::person(text));
    }
    if value.contains('\0') {
        return Err(Fault::person("it holds a zero byte, which no text has: is it the right one?"));
    }
    Ok(Secret::new(value))
}
