//! What each operation of the log can fail with, and whether trying again can help.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::segment::is_full;

/// An operation on a file that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct IoCause {
    action: &'static str,
    path: PathBuf,
    source: Arc<io::Error>,
}

impl IoCause {
    pub(super) fn new(action: &'static str, path: &Path, source: io::Error) -> IoCause {
        IoCause { action, path: path.to_owned(), source: Arc::new(source) }
    }
}

impl IoCause {
    /// Whether the disk had no room.
    pub(super) fn is_full(&self) -> bool {
        is_full(&self.source)
    }
}

/// Names what was done when an I/O error came.
pub(super) trait Context<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, IoCause>;
}

impl<T> Context<T> for io::Result<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, IoCause> {
        self.map_err(|source| IoCause::new(action, path, source))
    }
}

/// Another process holds the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the log {} is in use by a running process", dir.display())]
pub struct InUse {
    pub dir: PathBuf,
}

/// Why a log cannot be opened. Damage is no reason: it is quarantined.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    InUse(#[from] InUse),
    #[error(transparent)]
    Io(#[from] IoCause),
}

/// Why entries were not stored, none of them; or, after `Io` and `Closed`, may or may not be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    #[error("the log is full; try again in {} ms", retry_after.as_millis())]
    Full { retry_after: Duration },
    #[error("entry {index} has {actual} bytes, more than {limit}")]
    TooLarge { index: usize, actual: usize, limit: usize },
    #[error("there is no entry to append")]
    Empty,
    #[error("the log is closed")]
    Closed,
    #[error(transparent)]
    Io(#[from] IoCause),
}

impl AppendError {
    /// Whether the same append can succeed later on this log.
    pub fn is_retryable(&self) -> bool {
        match self {
            AppendError::Full { .. } | AppendError::Io(_) => true,
            AppendError::TooLarge { .. } | AppendError::Empty | AppendError::Closed => false,
        }
    }
}

/// Why entries cannot be read now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    #[error("the log is closed")]
    Closed,
    #[error(transparent)]
    Io(#[from] IoCause),
}

impl ReadError {
    /// Whether the same read can succeed later on this log.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ReadError::Io(_))
    }
}

/// Why a log cannot be looked at offline.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error("there is no log in {}", .0.display())]
    Missing(PathBuf),
    #[error(transparent)]
    InUse(#[from] InUse),
    #[error(transparent)]
    Io(#[from] IoCause),
    #[error("the receiver of the entries failed: {0}")]
    Sink(io::Error),
}

impl From<OpenError> for OfflineError {
    fn from(error: OpenError) -> OfflineError {
        match error {
            OpenError::InUse(cause) => cause.into(),
            OpenError::Io(cause) => cause.into(),
        }
    }
}
