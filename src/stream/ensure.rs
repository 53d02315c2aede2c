//! Makes the stream what it is declared to be, and says where it is not.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::stream::Config;

use crate::stream::declaration::{differences, epoch_of, repaired, set_epoch};
use crate::stream::findings::{Finding, Severity, of_sync_policy};
use crate::stream::handle::GetError;
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

impl EnsureError {
    /// Says whether trying again may help without anybody's doing.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Create(_) | Self::Update(_))
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
        findings.extend(of_sync_policy(&self.sync_policy().await));
        Ok(findings)
    }

    async fn create(&self) -> Result<Identity, EnsureError> {
        let mut config = self.declared();
        let max_bytes = config.max_bytes;
        let epoch = new_epoch();
        set_epoch(&mut config, &epoch);
        let created = self.bounded(self.context().create_stream(config), "no answer").await?;
        match created {
            Ok(_) => {
                tracing::info!(%epoch, "the stream EVENTS was made");
                Ok(Identity { epoch, created: true })
            }
            Err(error) if is_no_room(&error) => Err(EnsureError::NoRoom { max_bytes }),
            // Somebody else made it at the same moment: theirs is the stream.
            Err(error) => match self.info().await {
                Ok(info) => self.repair(info.config).await,
                Err(_) => Err(EnsureError::Create(error)),
            },
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
        Ok(Identity { epoch, created: false })
    }
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
