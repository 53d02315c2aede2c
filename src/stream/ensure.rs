//! Makes the stream what it is declared to be, and says where it is not.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::Config;

use crate::stream::declaration::{differences, epoch_of, repaired, set_epoch};
use crate::stream::findings::{Finding, Severity, of_servers};
use crate::stream::handle::{GetError, StreamHandle};
use crate::stream::log::EventLog;
use crate::stream::position::Epoch;
use crate::stream::server::TooOld;

/// Which stream it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The stream's epoch.
    pub epoch: Epoch,
    /// Whether this call made the stream.
    pub created: bool,
}

/// Why the stream could not be ensured.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    /// The server cannot keep the promises.
    #[error(transparent)]
    TooOld(#[from] TooOld),
    /// The server reserves a stream's bound when it is made, and has less.
    #[error(
        "the server has no room for a stream of {max_bytes} bytes: lower the stream's bound, or raise \
         max_file_store in the jetstream block of the server's configuration"
    )]
    NoRoom {
        /// The bound that was asked for.
        max_bytes: i64,
    },
    /// There are not as many servers for it now.
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    /// The stream could not be made.
    #[error("cannot create the stream EVENTS: {0}")]
    Create(CreateStreamError),
    /// The stream's settings could not be changed.
    #[error("cannot update the stream EVENTS: {0}")]
    Update(CreateStreamError),
    /// The stream's settings could not be read.
    #[error(transparent)]
    Get(#[from] GetError),
}

/// The servers do not hold as many copies as are asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NoPlace {
    /// The stream.
    pub stream: String,
    /// Copies that are asked for.
    pub replicas: usize,
    /// Whether the server is one of a cluster, so that others may come.
    pub clustered: bool,
    /// The server's words.
    pub text: String,
}

impl std::fmt::Display for NoPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { stream, replicas, clustered, text } = self;
        let remedy = if *clustered {
            "bring that many servers of the cluster up, each with JetStream and room below its max_file_store; it is \
             tried again"
        } else {
            "it is no server of a cluster: name those of one in nats.url (nats/cluster), or set nats.replicas = 1"
        };
        write!(f, "{replicas} copies of the stream {stream} have no place now ({text}): {remedy}")
    }
}

impl NoPlace {
    /// Reads the server's refusal of so many copies, if it is one.
    pub fn of(error: &CreateStreamError, stream: &str, replicas: usize) -> Option<Self> {
        let CreateStreamErrorKind::JetStream(told) = error.kind() else { return None };
        let code = told.error_code();
        let single = [ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED, ErrorCode::CLUSTER_REQUIRED];
        // In a cluster, a server without room is none that can be chosen.
        let few = [ErrorCode::CLUSTER_NO_PEERS, ErrorCode::INSUFFICIENT_RESOURCES];
        if replicas < 2 || !single.contains(&code) && !few.contains(&code) {
            return None;
        }
        let (stream, text) = (stream.to_owned(), told.to_string());
        Some(Self { stream, replicas, clustered: few.contains(&code), text })
    }
}

impl EnsureError {
    /// Says whether trying again may help without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Get(_) | Self::Create(_) | Self::Update(_) => true,
            Self::NoPlace(no_place) => no_place.clustered,
            Self::TooOld(_) | Self::NoRoom { .. } => false,
        }
    }
}

impl EventLog {
    /// Makes the stream if there is none, with a new epoch; otherwise changes what differs and can be
    /// changed, and writes to the log what is left. The epoch of a stream that exists stays.
    pub async fn ensure(&self) -> Result<Identity, EnsureError> {
        self.bounded(self.nats().connected(), "no connection").await?;
        self.nats().check_server()?;
        let identity = match self.info().await {
            Ok(info) => self.repair(info.config).await?,
            Err(GetError::Gone) => self.create().await?,
            Err(error) => return Err(error.into()),
        };
        for finding in self.inspect().await? {
            finding.log();
        }
        Ok(identity)
    }

    /// Returns every setting of the stream and its server under which the promise does not hold, or
    /// that could not be found out. Changes nothing.
    pub async fn inspect(&self) -> Result<Vec<Finding>, GetError> {
        let found = self.info().await?.config;
        let mut findings = differences(&self.declared(), &found);
        if epoch_of(&found).is_none() {
            findings.push(missing_epoch());
        }
        findings.extend(of_servers(&self.servers().await));
        Ok(findings)
    }

