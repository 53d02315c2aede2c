//! The relay as its owner sees it: built from a WAL and a log, run until cancelled, watched through a handle.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::pulse::Pulse;
use crate::relay::engine::Engine;
use crate::relay::marks_file::MarksFile;
use crate::relay::status::Status;
use crate::stream::EventLog;
use crate::wal::Wal;

/// How to relay.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the marks are kept: the WAL's directory.
    pub dir: PathBuf,
    /// How long a stop may take to publish what is committed; what is left stays in the WAL.
    pub drain: Duration,
}

impl Options {
    /// Takes the WAL's directory and a drain of 5 s.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), drain: Duration::from_secs(5) }
    }
}

/// The marks cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the relay's marks in {}: {source}", dir.display())]
pub struct BuildError {
    dir: PathBuf,
    source: std::io::Error,
}

/// Publishes everything committed to the WAL to the stream, at least once, and again what the stream lost.
pub struct Relay {
    engine: Engine,
    drain: Duration,
}

/// Watches a relay.
#[derive(Debug, Clone)]
pub struct Handle {
    pulse: Pulse,
    status: watch::Receiver<Status>,
    cursor: watch::Receiver<u64>,
}

impl Relay {
    /// Makes a relay over a log with a connection of its own; reads the marks (blocking) and sends nothing.
    pub fn build(options: Options, wal: Wal, log: EventLog) -> Result<(Self, Handle), BuildError> {
        let file = MarksFile::new(&options.dir);
        let marks = file.read().map_err(|source| BuildError { dir: options.dir, source })?;
        let (engine, status, cursor) = Engine::new(wal, log, file, marks);
        let pulse = engine.pulse.clone();
        Ok((Self { engine, drain: options.drain }, Handle { pulse, status, cursor }))
    }

    /// Runs until cancelled, then publishes what is committed under the drain's deadline.
    pub async fn run(mut self, token: CancellationToken) {
        self.engine.run(&token).await;
        if tokio::time::timeout(self.drain, self.engine.drain()).await.is_err() {
            tracing::info!(
                "the relay stops before everything is published; the rest stays in the log on disk"
            );
        }
        self.engine.finish().await;
    }
}

impl Handle {
    /// Returns the state as it is now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Returns the sign of life of its loop.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Returns a watch of the WAL's sequence through which (inclusive) everything is in the stream. It goes
    /// back when the stream has lost something.
    pub fn cursor(&self) -> watch::Receiver<u64> {
        self.cursor.clone()
    }
}