    async fn create(&self) -> Result<Identity, EnsureError> {
        let mut config = self.declared();
        let epoch = new_epoch();
        set_epoch(&mut config, &epoch);
        let created = self.bounded(self.context().create_stream(config), "no answer").await?;
        match created {
            Ok(_) => {
                tracing::info!(%epoch, "the stream EVENTS was made");
                Ok(Identity { epoch, created: true })
            }
            // Somebody else made it at the same moment: theirs is the stream.
            Err(error) => match self.info().await {
                Ok(info) => self.repair(info.config).await,
                Err(_) => Err(self.not_created(error)),
            },
        }
    }

    fn not_created(&self, error: CreateStreamError) -> EnsureError {
        let declared = self.declared();
        match NoPlace::of(&error, &declared.name, declared.num_replicas) {
            Some(no_place) => no_place.into(),
            None if is_no_room(&error) => EnsureError::NoRoom { max_bytes: declared.max_bytes },
            None => EnsureError::Create(error),
        }
    }

    async fn repair(&self, found: Config) -> Result<Identity, EnsureError> {
        let mut config = repaired(&self.declared(), &found);
        let epoch = epoch_of(&found).unwrap_or_else(new_epoch);
        set_epoch(&mut config, &epoch);
        if config != found {
            for finding in differences(&self.declared(), &found) {
                tracing::info!(
                    setting = finding.setting,
                    from = finding.found,
                    "the stream EVENTS is changed"
                );
            }
            let updated = self.bounded(self.context().update_stream(&config), "no answer").await?;
            match updated {
                Ok(_) => {}
                // A setting that cannot be changed is a finding; an epoch that cannot be set is an end.
                Err(error) if epoch_of(&found).is_some() => {
                    tracing::warn!(%error, "the stream EVENTS cannot be changed");
                }
                Err(error) => return Err(EnsureError::Update(error)),
            }
        }
        grow(self.handle(), config, self.declared().num_replicas).await?;
        Ok(Identity { epoch, created: false })
    }
}

/// Gives a stream as many copies as are declared; never fewer than it has. Where that cannot be, it is told
/// and the stream goes on with those it has.
///
/// A change by itself, so that what else has to be changed does not wait for servers.
pub async fn grow(handle: &StreamHandle, found: Config, replicas: usize) -> Result<(), GetError> {
    if found.num_replicas >= replicas {
        return Ok(());
    }
    let (stream, from) = (handle.name(), found.num_replicas);
    let grown = Config { num_replicas: replicas, ..found };
    match handle.bounded(handle.context().update_stream(&grown), "no answer").await? {
        Ok(_) => tracing::info!(stream, from, to = replicas, "the stream gets more copies"),
        Err(error) => {
            let no_place = NoPlace::of(&error, stream, replicas);
            let why = no_place.map_or_else(|| error.to_string(), |no_place| no_place.to_string());
            tracing::warn!(stream, copies = from, why, "the stream gets no more copies");
        }
    }
    Ok(())
}

/// Makes an epoch that no other stream has.
pub fn new_epoch() -> Epoch {
    Epoch(uuid::Uuid::now_v7().simple().to_string())
}

pub fn is_no_room(error: &CreateStreamError) -> bool {
    let CreateStreamErrorKind::JetStream(error) = error.kind() else {
        return false;
    };
    [ErrorCode::STORAGE_RESOURCES_EXCEEDED, ErrorCode::INSUFFICIENT_RESOURCES]
        .contains(&error.error_code())
}

fn missing_epoch() -> Finding {
    Finding {
        severity: Severity::Warning,
        setting: "metadata.weir.epoch".into(),
        found: "none".into(),
        expected: "a random name".into(),
        remedy: "start weir once: it gives the stream one".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_without_a_place_are_told_with_what_to_do() {
        let no_place = |clustered| NoPlace {
            stream: "EVENTS".into(),
            replicas: 3,
            clustered,
            text: "no suitable peers for placement".into(),
        };
        let (few, single) = (no_place(true), no_place(false));
        assert!(few.to_string().contains("bring that many servers"), "{few}");
        assert!(single.to_string().contains("set nats.replicas = 1"), "{single}");
        assert!(EnsureError::from(few).is_retryable() && !EnsureError::from(single).is_retryable());
    }
}
